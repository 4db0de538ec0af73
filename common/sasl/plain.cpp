// PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login-00): the client shows the password, TLS hides it.
#include "common/sasl/mechanisms.h"
#include "common/sasl/saslprep.h"

namespace mailstead::sasl {
namespace {

constexpr std::size_t kMaxPassword = 1024;  // RFC 4616, 2 asks for 255 at least

Outcome verify(CredentialSource& source, std::string login, std::string_view password) {
    const Secret prepared = prepare_password(password);
    if (prepared.empty()) return Failure{FailureReason::malformed, std::move(login)};
    const auto account = source.verify_password(login, prepared.reveal());
    if (!account) return Failure{FailureReason::temporary, std::move(login)};
    if (!*account) return Failure{FailureReason::wrong_credentials, std::move(login)};
    return Success{**account, std::move(login)};
}

class Plain : public Exchange {
public:
    explicit Plain(CredentialSource& source) : source_(source) {}

    // message = [authzid] UTF8NUL authcid UTF8NUL passwd
    Outcome step(std::string_view message) override {
        if (message.size() > kMaxClientMessage) return Failure{};
        const std::size_t first = message.find('\0');
        if (first == std::string_view::npos) return Failure{};
        const std::size_t second = message.find('\0', first + 1);
        if (second == std::string_view::npos) return Failure{};
        const std::string_view password = message.substr(second + 1);
        if (password.find('\0') != std::string_view::npos || password.size() > kMaxPassword) return Failure{};
        auto login = prepare_login(message.substr(first + 1, second - first - 1));
        if (!login) return Failure{};
        if (!may_act_as(*login, message.substr(0, first))) {
            return Failure{FailureReason::not_authorized, *std::move(login)};
        }
        return verify(source_, *std::move(login), password);
    }

private:
    CredentialSource& source_;
};

class Login : public Exchange {
public:
    explicit Login(CredentialSource& source) : source_(source) {}

    std::string first_challenge() const override { return "Username:"; }

    Outcome step(std::string_view message) override {
        if (message.size() > kMaxPassword || message.find('\0') != std::string_view::npos) return Failure{};
        if (login_) return verify(source_, *std::move(login_), message);
        login_ = prepare_login(message);
        if (!login_) return Failure{};
        return Challenge{"Password:"};
    }

private:
    CredentialSource& source_;
    std::optional<std::string> login_;
};

}  // namespace

std::unique_ptr<Exchange> make_plain(CredentialSource& source) {
    return std::make_unique<Plain>(source);
}

std::unique_ptr<Exchange> make_login(CredentialSource& source) {
    return std::make_unique<Login>(source);
}

}  // namespace mailstead::sasl
