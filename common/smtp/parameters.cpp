#include "common/smtp/parameters.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/smtp/xtext.h"

namespace mailstead::smtp {

std::string_view to_string(BodyType body) {
    switch (body) {
        case BodyType::seven_bit:
            return "7BIT";
        case BodyType::eight_bit_mime:
            return "8BITMIME";
        case BodyType::binary_mime:
            return "BINARYMIME";
    }
    return "8BITMIME";
}

std::optional<BodyType> parse_body_type(std::string_view text) {
    for (const BodyType type : {BodyType::seven_bit, BodyType::eight_bit_mime, BodyType::binary_mime}) {
        if (text::iequals(text, to_string(type))) return type;
    }
    return std::nullopt;
}

std::string_view to_string(DsnReturn ret) {
    return ret == DsnReturn::full ? "FULL" : "HDRS";
}

std::optional<DsnReturn> parse_dsn_return(std::string_view text) {
    if (text::iequals(text, "FULL")) return DsnReturn::full;
    if (text::iequals(text, "HDRS")) return DsnReturn::headers;
    return std::nullopt;
}

std::uint8_t Notify::bits() const {
    return static_cast<std::uint8_t>((success ? 1 : 0) | (failure ? 2 : 0) | (delay ? 4 : 0));
}

Notify Notify::from_bits(std::uint8_t bits) {
    return {.success = (bits & 1) != 0, .failure = (bits & 2) != 0, .delay = (bits & 4) != 0};
}

std::string to_string(const Notify& notify) {
    if (notify.never()) return "NEVER";
    std::string out;
    const auto add = [&out](bool wanted, std::string_view name) {
        if (!wanted) return;
        if (!out.empty()) out += ',';
        out += name;
    };
    add(notify.success, "SUCCESS");
    add(notify.failure, "FAILURE");
    add(notify.delay, "DELAY");
    return out;
}

// notify-esmtp-value = "NEVER" / 1#notify-list-element   (RFC 3461, 4.1)
std::optional<Notify> parse_notify(std::string_view text) {
    if (text::iequals(text, "NEVER")) return Notify{};
    Notify notify;
    while (!text.empty()) {
        const std::string_view word = text::next_field(text, ',');
        if (text::iequals(word, "SUCCESS")) {
            notify.success = true;
        } else if (text::iequals(word, "FAILURE")) {
            notify.failure = true;
        } else if (text::iequals(word, "DELAY")) {
            notify.delay = true;
        } else {
            return std::nullopt;
        }
    }
    if (notify.never()) return std::nullopt;
    return notify;
}

// addr-type = atom
static bool is_address_type(std::string_view type) {
    const auto legal = [](char c) { return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_'; };
    return !type.empty() && type.size() <= 32 && std::all_of(type.begin(), type.end(), legal);
}

bool is_printable(std::string_view decoded) {
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    return std::none_of(decoded.begin(), decoded.end(), control);
}

// RFC 3461, 4.2: at most 500 characters.
static constexpr std::size_t kMaxOriginalRecipient = 500;

std::optional<OriginalRecipient> parse_original_recipient(std::string_view text) {
    const std::size_t semicolon = text.find(';');
    if (text.size() > kMaxOriginalRecipient || semicolon == std::string_view::npos) return std::nullopt;
    const std::string_view value = text.substr(semicolon + 1);
    if (!is_address_type(text.substr(0, semicolon)) || value.empty()) return std::nullopt;
    std::string type = text::lower(text.substr(0, semicolon));
    auto decoded = type == "utf-8" ? decode_utf8_address(value) : decode_xtext(value);
    if (!decoded || decoded->empty() || !is_printable(*decoded)) return std::nullopt;
    OriginalRecipient original{.type = std::move(type), .address = *std::move(decoded)};
    // Kept and passed on with escapes, which are longer than the UTF-8 that came: it must fit that way as
    // well.
    if (to_string(original).size() > kMaxOriginalRecipient) return std::nullopt;
    return original;
}

std::string to_string(const OriginalRecipient& original) {
    return original.type + ";" +
           (original.type == "utf-8" ? encode_utf8_address(original.address)
                                     : encode_xtext(original.address));
}

}  // namespace mailstead::smtp
