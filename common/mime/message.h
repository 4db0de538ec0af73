// A message parsed in one pass over its bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/mime/headers.h"
#include "common/mime/parameters.h"
#include "common/mime/part_tree.h"

namespace mailstead::mime {

inline constexpr std::size_t kMaxBoundary = 200;  // bytes that are compared; RFC 2046, 5.1.1 allows 70
inline constexpr std::size_t kMaxLanguages = 32;

// What the header of a part says about its body. Of a field that is there twice the first counts.
struct PartFields {
    std::string type = "text";      // lower case
    std::string subtype = "plain";  // lower case
    std::vector<Parameter> parameters;
    std::string encoding;     // lower case, as given; empty when absent
    std::string disposition;  // lower case; empty when absent
    std::vector<Parameter> disposition_parameters;
    // Raw field bodies, possibly folded: unfold() them. `data()` is null when the field is absent.
    std::string_view id;
    std::string_view description;
    std::string_view md5;
    std::string_view language;
    std::string_view location;

    bool is(std::string_view other_type, std::string_view other_subtype) const {
        return type == other_type && subtype == other_subtype;
    }
    // A parameter of the content type by its lower-case name; the extended one where both exist; nullptr when
    // absent.
    const std::string* parameter(std::string_view name) const;
    // The file name that the part suggests, in UTF-8, encoded words decoded; empty when it suggests none.
    std::string file_name() const;
};

// The tags of Content-Language (RFC 3282), at most kMaxLanguages.
std::vector<std::string> parse_languages(std::string_view body);

// Keeps views into the bytes it was made from, which must outlive it.
//
// Never fails; what is malformed is read as Dovecot reads it in practice:
// - a boundary line need only begin with the boundary (RFC 2046, 5.1.1); among nested boundaries the longest
// that fits wins;
// - a missing end boundary: the part ends at an outer boundary or at the end of the message;
// - a boundary inside a header ends that header and its part;
// - a multipart without boundary parameter, or in which no part was found, is text/plain;
// - a multipart or message nested deeper than kMaxDepth, or past kMaxParts, is application/octet-stream, and
// boundaries in it
//   stand for themselves.
// Time is linear in the size of the message.
class Message {
public:
    static Message parse(std::string_view bytes);

    std::string_view bytes() const { return bytes_; }
    const PartTree& tree() const { return tree_; }
    const Part& part(PartIndex i) const { return tree_[i]; }
    const PartFields& fields(PartIndex i) const { return fields_[i]; }
    std::size_t size() const { return tree_.size(); }

    // The header of a part, blank line included, and its body in its transfer encoding.
    std::string_view header(PartIndex i) const;
    std::string_view body(PartIndex i) const;
    std::string_view view(ByteRange range) const;

    // Whether every byte of the message is ASCII.
    bool is_ascii() const { return is_ascii_; }
    // Whether some line of the message ends in LF alone: IMAP and SMTP want to_crlf() first
    // (transfer_encoding.h).
    bool has_bare_lf() const { return has_bare_lf_; }

private:
    friend class MessageParser;
    std::string_view bytes_;
    PartTree tree_;
    std::vector<PartFields> fields_;
    bool is_ascii_ = true;
    bool has_bare_lf_ = false;
};

}  // namespace mailstead::mime
