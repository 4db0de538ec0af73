// SCRAM-SHA-256 and its -PLUS variant, the server's side (RFC 5802, RFC 7677).
#include <array>

#include "common/base/base64.h"
#include "common/base/text.h"
#include "common/sasl/mechanisms.h"
#include "common/sasl/password_hash.h"
#include "common/sasl/scram_messages.h"

namespace mailstead::sasl {
namespace {

class ScramServer : public Exchange {
public:
    ScramServer(CredentialSource& source, ScramVariant variant, ChannelBindings bindings,
                std::string server_nonce)
        : source_(source),
          variant_(variant),
          bindings_(std::move(bindings)),
          nonce_(std::move(server_nonce)) {}

    Outcome step(std::string_view message) override {
        if (message.size() > kMaxClientMessage) return failure(FailureReason::malformed);
        switch (state_) {
            case State::client_first:
                return on_client_first(message);
            case State::client_final:
                return on_client_final(message);
            case State::client_done:
                return on_client_done(message);
            case State::over:
                break;
        }
        return failure(FailureReason::malformed);
    }

    Ahead look_ahead(std::string_view /*message*/) const override {
        if (state_ != State::client_final) return {};
        return {Ahead::Work::proof, login_};
    }

private:
    enum class State { client_first, client_final, client_done, over };

    Outcome failure(FailureReason reason) {
        state_ = State::over;
        return Failure{reason, login_};
    }

    Outcome on_client_first(std::string_view message) {
        const auto first = scram::parse_client_first(message);
        if (!first) return failure(FailureReason::malformed);
        auto login = prepare_login(first->username);
        if (!login) return failure(FailureReason::malformed);
        login_ = *std::move(login);
        if (const auto refused = check_binding(*first)) return failure(*refused);
        if (!may_act_as(login_, first->authzid)) return failure(FailureReason::not_authorized);

        auto record = source_.scram_record(login_);
        if (!record) return failure(FailureReason::temporary);
        record_ = *record ? *std::move(*record) : made_up_record();
        client_first_bare_ = first->bare;
        nonce_.insert(0, first->nonce);
        server_first_ =
            "r=" + nonce_ + ",s=" + base64_encode(record_.salt) + ",i=" + std::to_string(record_.iterations);
        state_ = State::client_final;
        return Challenge{server_first_};
    }

    // RFC 5802, 6. Also notes what the client must repeat in "c=".
    std::optional<FailureReason> check_binding(const scram::ClientFirst& first) {
        expected_binding_ = first.gs2_header;
        if (first.flag != scram::BindingFlag::required) {
            if (variant_ == ScramVariant::plus) return FailureReason::malformed;
            // "y" says that the client saw no -PLUS in our list. We do offer it, so somebody took it out.
            const bool downgraded = first.flag == scram::BindingFlag::unused && bindings_.any();
            return downgraded ? std::optional(FailureReason::channel_mismatch) : std::nullopt;
        }
        if (variant_ != ScramVariant::plus) return FailureReason::malformed;
        const std::string_view data = scram::binding_data(bindings_, first.binding_name);
        if (data.empty()) return FailureReason::channel_mismatch;
        expected_binding_ += data;
        return std::nullopt;
    }

    // An unknown login gets a salt that stays the same, so that nobody learns by asking which accounts exist.
    ScramRecord made_up_record() const {
        ScramRecord record;
        const std::string folded = text::lower(login_);
        record.salt =
            scram::hmac_sha256(source_.fake_salt_key(), "salt of " + folded).substr(0, kScramSaltSize);
        record.iterations = kScramIterations;
        return record;
    }

    Outcome on_client_final(std::string_view message) {
        const auto final_message = scram::parse_client_final(message);
        if (!final_message) return failure(FailureReason::malformed);
        if (final_message->nonce != nonce_) return failure(FailureReason::malformed);
        if (!equal_in_constant_time(final_message->binding, expected_binding_)) {
            return failure(FailureReason::channel_mismatch);
        }
        const std::string covered =
            scram::auth_message(client_first_bare_, server_first_, final_message->without_proof);
        for (const ScramKey& key : record_.keys) {
            if (!scram::proof_holds(final_message->proof, key.stored_key, covered)) continue;
            state_ = State::client_done;
            proved_by_ = key.credential;
            source_.key_proved(record_.account, key.stored_key);
            return Challenge{"v=" + base64_encode(scram::hmac_sha256(key.server_key, covered))};
        }
        return failure(FailureReason::wrong_credentials);
    }

    // SMTP and IMAP cannot carry data with success, so the server's proof was a challenge and gets an empty
    // answer (RFC 4422, 5).
    Outcome on_client_done(std::string_view message) {
        if (!message.empty()) return failure(FailureReason::malformed);
        state_ = State::over;
        return Success{record_.account, login_, std::move(proved_by_)};
    }

    CredentialSource& source_;
    const ScramVariant variant_;
    const ChannelBindings bindings_;
    std::string nonce_;  // at first the server's part, then both
    State state_ = State::client_first;
    std::string login_;
    std::string client_first_bare_;
    std::string server_first_;
    std::string expected_binding_;
    ScramRecord record_;
    Credential proved_by_;
};

}  // namespace

std::unique_ptr<Exchange> make_scram(CredentialSource& source, ScramVariant variant, ChannelBindings bindings,
                                     std::string server_nonce) {
    return std::make_unique<ScramServer>(source, variant, std::move(bindings), std::move(server_nonce));
}

}  // namespace mailstead::sasl
