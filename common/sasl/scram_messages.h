// The messages of SCRAM (RFC 5802, 7), taken apart and put together, and the two proofs. For server and
// client alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/sasl/exchange.h"

namespace mailstead::sasl::scram {

enum class BindingFlag {
    unsupported,  // n: the client cannot bind
    unused,       // y: it can, but believes that the server cannot
    required,     // p=...
};

struct ClientFirst {
    BindingFlag flag = BindingFlag::unsupported;
    std::string_view binding_name;  // after "p="
    std::string authzid;            // decoded; empty for none
    std::string_view gs2_header;    // as it came, with both commas
    std::string_view bare;          // what the proof covers
    std::string username;           // decoded
    std::string_view nonce;
};
// Views point into `message`.
Parsed<ClientFirst> parse_client_first(std::string_view message);

struct ClientFinal {
    std::string binding;  // base64 undone
    std::string_view nonce;
    std::string proof;  // base64 undone
    std::string_view without_proof;
};
Parsed<ClientFinal> parse_client_final(std::string_view message);

struct ServerFirst {
    std::string_view nonce;
    std::string salt;
    std::uint32_t iterations = 0;
};
// Refuses counts above 10,000,000: they would keep the client busy for a server's pleasure.
Parsed<ServerFirst> parse_server_first(std::string_view message);

// "=" and "," become "=3D" and "=2C".
std::string encode_name(std::string_view name);
// saslname = 1*(value-safe-char / "=2C" / "=3D"), undone; nullopt when it is none.
std::optional<std::string> decode_name(std::string_view name);

// The bytes that a client bound by `name`; empty when the connection does not have them.
std::string_view binding_data(const ChannelBindings& bindings, std::string_view name);

// client-first-bare "," server-first "," client-final-without-proof
std::string auth_message(std::string_view client_first_bare, std::string_view server_first,
                         std::string_view without_proof);

std::string hmac_sha256(std::string_view key, std::string_view message);
std::string sha256(std::string_view message);
// Whether H(ClientProof XOR HMAC(StoredKey, AuthMessage)) is StoredKey.
bool proof_holds(std::string_view proof, std::string_view stored_key, std::string_view message);
std::string exclusive_or(std::string_view a, std::string_view b);

// 24 bytes of randomness as base64: printable, without a comma.
std::string make_nonce();

}  // namespace mailstead::sasl::scram
