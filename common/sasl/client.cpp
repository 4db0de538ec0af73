#include "common/sasl/client.h"

#include <algorithm>
#include <array>

#include "common/base/base64.h"
#include "common/base/text.h"
#include "common/sasl/password_hash.h"
#include "common/sasl/saslprep.h"
#include "common/sasl/scram_client.h"
#include "common/sasl/scram_messages.h"

namespace mailstead::sasl {
namespace {

class PlainClient : public ClientExchange {
public:
    PlainClient(std::string_view user, const Secret& password) : message_(compose(user, password)) {}

    std::string_view mechanism() const override { return "PLAIN"; }
    std::optional<std::string> initial_response() override { return std::string(message_.reveal()); }
    Parsed<std::string> respond(std::string_view) override { return std::string(message_.reveal()); }
    bool server_verified() const override { return true; }

private:
    // message = [authzid] UTF8NUL authcid UTF8NUL passwd   (RFC 4616, 2)
    static Secret compose(std::string_view user, const Secret& password) {
        std::string message;
        message.reserve(user.size() + password.reveal().size() + 2);
        message.append(1, '\0').append(user).append(1, '\0').append(password.reveal());
        return Secret::take(message);
    }
    Secret message_;
};

class LoginClient : public ClientExchange {
public:
    LoginClient(std::string_view user, const Secret& password) : user_(user), password_(password.reveal()) {}

    std::string_view mechanism() const override { return "LOGIN"; }
    std::optional<std::string> initial_response() override { return std::nullopt; }
    // The challenges' texts differ between servers; only their order counts.
    Parsed<std::string> respond(std::string_view) override {
        switch (++challenges_) {
            case 1:
                return user_;
            case 2:
                return std::string(password_.reveal());
            default:
                return ParseError{"the server asks more than LOGIN has", 0};
        }
    }
    bool server_verified() const override { return true; }

private:
    std::string user_;
    Secret password_;
    int challenges_ = 0;
};

class ScramClient : public ClientExchange {
public:
    ScramClient(std::string_view user, const Secret& password, const ScramBinding& binding, std::string nonce)
        : name_(binding.name.empty() ? "SCRAM-SHA-256" : "SCRAM-SHA-256-PLUS"),
          password_(prepare_password(password.reveal())),
          nonce_(std::move(nonce)) {
        const std::string flag = !binding.name.empty()     ? "p=" + binding.name
                                 : binding.server_lacks_it ? "y"
                                                           : "n";
        gs2_header_ = flag + ",,";
        binding_data_ = binding.data;
        const auto prepared = saslprep(user, Spelling::query);
        bare_ = "n=" + scram::encode_name(prepared ? std::string_view(*prepared) : user) + ",r=" + nonce_;
    }

    std::string_view mechanism() const override { return name_; }
    std::optional<std::string> initial_response() override {
        state_ = State::server_first;
        return gs2_header_ + bare_;
    }
    Parsed<std::string> respond(std::string_view challenge) override {
        switch (state_) {
            case State::start:
                return *initial_response();
            case State::server_first:
                return on_server_first(challenge);
            case State::server_final:
                return on_server_final(challenge);
            case State::over:
                break;
        }
        return ParseError{"the server asks more than SCRAM has", 0};
    }
    bool server_verified() const override { return verified_; }

private:
    enum class State { start, server_first, server_final, over };

    Parsed<std::string> on_server_first(std::string_view challenge) {
        TRY(first, scram::parse_server_first(challenge));
        if (!first.nonce.starts_with(nonce_) || first.nonce.size() == nonce_.size()) {
            return ParseError{"the server did not extend the nonce", 0};
        }
        const std::string binding = base64_encode(gs2_header_ + binding_data_);
        std::string answer = "c=" + binding + ",r=" + std::string(first.nonce);
        const std::string covered = scram::auth_message(bare_, challenge, answer);
        const ClientKeys keys = derive_client_keys(password_.reveal(), first.salt, first.iterations);
        const std::string client_key(keys.client_key.reveal());
        const std::string proof =
            scram::exclusive_or(client_key, scram::hmac_sha256(scram::sha256(client_key), covered));
        server_signature_ = scram::hmac_sha256(keys.server_key.reveal(), covered);
        state_ = State::server_final;
        return answer + ",p=" + base64_encode(proof);
    }

    // server-final-message = (server-error / verifier) ["," extensions]
    Parsed<std::string> on_server_final(std::string_view challenge) {
        state_ = State::over;
        if (!challenge.starts_with("v=")) return ParseError{"the server refused the proof", 0};
        const auto signature =
            base64_decode(challenge.substr(2, std::min(challenge.find(','), challenge.size()) - 2));
        verified_ = signature && equal_in_constant_time(*signature, server_signature_);
        if (!verified_) return ParseError{"the server does not know the password", 0};
        return std::string();
    }

    std::string_view name_;
    Secret password_;
    std::string nonce_;
    std::string gs2_header_;
    std::string binding_data_;
    std::string bare_;
    std::string server_signature_;
    State state_ = State::start;
    bool verified_ = false;
};

// The binding types from the strongest down (RFC 9266 for TLS 1.3, RFC 5929 before).
ScramBinding choose_binding(const ChannelBindings& bindings) {
    for (const std::string_view name : {"tls-exporter", "tls-unique", "tls-server-end-point"}) {
        const std::string_view data = scram::binding_data(bindings, name);
        if (!data.empty()) return {std::string(name), std::string(data), false};
    }
    return {};
}

bool offers(const std::vector<std::string>& offered, std::string_view mechanism) {
    return std::any_of(offered.begin(), offered.end(),
                       [&](const std::string& o) { return text::iequals(o, mechanism); });
}

}  // namespace

std::unique_ptr<ClientExchange> make_scram_client(std::string_view user, const Secret& password,
                                                  const ScramBinding& binding, std::string nonce) {
    return std::make_unique<ScramClient>(user, password, binding, std::move(nonce));
}

std::unique_ptr<ClientExchange> start_client(std::string_view mechanism, std::string_view user,
                                             const Secret& password, ChannelBindings bindings) {
    if (text::iequals(mechanism, "PLAIN")) return std::make_unique<PlainClient>(user, password);
    if (text::iequals(mechanism, "LOGIN")) return std::make_unique<LoginClient>(user, password);
    if (text::iequals(mechanism, "SCRAM-SHA-256")) {
        return make_scram_client(user, password, ScramBinding{}, scram::make_nonce());
    }
    if (text::iequals(mechanism, "SCRAM-SHA-256-PLUS") && bindings.any()) {
        return make_scram_client(user, password, choose_binding(bindings), scram::make_nonce());
    }
    return nullptr;
}

std::unique_ptr<ClientExchange> start_client(const std::vector<std::string>& offered, std::string_view user,
                                             const Secret& password, ChannelBindings bindings) {
    if (offers(offered, "SCRAM-SHA-256-PLUS") && bindings.any()) {
        return start_client("SCRAM-SHA-256-PLUS", user, password, std::move(bindings));
    }
    if (offers(offered, "SCRAM-SHA-256")) {
        // RFC 5802, 6: a client that could bind, and was not offered it, says so.
        return make_scram_client(user, password, {"", "", bindings.any()}, scram::make_nonce());
    }
    for (const std::string_view mechanism : {"PLAIN", "LOGIN"}) {
        if (offers(offered, mechanism)) return start_client(mechanism, user, password, {});
    }
    return nullptr;
}

}  // namespace mailstead::sasl
