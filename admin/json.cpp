#include "admin/json.h"

#include <cstdio>

#include "common/base/text.h"

namespace mailstead::admin {

void JsonWriter::separate() {
    if (!first_ && !after_key_) out_ += ',';
    first_ = false;
    after_key_ = false;
}

JsonWriter& JsonWriter::open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
    return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
    out_ += bracket;
    first_ = false;
    return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
    separate();
    quote(name);
    out_ += ':';
    after_key_ = true;
    return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
    separate();
    quote(text);
    return *this;
}

JsonWriter& JsonWriter::value(std::uint64_t number) {
    separate();
    out_ += std::to_string(number);
    return *this;
}

JsonWriter& JsonWriter::value(bool yes) {
    separate();
    out_ += yes ? "true" : "false";
    return *this;
}

JsonWriter& JsonWriter::value(const std::vector<std::string>& texts) {
    array_begin();
    for (const std::string& text : texts) value(text);
    return array_end();
}

JsonWriter& JsonWriter::null() {
    separate();
    out_ += "null";
    return *this;
}

// string = quotation-mark *char quotation-mark   (RFC 8259, 7)
void JsonWriter::quote(std::string_view text) {
    const bool is_utf8 = text::is_utf8(text);
    out_ += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out_ += '\\';
            out_ += c;
        } else if (byte < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
            out_ += escape;
        } else if (byte >= 0x80 && !is_utf8) {
            out_ += "\\ufffd";
        } else {
            out_ += c;
        }
    }
    out_ += '"';
}

}  // namespace mailstead::admin
