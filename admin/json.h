// JSON (RFC 8259) written in one go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mailstead::admin {

// Calls come in the order of the text: object_begin, key, value, ..., object_end. Bytes that are not UTF-8
// become U+FFFD.
class JsonWriter {
public:
    JsonWriter& object_begin() { return open('{'); }
    JsonWriter& object_end() { return close('}'); }
    JsonWriter& array_begin() { return open('['); }
    JsonWriter& array_end() { return close(']'); }
    JsonWriter& key(std::string_view name);
    JsonWriter& value(std::string_view text);
    JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
    JsonWriter& value(const char* text) { return value(std::string_view(text)); }
    JsonWriter& value(std::uint64_t number);
    JsonWriter& value(bool yes);
    JsonWriter& value(const std::vector<std::string>& texts);
    JsonWriter& null();

    template <class Value>
    JsonWriter& member(std::string_view name, const Value& member_value) {
        return key(name).value(member_value);
    }

    const std::string& text() const { return out_; }

private:
    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    void separate();
    void quote(std::string_view text);

    std::string out_;
    bool first_ = true;  // of the object or array we are in
    bool after_key_ = false;
};

}  // namespace mailstead::admin
