#include "common/mime/parameters.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "common/base/text.h"
#include "common/mime/charset.h"

namespace mailstead::mime {
namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxMainValue = 255;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// One parameter as written; `order` is its place among all.
struct RawParameter {
    std::string base;  // lower case, up to the first "*"
    std::string value;
    std::uint32_t section = 0;
    std::uint32_t order = 0;
    bool starred = false;  // part of an RFC 2231 form
    bool encoded = false;  // percent-encoded
};

class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    bool at_end() const { return at_ >= text_.size(); }
    char peek() const { return text_[at_]; }
    void skip() { ++at_; }

    // CFWS, and the semicolons that some senders double.
    void skip_blanks(bool semicolons) {
        while (!at_end()) {
            if (is_blank(peek()) || (semicolons && peek() == ';')) {
                skip();
            } else if (peek() == '(') {
                skip_comment();
            } else {
                return;
            }
        }
    }

    // type "/" subtype, or a token; blanks around "/" dropped.
    std::string read_main_value() {
        std::string out;
        skip_blanks(false);
        while (!at_end() && peek() != ';') {
            if (is_blank(peek()) || peek() == '(') {
                skip_blanks(false);
                const bool around_slash = !at_end() && (peek() == '/' || out.ends_with('/'));
                if (!around_slash) break;
                continue;
            }
            if (peek() != '"' && out.size() < kMaxMainValue) out += text::to_lower(peek());
            skip();
        }
        return out;
    }

    std::string read_name() {
        std::string out;
        while (!at_end() && peek() != '=' && peek() != ';' && !is_blank(peek()) && peek() != '(') {
            if (out.size() < kMaxName) out += text::to_lower(peek());
            skip();
        }
        return out;
    }

    std::string read_value() {
        skip_blanks(false);
        if (at_end()) return {};
        return peek() == '"' ? read_quoted() : read_bare();
    }

private:
    void skip_comment() {
        int depth = 0;
        while (!at_end()) {
            const char c = peek();
            skip();
            if (c == '\\' && !at_end()) {
                skip();
            } else if (c == '(') {
                ++depth;
            } else if (c == ')' && --depth == 0) {
                return;
            }
        }
    }

    std::string read_quoted() {
        std::string out;
        skip();
        while (!at_end()) {
            char c = peek();
            skip();
            if (c == '"') break;
            if (c == '\\' && !at_end()) {
                c = peek();
                skip();
            }
            if (c != '\r' && c != '\n' && out.size() < kMaxParameterValue) out += c;
        }
        return out;
    }

    // A token; blanks inside are taken for part of it (`name=my file.pdf`), unless a comment or another
    // parameter follows.
    std::string read_bare() {
        std::string out;
        while (!at_end() && peek() != ';') {
            if (is_blank(peek())) {
                const std::size_t before = at_;
                while (!at_end() && is_blank(peek())) skip();
                if (at_end() || peek() == ';' || peek() == '(' || parameter_follows()) break;
                if (text_.substr(before, at_ - before).find('\n') != std::string_view::npos) break;
                if (out.size() < kMaxParameterValue) out += ' ';
                continue;
            }
            if (out.size() < kMaxParameterValue) out += peek();
            skip();
        }
        return out;
    }

    bool parameter_follows() const {
        const std::size_t end = text_.find_first_of("=; \t\r\n", at_);
        return end != std::string_view::npos && end > at_ && text_[end] == '=';
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

// attribute ["*" section] ["*"]   (RFC 2231, 7)
RawParameter make_raw(std::string name, std::string value, std::size_t order) {
    RawParameter raw;
    raw.order = static_cast<std::uint32_t>(order);
    raw.value = std::move(value);
    const std::size_t star = name.find('*');
    std::string_view rest = std::string_view(name).substr(std::min(star, name.size()));
    if (rest.empty() || star == 0) {
        raw.base = std::move(name);
        return raw;
    }
    rest.remove_prefix(1);
    const bool encoded = rest.empty() || rest.ends_with('*');
    if (rest.ends_with('*')) rest.remove_suffix(1);
    const auto section =
        rest.empty() ? std::optional<std::uint32_t>(0) : text::parse_number<std::uint32_t>(rest);
    if (!section) {
        raw.base = std::move(name);
        return raw;
    }
    raw.section = *section;
    raw.starred = true;
    raw.encoded = encoded;
    name.resize(star);
    raw.base = std::move(name);
    return raw;
}

int hex_digit(char c) {
    if (text::is_digit(c)) return c - '0';
    const char folded = text::to_lower(c);
    return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

void append_percent_decoded(std::string_view s, std::string& out) {
    for (std::size_t i = 0; i < s.size(); ++i) {
        const int high = s[i] == '%' && i + 2 < s.size() ? hex_digit(s[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(s[i + 2]) : -1;
        if (low >= 0) {
            out += static_cast<char>(high << 4 | low);
            i += 2;
        } else {
            out += s[i];
        }
    }
}

// [charset] "'" [language] "'" before an encoded first section; left alone when it is missing.
std::string_view take_charset(std::string_view& value) {
    const std::size_t first = value.find('\'');
    const std::size_t second = first == std::string_view::npos ? first : value.find('\'', first + 1);
    if (second == std::string_view::npos) return {};
    const std::string_view charset = value.substr(0, first);
    value.remove_prefix(second + 1);
    return charset;
}

using RawIterator = std::vector<RawParameter>::iterator;

// The sections 0, 1, 2... of one name; what follows a gap is lost (RFC 2231, 3: numbers start at 0 and have
// no gaps).
Parameter join_sections(RawIterator begin, RawIterator end) {
    Parameter joined{begin->base, {}, false};
    std::string_view charset;
    std::uint32_t expected = 0;
    for (RawIterator raw = begin; raw != end && raw->section <= expected; ++raw) {
        if (raw->section < expected) continue;  // a number given twice: the first counts
        std::string_view value = raw->value;
        if (raw->encoded) {
            if (expected == 0) charset = take_charset(value);
            append_percent_decoded(value, joined.value);
            joined.extended = true;
        } else {
            joined.value.append(value);
        }
        ++expected;
    }
    if (joined.extended) joined.value = to_utf8(joined.value, charset, kMaxParameterValue);
    if (joined.value.size() > kMaxParameterValue) joined.value.resize(kMaxParameterValue);
    return joined;
}

// RFC 2231, 3 and 4. Sorting brings the sections of a name together whatever their order and number, in n log
// n.
std::vector<Parameter> join_all(std::vector<RawParameter> raws) {
    std::stable_sort(raws.begin(), raws.end(), [](const RawParameter& a, const RawParameter& b) {
        if (a.starred != b.starred) return b.starred;
        if (!a.starred) return a.order < b.order;
        if (const int names = a.base.compare(b.base); names != 0) return names < 0;
        return a.section < b.section;
    });
    std::vector<std::pair<std::uint32_t, Parameter>> ordered;
    for (RawIterator raw = raws.begin(); raw != raws.end();) {
        RawIterator end = raw + 1;
        if (!raw->starred) {
            ordered.emplace_back(raw->order, Parameter{std::move(raw->base), std::move(raw->value), false});
        } else {
            while (end != raws.end() && end->base == raw->base) ++end;
            ordered.emplace_back(raw->order, join_sections(raw, end));
        }
        raw = end;
    }
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Parameter> out;
    out.reserve(ordered.size());
    for (auto& [order, parameter] : ordered) out.push_back(std::move(parameter));
    return out;
}

}  // namespace

const std::string* find_parameter(const std::vector<Parameter>& parameters, std::string_view name) {
    const std::string* found = nullptr;
    for (const Parameter& parameter : parameters) {
        if (parameter.name != name) continue;
        if (parameter.extended) return &parameter.value;
        if (found == nullptr) found = &parameter.value;
    }
    return found;
}

ParameterizedValue parse_parameterized(std::string_view body) {
    ParameterizedValue out;
    Scanner scanner(body);
    out.value = scanner.read_main_value();
    std::vector<RawParameter> raws;
    bool any_starred = false;
    while (raws.size() < kMaxParameters) {
        scanner.skip_blanks(true);
        if (scanner.at_end()) break;
        std::string name = scanner.read_name();
        scanner.skip_blanks(false);
        if (scanner.at_end() || scanner.peek() != '=') continue;
        scanner.skip();
        std::string value = scanner.read_value();
        if (name.empty()) continue;
        raws.push_back(make_raw(std::move(name), std::move(value), raws.size()));
        any_starred = any_starred || raws.back().starred;
    }
    if (any_starred) {
        out.parameters = join_all(std::move(raws));
        return out;
    }
    out.parameters.reserve(raws.size());
    for (RawParameter& raw : raws)
        out.parameters.push_back({std::move(raw.base), std::move(raw.value), false});
    return out;
}

}  // namespace mailstead::mime
