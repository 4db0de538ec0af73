#include "common/sasl/scram_messages.h"

#include <optional>

#include <sodium.h>

#include "common/base/base64.h"
#include "common/base/secret.h"
#include "common/base/text.h"

namespace mailstead::sasl::scram {
namespace {

constexpr std::size_t kMaxNonce = 512;
constexpr std::uint32_t kMaxIterations = 10'000'000;
constexpr std::size_t kNonceBytes = 24;

const unsigned char* bytes_of(std::string_view s) {
    return reinterpret_cast<const unsigned char*>(s.data());
}

// Takes attributes off a message one by one; `offset()` is where the next begins.
class Attributes {
public:
    explicit Attributes(std::string_view message) : message_(message) {}

    std::size_t offset() const { return at_; }
    bool at_end() const { return at_ > message_.size(); }

    // The value of the next attribute, which must have this name.
    std::optional<std::string_view> take(char name) {
        const std::string_view field = next();
        if (field.size() < 2 || field[0] != name || field[1] != '=') return std::nullopt;
        return field.substr(2);
    }
    std::string_view next() {
        if (at_end()) return {};
        const std::size_t end = std::min(message_.find(',', at_), message_.size());
        const std::string_view field = message_.substr(at_, end - at_);
        at_ = end + 1;
        return field;
    }

private:
    std::string_view message_;
    std::size_t at_ = 0;
};

// nonce = "r=" 1*printable
bool is_nonce(std::string_view nonce) {
    if (nonce.empty() || nonce.size() > kMaxNonce) return false;
    for (const char c : nonce) {
        if (c < 0x21 || c == 0x7F || c == ',') return false;
    }
    return true;
}

// gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
bool parse_flag(std::string_view flag, ClientFirst& out) {
    if (flag == "n" || flag == "y") {
        out.flag = flag == "n" ? BindingFlag::unsupported : BindingFlag::unused;
        return true;
    }
    if (!flag.starts_with("p=") || flag.size() < 3) return false;
    out.flag = BindingFlag::required;
    out.binding_name = flag.substr(2);
    return true;
}

// extensions = attr-val *("," attr-val): ignored, but not a mandatory one out of its place.
bool skip_extensions(Attributes& attributes) {
    while (!attributes.at_end()) {
        const std::string_view field = attributes.next();
        if (field.size() < 3 || !text::is_alpha(field[0]) || field[1] != '=' || field[0] == 'm') return false;
    }
    return true;
}

}  // namespace

// saslname = 1*(value-safe-char / "=2C" / "=3D")
std::optional<std::string> decode_name(std::string_view name) {
    if (name.empty() || !text::is_utf8(name) || name.find('\0') != std::string_view::npos)
        return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] != '=') {
            out += name[i];
            continue;
        }
        const std::string_view code = name.substr(i + 1, 2);
        if (code != "2C" && code != "3D") return std::nullopt;
        out += code == "2C" ? ',' : '=';
        i += 2;
    }
    return out;
}

// client-first-message = gs2-cbind-flag "," [ authzid ] "," [reserved-mext ","] username "," nonce [","
// extensions]
Parsed<ClientFirst> parse_client_first(std::string_view message) {
    ClientFirst first;
    Attributes attributes(message);
    if (!parse_flag(attributes.next(), first)) return ParseError{"malformed channel binding flag", 0};
    const std::string_view authzid = attributes.next();
    if (!authzid.empty()) {
        const auto name = authzid.starts_with("a=") ? decode_name(authzid.substr(2)) : std::nullopt;
        if (!name) return ParseError{"malformed authorization identity", 2};
        first.authzid = *name;
    }
    const std::size_t bare_start = attributes.offset();
    if (attributes.at_end()) return ParseError{"no user name", message.size()};
    first.gs2_header = message.substr(0, bare_start);
    first.bare = message.substr(bare_start);
    // A mandatory extension stands where the user name should: none is known, so all are refused.
    const auto username = attributes.take('n');
    const auto name = username ? decode_name(*username) : std::nullopt;
    if (!name) return ParseError{"malformed user name", bare_start};
    first.username = *name;
    const auto nonce = attributes.take('r');
    if (!nonce || !is_nonce(*nonce)) return ParseError{"malformed nonce", bare_start};
    first.nonce = *nonce;
    if (!skip_extensions(attributes)) return ParseError{"malformed extension", bare_start};
    return first;
}

// client-final-message = channel-binding "," nonce ["," extensions] "," proof
Parsed<ClientFinal> parse_client_final(std::string_view message) {
    ClientFinal final_message;
    const std::size_t proof_at = message.rfind(",p=");
    if (proof_at == std::string_view::npos) return ParseError{"no proof", message.size()};
    auto proof = base64_decode(message.substr(proof_at + 3));
    if (!proof) return ParseError{"malformed proof", proof_at};
    final_message.proof = *std::move(proof);
    final_message.without_proof = message.substr(0, proof_at);
    Attributes attributes(final_message.without_proof);
    const auto binding = attributes.take('c');
    auto decoded = binding ? base64_decode(*binding) : std::nullopt;
    if (!decoded) return ParseError{"malformed channel binding", 0};
    final_message.binding = *std::move(decoded);
    const auto nonce = attributes.take('r');
    if (!nonce || !is_nonce(*nonce)) return ParseError{"malformed nonce", 0};
    final_message.nonce = *nonce;
    if (!skip_extensions(attributes)) return ParseError{"malformed extension", 0};
    return final_message;
}

// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]
Parsed<ServerFirst> parse_server_first(std::string_view message) {
    ServerFirst first;
    Attributes attributes(message);
    const auto nonce = attributes.take('r');
    if (!nonce || !is_nonce(*nonce)) return ParseError{"malformed nonce", 0};
    first.nonce = *nonce;
    const auto salt = attributes.take('s');
    auto decoded = salt ? base64_decode(*salt) : std::nullopt;
    if (!decoded || decoded->empty()) return ParseError{"malformed salt", 0};
    first.salt = *std::move(decoded);
    const auto count = attributes.take('i');
    const auto iterations = count ? text::parse_number<std::uint32_t>(*count) : std::nullopt;
    if (!iterations || *iterations == 0 || *iterations > kMaxIterations)
        return ParseError{"iteration count out of bounds", 0};
    first.iterations = *iterations;
    if (!skip_extensions(attributes)) return ParseError{"malformed extension", 0};
    return first;
}

std::string encode_name(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == ',') {
            out += "=2C";
        } else if (c == '=') {
            out += "=3D";
        } else {
            out += c;
        }
    }
    return out;
}

std::string_view binding_data(const ChannelBindings& bindings, std::string_view name) {
    if (name == "tls-exporter") return bindings.tls_exporter;
    if (name == "tls-unique") return bindings.tls_unique;
    if (name == "tls-server-end-point") return bindings.tls_server_end_point;
    return {};
}

std::string auth_message(std::string_view client_first_bare, std::string_view server_first,
                         std::string_view without_proof) {
    std::string out;
    out.reserve(client_first_bare.size() + server_first.size() + without_proof.size() + 2);
    out.append(client_first_bare).append(1, ',').append(server_first).append(1, ',').append(without_proof);
    return out;
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, bytes_of(key), key.size());
    crypto_auth_hmacsha256_update(&state, bytes_of(message), message.size());
    std::string out(crypto_auth_hmacsha256_BYTES, '\0');
    crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(out.data()));
    sodium_memzero(&state, sizeof state);
    return out;
}

std::string sha256(std::string_view message) {
    std::string out(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(out.data()), bytes_of(message), message.size());
    return out;
}

std::string exclusive_or(std::string_view a, std::string_view b) {
    std::string out(a);
    for (std::size_t i = 0; i < out.size() && i < b.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
    return out;
}

bool proof_holds(std::string_view proof, std::string_view stored_key, std::string_view message) {
    const std::string signature = hmac_sha256(stored_key, message);
    if (proof.size() != signature.size()) return false;
    return equal_in_constant_time(sha256(exclusive_or(proof, signature)), stored_key);
}

std::string make_nonce() {
    return base64_encode(random_bytes(kNonceBytes));
}

}  // namespace mailstead::sasl::scram
