// The header of a message or body part as a sequence of fields. Nothing is copied: fields are views into the
// bytes given.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mailstead::mime {

// Fields past these bounds are not reported; the end of the header is still found.
inline constexpr std::size_t kMaxHeaderFields = 10'000;
inline constexpr std::size_t kMaxHeaderBytes = 4 * 1024 * 1024;
// What `HeaderField::value` gives at most, in bytes.
inline constexpr std::size_t kMaxFieldValue = 256 * 1024;

struct HeaderField {
    std::string_view name;  // as spelled, without the colon and blanks before it
    std::string_view body;  // all after the colon, folds included, without the last line end
    std::string_view raw;   // the whole field with its last line end, as DKIM signs it

    // Whether the field has this name, case aside.
    bool is(std::string_view other) const;
    // The body unfolded and without blanks around it.
    std::string value() const;
};

// Removes line ends and the blanks around the whole; the blanks of a fold stay (RFC 5322, 2.2.3). At most
// `limit` bytes.
std::string unfold(std::string_view body, std::size_t limit = kMaxFieldValue);

// Walks the fields from the first byte of `bytes` to the blank line or the end, whichever is first. Takes
// CRLF and bare LF, also mixed. A line that is neither a field nor a continuation (a Unix "From " line, a
// field without colon) is skipped with its continuations, as Dovecot does: it does not end the header.
class HeaderReader {
public:
    explicit HeaderReader(std::string_view bytes) : bytes_(bytes) {}

    // The next field; nullopt at the end of the header.
    std::optional<HeaderField> next();
    // Once next() has given nullopt: where the body begins, after the blank line; the size of `bytes` when
    // there is no blank line.
    std::size_t end() const { return at_; }

private:
    std::string_view bytes_;
    std::size_t at_ = 0;
    std::size_t count_ = 0;
    bool done_ = false;
};

// How many of the first bytes of `message` are its header, blank line included.
std::size_t header_size(std::string_view message);

// The first, or last, field of this name. Takes a message or a header.
std::optional<HeaderField> find_field(std::string_view message, std::string_view name);
std::optional<HeaderField> find_last_field(std::string_view message, std::string_view name);
// The unfolded value of the first field of this name.
std::optional<std::string> find_value(std::string_view message, std::string_view name);

// The fields with the given names, or with any other name, each with its line ends, then the blank line that
// ends the header, unless the header has none (RFC 9051, 6.4.5.1: HEADER.FIELDS and HEADER.FIELDS.NOT).
enum class FieldSelection { only_these, all_but_these };
std::string select_fields(std::string_view header, std::span<const std::string> names,
                          FieldSelection selection);

}  // namespace mailstead::mime
