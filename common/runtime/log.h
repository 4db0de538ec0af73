// Structured log lines: `2026-11-22T04:05:06.789Z info event=smtp.accept peer=192.0.2.1 size=1234`.
//
// Values that come from peers are made safe by the log itself: anything but a plain word is quoted and
// escaped. Never pass passwords, SASL payloads or message bodies. Thread-safe; one write(2) per line, so that
// lines of several daemons on one terminal or file do not mix.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace mailstead::log {

enum class Level : std::uint8_t { debug, info, warning, error, off };

// `debug`, `info`, `warning`, `error`.
Parsed<Level> parse_level(std::string_view text);

// One key=value pair. Holds a view of text: build it inside the call.
class Field {
public:
    Field(std::string_view key, std::string_view text) : key_(key), text_(text), kind_(Kind::text) {}
    Field(std::string_view key, const std::string& text) : Field(key, std::string_view(text)) {}
    Field(std::string_view key, const char* text) : Field(key, std::string_view(text)) {}
    Field(std::string_view key, bool yes)
        : Field(key, yes ? std::string_view("yes") : std::string_view("no")) {}
    template <std::signed_integral Number>
    Field(std::string_view key, Number number)
        : key_(key), number_(static_cast<std::uint64_t>(number)), kind_(Kind::signed_number) {}
    template <std::unsigned_integral Number>
    Field(std::string_view key, Number number) : key_(key), number_(number), kind_(Kind::unsigned_number) {}

    void append_to(std::string& line) const;

private:
    enum class Kind : std::uint8_t { text, signed_number, unsigned_number };
    std::string_view key_;
    std::string_view text_;
    std::uint64_t number_ = 0;
    Kind kind_;
};

// Before threads start: which lines are written, and who says so. Until then those of level info.
void set_level(Level level, std::string_view program);
// Before threads start, as the user who is to write it: a file instead of standard error; nothing when `path`
// is empty. Its name is not followed if it is a link, and a new one is made readable and writable for its
// group, in which the daemons meet. An error, permanent: it cannot be opened, or it is no file (nor a
// terminal, nor /dev/null).
Result<void> open(const std::string& path);
// Opens the file again under its name (after rotation); keeps the old one on failure.
void reopen();

// Whether lines of that level are written: ask before computing costly fields.
bool enabled(Level level);
void write(Level level, std::string_view event, std::initializer_list<Field> fields);

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
    if (enabled(Level::debug)) write(Level::debug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
    if (enabled(Level::info)) write(Level::info, event, fields);
}
inline void warning(std::string_view event, std::initializer_list<Field> fields = {}) {
    if (enabled(Level::warning)) write(Level::warning, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
    if (enabled(Level::error)) write(Level::error, event, fields);
}

}  // namespace mailstead::log
