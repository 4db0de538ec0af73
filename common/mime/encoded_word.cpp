#include "common/mime/encoded_word.h"

#include <algorithm>
#include <optional>

#include "common/base/base64.h"
#include "common/base/text.h"
#include "common/mime/charset.h"
#include "common/mime/transfer_encoding.h"
#include "common/mime/utf8.h"

namespace mailstead::mime {
namespace {

constexpr std::size_t kMaxCharsetName = 64;

struct EncodedWord {
    std::string_view charset;
    char encoding = 'q';  // lower case
    std::string_view text;
    std::size_t end = 0;  // after "?="
};

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool all_blank(std::string_view s) {
    return std::all_of(s.begin(), s.end(), is_blank);
}

class Decoder {
public:
    Decoder(std::string_view text, std::size_t limit) : text_(text), limit_(limit) {}

    std::string run() {
        std::size_t plain = 0;  // where text that is no encoded word begins
        std::size_t at = 0;
        while (out_.size() < limit_ && (at = text_.find("=?", at)) != std::string_view::npos) {
            const auto word = word_at(at);
            if (!word) {
                at += 2;
                continue;
            }
            put_plain(text_.substr(plain, at - plain), true);
            put_word(*word);
            plain = at = word->end;
        }
        if (out_.size() < limit_) put_plain(text_.substr(plain), false);
        flush();
        cut_utf8(out_, limit_);
        return std::move(out_);
    }

private:
    // encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="   (RFC 2047, 2; RFC 2231,
    // 5)
    std::optional<EncodedWord> word_at(std::size_t at) {
        const std::size_t charset = at + 2;
        const std::size_t mark = text_.substr(charset, kMaxCharsetName).find('?');
        if (mark == std::string_view::npos || mark == 0) return std::nullopt;
        const std::size_t encoding = charset + mark + 1;
        if (encoding + 1 >= text_.size() || text_[encoding + 1] != '?') return std::nullopt;
        EncodedWord word;
        word.charset = text_.substr(charset, mark);
        word.charset = word.charset.substr(0, word.charset.find('*'));
        word.encoding = text::to_lower(text_[encoding]);
        if (word.encoding != 'q' && word.encoding != 'b') return std::nullopt;
        const std::size_t begin = encoding + 2;
        const std::size_t end = end_mark(begin);
        if (end == std::string_view::npos) return std::nullopt;
        word.text = text_.substr(begin, end - begin);
        word.end = end + 2;
        return word;
    }

    // The first "?=" from `at` on; remembered, so that many openings with one end cost one search.
    std::size_t end_mark(std::size_t at) {
        if (end_mark_ != std::string_view::npos && end_mark_ < at) end_mark_ = text_.find("?=", at);
        return end_mark_;
    }

    // Text outside of words; blanks between two words are not text (RFC 2047, 6.2).
    void put_plain(std::string_view s, bool before_word) {
        if (s.empty() || (before_word && after_word_ && all_blank(s))) return;
        flush();
        after_word_ = false;
        if (s.find_first_of("\r\n") == std::string_view::npos) {
            out_ += to_utf8(s);
            return;
        }
        std::string unfolded;
        for (const char c : s) {
            if (c != '\r' && c != '\n') unfolded += c;
        }
        out_ += to_utf8(unfolded);
    }

    void put_word(const EncodedWord& word) {
        if (!text::iequals(word.charset, charset_)) flush();
        charset_.assign(word.charset);
        after_word_ = true;
        if (word.encoding == 'b') {
            pending_ += decode_transfer(word.text, TransferEncoding::base64);
        } else {
            put_q(word.text);
        }
        if (pending_.size() > limit_) flush();
    }

    // RFC 2047, 4.2
    void put_q(std::string_view s) {
        for (std::size_t i = 0; i < s.size(); ++i) {
            const auto byte =
                s[i] == '=' && s.size() - i > 2 ? text::unhex(s.substr(i + 1, 2)) : std::nullopt;
            if (byte) {
                pending_ += *byte;
                i += 2;
            } else if (s[i] != '\r' && s[i] != '\n') {
                pending_ += s[i] == '_' ? ' ' : s[i];
            }
        }
    }

    void flush() {
        if (!pending_.empty()) out_ += to_utf8(pending_, charset_, limit_);
        pending_.clear();
    }

    std::string_view text_;
    std::size_t limit_;
    std::size_t end_mark_ = 0;
    std::string out_;
    std::string pending_;  // bytes of adjacent words in charset_
    std::string charset_;
    bool after_word_ = false;
};

// What a Q word may hold as it is: in a phrase only a few characters (RFC 2047, 5 (3)), elsewhere what is
// printable (4.2).
bool is_bare_in_q(char c, WordPlace place) {
    if (text::is_alpha(c) || text::is_digit(c)) return true;
    if (place == WordPlace::phrase) return c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
    return c > ' ' && c < 0x7F && c != '=' && c != '?' && c != '_';
}

std::size_t q_size(std::string_view s, WordPlace place) {
    std::size_t size = 0;
    for (const char c : s) size += is_bare_in_q(c, place) || c == ' ' ? 1 : 3;
    return size;
}

void append_q(std::string_view s, WordPlace place, std::string& out) {
    constexpr char kHex[] = "0123456789ABCDEF";
    for (const char c : s) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_bare_in_q(c, place)) {
            out += c;
        } else if (c == ' ') {
            out += '_';
        } else {
            out += '=';
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
}

}  // namespace

bool has_encoded_word(std::string_view text) {
    return text.find("=?") != std::string_view::npos;
}

std::string decode_encoded_words(std::string_view text, std::size_t limit) {
    return Decoder(text, limit).run();
}

std::string encode_words(std::string_view utf8, WordPlace place) {
    if (is_all_ascii(utf8) && !has_encoded_word(utf8)) return std::string(utf8);
    constexpr std::size_t kPayload = 75 - 12;  // RFC 2047, 2: 75 characters, "=?utf-8?Q?" and "?=" taken off
    const std::string clean = to_utf8(utf8);
    const std::string_view all = clean;
    const bool q = q_size(all, place) <= (all.size() + 2) / 3 * 4;
    std::string out;
    const auto put_word = [&](std::string_view s) {
        out += out.empty() ? "" : " ";
        out += q ? "=?utf-8?Q?" : "=?utf-8?B?";
        if (q) {
            append_q(s, place, out);
        } else {
            out += base64_encode(s);
        }
        out += "?=";
    };
    std::size_t begin = 0;
    std::size_t q_used = 0;
    for (std::size_t at = 0; at < all.size();) {
        const std::size_t start = at;
        next_character(all, at);
        const std::size_t q_added = q_size(all.substr(start, at - start), place);
        if ((q ? q_used + q_added : (at - begin + 2) / 3 * 4) > kPayload) {
            put_word(all.substr(begin, start - begin));
            begin = start;
            q_used = 0;
        }
        q_used += q_added;
    }
    if (begin < all.size()) put_word(all.substr(begin));
    return out;
}

}  // namespace mailstead::mime
