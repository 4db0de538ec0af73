// PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login-00): the client shows the password, TLS hides it.
#include "common/sasl/mechanisms.h"
#include "common/sasl/saslprep.h"

namespace mailstead::sasl {
namespace {

constexpr std::size_t kMaxPassword = 1024;  // RFC 4616, 2 asks for 255 at least

Outcome verify(CredentialSource& source, std::string login, std::string_view password) {
    const Secret prepared = prepare_password(password);
    if (prepared.empty()) return Failure{FailureReason::malformed, std::move(login)};
    auto proved = source.verify_password(login, prepared.reveal());
    if (!proved) return Failure{FailureReason::temporary, std::move(login)};
    if (!*proved) return Failure{FailureReason::wrong_credentials, std::move(login)};
    return Success{(*proved)->account, std::move(login), std::move((*proved)->credential)};
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

Ahead before_verify(CredentialSource& source, std::string login, std::string_view password) {
    const bool known = source.remembers(login, prepare_password(password).reveal());
    return {known ? Ahead::Work::proof : Ahead::Work::hash, std::move(login)};
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

    Ahead look_ahead(std::string_view message) const override {
        auto said = parse_plain(message);
        if (!said || !may_act_as(said->login, said->authzid)) return {};
        return before_verify(source_, std::move(said->login), said->password);
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

    Ahead look_ahead(std::string_view message) const override {
        const bool is_password = login_ && message.size() <= kMaxPassword;
        return is_password ? before_verify(source_, *login_, message) : Ahead();
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
