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

struct PlainMessage {
    std::string_view authzid;
    std::string login;
    std::string_view password;
};

// message = [authzid] UTF8NUL authcid UTF8NUL passwd
std::optional<PlainMessage> parse_plain(std::string_view message) {
    if (message.size() > kMaxClientMessage) return std::nullopt;
    const std::size_t first = message.find('\0');
    if (first == std::string_view::npos) return std::nullopt;
    const std::size_t second = message.find('\0', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const std::string_view password = message.substr(second + 1);
    if (password.find('\0') != std::string_view::npos || password.size() > kMaxPassword) return std::nullopt;
    auto login = prepare_login(message.substr(first + 1, second - first - 1));
    if (!login) return std::nullopt;
    return PlainMessage{message.substr(0, first), *std::move(login), password};
}

bool is_remembered(CredentialSource& source, std::string_view login, std::string_view password) {
    return source.remembers(login, prepare_password(password).reveal());
}

class Plain : public Exchange {
public:
    explicit Plain(CredentialSource& source) : source_(source) {}

    Outcome step(std::string_view message) override {
        auto said = parse_plain(message);
        if (!said) return Failure{};
        if (!may_act_as(said->login, said->authzid))
            return Failure{FailureReason::not_authorized, std::move(said->login)};
        return verify(source_, std::move(said->login), said->password);
    }

    bool is_slow(std::string_view message) const override {
        const auto said = parse_plain(message);
        return said && !is_remembered(source_, said->login, said->password);
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

    bool is_slow(std::string_view message) const override {
        return login_ && message.size() <= kMaxPassword && !is_remembered(source_, *login_, message);
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
