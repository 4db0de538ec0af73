// The macro language of SPF (RFC 7208, 7).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/dns/records.h"

namespace mailstead::mailauth {

// %{c}, %{r} and %{t} are for the text of an explanation only (RFC 7208, 7.2).
enum class MacroUse : std::uint8_t { domain, explanation };

struct MacroValues {
    std::string_view local_part;     // l
    std::string_view sender_domain;  // o
    std::string_view domain;         // d: whose record is being evaluated
    std::string_view helo;           // h
    std::string_view receiver;       // r
    std::string_view client_name;    // p: confirmed, or `unknown`
    dns::IpAddress client;           // i, v, c
    Time now{};                      // t
};

// macro-string = *( macro-expand / macro-literal ): whether the syntax holds. Spaces are taken in
// explanations only.
bool is_macro_string(std::string_view text, MacroUse use);
// domain-spec = macro-string domain-end
bool is_domain_spec(std::string_view text);
// Whether %{p} occurs, for which names must be looked up first.
bool mentions_client_name(std::string_view text);

// The expansion; nullopt for wrong syntax or more than 8 KiB.
std::optional<std::string> expand_macros(std::string_view text, const MacroValues& values, MacroUse use);
// The expansion as a name to look up: cut from the left to 253 bytes, without a final dot (RFC 7208, 7.3).
// nullopt also if what comes out cannot be asked for.
std::optional<std::string> expand_domain(std::string_view text, const MacroValues& values);

}  // namespace mailstead::mailauth
