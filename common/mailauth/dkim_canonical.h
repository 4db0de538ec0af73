// Canonical forms of header fields and bodies (RFC 6376, 3.4), and SHA-256 over them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dkim.h"
#include "common/mime/headers.h"

namespace mailstead::mailauth {

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(std::string_view bytes);
    // The digest, 32 bytes; the object is spent.
    std::string finish();

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

// Appends the field in canonical form, with its CRLF, to `out`.
void append_canonical(std::string& out, const mime::HeaderField& field, Canonicalization form);

// The value of a DKIM-Signature field body with the value of its b= tag removed (RFC 6376, 3.7).
std::string without_signature_value(std::string_view body);

// The fields of one header, found by name from the last to the first as h= asks for them (RFC 6376, 5.4.2).
// Keeps views into the header.
class FieldIndex {
public:
    explicit FieldIndex(std::string_view header);

    const std::vector<mime::HeaderField>& fields() const { return fields_; }
    // The places of all fields with this name (any case), first to last.
    const std::vector<std::size_t>& find(std::string_view name) const;

    // Feeds the fields that `names` select, but never the one at `self`, to `out` in canonical form.
    void append_selected(std::string& out, const std::vector<std::string>& names,
                         std::optional<std::size_t> self, Canonicalization form) const;

private:
    struct Named {
        std::string name;  // lower case
        std::vector<std::size_t> places;
    };
    const Named* find_named(std::string_view lower_name) const;

    std::vector<mime::HeaderField> fields_;
    std::vector<Named> named_;  // sorted by name
};

// Hashes a body in one canonical form as it streams by: for the whole and for the first so many octets as
// some l= say.
class BodyHasher {
public:
    explicit BodyHasher(Canonicalization form) : form_(form) {}

    // Before the first update: the number under which the hash for this l= is had afterwards. Equal limits
    // share one hash.
    std::size_t want(std::optional<std::uint64_t> limit);
    Canonicalization form() const { return form_; }

    void update(std::string_view chunk);
    void finish();

    // After finish().
    const std::string& hash(std::size_t number) const { return digests_[number]; }
    // Octets of the canonical body.
    std::uint64_t size() const { return size_; }

private:
    struct Output {
        std::optional<std::uint64_t> limit;
        Sha256 sha;
    };
    void simple(std::string_view chunk);
    void relaxed(std::string_view chunk);
    void emit(std::string_view bytes);
    void emit_held_line_ends();
    void put(std::string_view bytes);
    void flush_buffer();
    void hash_now(std::string_view bytes);

    Canonicalization form_;
    std::vector<Output> outputs_;
    std::vector<std::string> digests_;
    std::uint64_t size_ = 0;
    std::uint64_t held_line_ends_ = 0;  // CRLFs that count only if something follows them
    bool held_cr_ = false;              // a CR whose LF has not been seen yet
    bool held_blank_ = false;           // blanks that count only if something follows them in the line
    bool any_content_ = false;
    std::string buffer_;
};

}  // namespace mailstead::mailauth
