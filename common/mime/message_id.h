// Message ids and base subjects: what SORT and THREAD work on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mailstead::mime {

inline constexpr std::size_t kMaxMessageIds = 1'000;  // of one References field; the last ones are kept
inline constexpr std::size_t kMaxMessageIdLength = 998;

// The ids of a Message-ID, In-Reply-To or References field, without angle brackets, quoting removed (RFC
// 5256, 5: ids are compared after that), blanks inside them dropped. Text between ids is skipped. `body` may
// be folded.
std::vector<std::string> parse_message_ids(std::string_view body);
// The first of them; empty when there is none.
std::string first_message_id(std::string_view body);

struct BaseSubject {
    std::string text;  // UTF-8
    bool is_reply_or_forward =
        false;  // something that marks a reply or a forward was removed (RFC 5256, 3, REFERENCES, 5)
};
// RFC 5256, 2.1. `subject` is the raw field body.
BaseSubject base_subject(std::string_view subject);

}  // namespace mailstead::mime
