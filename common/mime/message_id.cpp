#include "common/mime/message_id.h"

#include "common/base/text.h"
#include "common/mime/encoded_word.h"

namespace mailstead::mime {
namespace {

constexpr std::size_t kMaxSubject = 4096;  // removing prefixes may look at each of them again

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Takes the next `<...>` off `rest`; false at the end. A "<" inside begins anew: the one before was not
// closed.
bool take_id(std::string_view& rest, std::string& id) {
    const std::size_t open = rest.find('<');
    if (open == std::string_view::npos) return false;
    rest.remove_prefix(open + 1);
    id.clear();
    bool in_quotes = false;
    for (std::size_t i = 0; i < rest.size(); ++i) {
        const char c = rest[i];
        if (c == '"') {
            in_quotes = !in_quotes;
        } else if (c == '\\' && in_quotes && i + 1 < rest.size()) {
            id += rest[++i];
        } else if (c == '>' && !in_quotes) {
            rest.remove_prefix(i + 1);
            return true;
        } else if (c == '<' && !in_quotes) {
            id.clear();
        } else if (!is_blank(c)) {
            id += c;
        }
    }
    rest = {};
    return false;
}

// An id without its angle brackets, as some senders write it: one word with "@" in it.
std::string_view bare_id(std::string_view body) {
    body = text::trim(body);
    const bool one_word = body.find_first_of(" \t\r\n<>") == std::string_view::npos;
    return one_word && body.find('@') != std::string_view::npos ? body : std::string_view{};
}

}  // namespace

std::vector<std::string> parse_message_ids(std::string_view body) {
    std::vector<std::string> ids;
    std::string id;
    std::string_view rest = body;
    while (take_id(rest, id)) {
        if (id.empty() || id.size() > kMaxMessageIdLength) continue;
        ids.push_back(id);
        // The last ids are the nearest relations. Dropping half at a time keeps this linear.
        if (ids.size() >= 2 * kMaxMessageIds)
            ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(kMaxMessageIds));
    }
    if (ids.size() > kMaxMessageIds)
        ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(kMaxMessageIds));
    const std::string_view bare = ids.empty() ? bare_id(body) : std::string_view{};
    if (!bare.empty() && bare.size() <= kMaxMessageIdLength) ids.emplace_back(bare);
    return ids;
}

std::string first_message_id(std::string_view body) {
    std::string id;
    std::string_view rest = body;
    while (take_id(rest, id)) {
        if (!id.empty() && id.size() <= kMaxMessageIdLength) return id;
    }
    return std::string(bare_id(body).substr(0, kMaxMessageIdLength));
}

namespace {

// Tabs and continuations to spaces, several spaces to one (RFC 5256, 2.1 (1)).
std::string collapsed(std::string_view s) {
    std::string out;
    for (const char c : s) {
        if (is_blank(c)) {
            if (!out.ends_with(' ')) out += ' ';
        } else {
            out += c;
        }
    }
    return out;
}

// *WSP
std::size_t blanks(std::string_view s) {
    const std::size_t n = s.find_first_not_of(' ');
    return n == std::string_view::npos ? s.size() : n;
}

// subj-blob = "[" *BLOBCHAR "]" *WSP; its length, or 0.
std::size_t blob(std::string_view s) {
    if (!s.starts_with('[')) return 0;
    const std::size_t end = s.find_first_of("[]", 1);
    if (end == std::string_view::npos || s[end] != ']') return 0;
    return end + 1 + blanks(s.substr(end + 1));
}

// subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
std::size_t refwd(std::string_view s) {
    std::size_t at = text::istarts_with(s, "fwd")                                 ? 3
                     : text::istarts_with(s, "re") || text::istarts_with(s, "fw") ? 2
                                                                                  : 0;
    if (at == 0) return 0;
    at += blanks(s.substr(at));
    at += blob(s.substr(at));
    return at < s.size() && s[at] == ':' ? at + 1 : 0;
}

class BaseSubjectFinder {
public:
    explicit BaseSubjectFinder(std::string_view s) : s_(s) {}

    // RFC 5256, 2.1, steps (2) to (6).
    BaseSubject run() {
        do {
            remove_trailers();
            while (remove_leader() || remove_blob()) {
            }
        } while (remove_forward_frame());
        return {std::string(s_), marked_};
    }

private:
    // (2) subj-trailer = "(fwd)" / WSP
    void remove_trailers() {
        while (true) {
            if (s_.ends_with(' ')) {
                s_.remove_suffix(1);
            } else if (s_.size() >= 5 && text::iequals(s_.substr(s_.size() - 5), "(fwd)")) {
                s_.remove_suffix(5);
                marked_ = true;
            } else {
                return;
            }
        }
    }

    // (3) subj-leader = (*subj-blob subj-refwd) / WSP
    bool remove_leader() {
        if (s_.starts_with(' ')) {
            s_.remove_prefix(blanks(s_));
            return true;
        }
        std::size_t at = 0;
        while (const std::size_t n = blob(s_.substr(at))) at += n;
        const std::size_t n = refwd(s_.substr(at));
        if (n == 0) return false;
        s_.remove_prefix(at + n);
        marked_ = true;
        return true;
    }

    // (4) a blob goes when something is left.
    bool remove_blob() {
        const std::size_t n = blob(s_);
        if (n == 0 || n >= s_.size()) return false;
        s_.remove_prefix(n);
        return true;
    }

    // (6) subj-fwd = subj-fwd-hdr subject subj-fwd-trl
    bool remove_forward_frame() {
        if (!text::istarts_with(s_, "[fwd:") || !s_.ends_with(']')) return false;
        s_ = s_.substr(5, s_.size() - 6);
        marked_ = true;
        return true;
    }

    std::string_view s_;
    bool marked_ = false;
};

}  // namespace

BaseSubject base_subject(std::string_view subject) {
    const std::string text = collapsed(decode_encoded_words(subject, kMaxSubject));
    return BaseSubjectFinder(text).run();
}

}  // namespace mailstead::mime
