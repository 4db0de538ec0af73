#include "common/mailauth/dkim_canonical.h"

#include <algorithm>
#include <array>

#include <openssl/evp.h>

#include "common/base/text.h"

namespace mailstead::mailauth {
namespace {

constexpr std::size_t kBufferSize = 16 * 1024;

// The four characters at which relaxed body canonicalization has to think.
constexpr std::array<bool, 256> kSpecial = [] {
    std::array<bool, 256> table{};
    table[' '] = table['\t'] = table['\r'] = true;
    return table;
}();

// How far text that begins with content is in relaxed form already: single spaces between content, and line
// ends between content. Most bodies are so almost throughout, and go to the hash in large pieces.
const char* end_of_canonical_run(const char* at, const char* end) {
    const auto is_content = [&](const char* c) {
        return c < end && !kSpecial[static_cast<unsigned char>(*c)];
    };
    while (at != end) {
        if (!kSpecial[static_cast<unsigned char>(*at)]) {
            ++at;
        } else if (*at == ' ' && is_content(at + 1)) {
            at += 2;
        } else if (*at == '\r' && end - at > 2 && at[1] == '\n' && is_content(at + 2)) {
            at += 3;
        } else {
            break;
        }
    }
    return at;
}

bool is_fold_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// RFC 6376, 3.4.2: name in lower case, unfolded, runs of blanks as one space, none at either end.
void append_relaxed(std::string& out, const mime::HeaderField& field) {
    for (const char c : field.name) out += text::to_lower(c);
    out += ':';
    const std::size_t start = out.size();
    bool blank = false;
    for (const char c : field.body) {
        if (is_fold_blank(c)) {
            blank = true;
            continue;
        }
        if (blank && out.size() > start) out += ' ';
        blank = false;
        out += c;
    }
    out += "\r\n";
}

// As it came; a bare LF is turned to CRLF, which is what was signed when the message was still on the wire.
void append_simple(std::string& out, const mime::HeaderField& field) {
    char before = 0;
    for (const char c : field.raw) {
        if (c == '\n' && before != '\r') out += '\r';
        out += c;
        before = c;
    }
    if (!field.raw.ends_with('\n')) out += "\r\n";
}

}  // namespace

struct Sha256::Context {
    EVP_MD_CTX* md = EVP_MD_CTX_new();
    Context() { EVP_DigestInit_ex(md, fetched(), nullptr); }
    // Fetched once: EVP_sha256() makes OpenSSL search its providers each time.
    static const EVP_MD* fetched() {
        static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
        return algorithm;
    }
    ~Context() { EVP_MD_CTX_free(md); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
    EVP_DigestUpdate(context_->md, bytes.data(), bytes.size());
}

std::string Sha256::finish() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(context_->md, digest, &size) != 1) return {};
    return {reinterpret_cast<const char*>(digest), size};
}

void append_canonical(std::string& out, const mime::HeaderField& field, Canonicalization form) {
    form == Canonicalization::relaxed ? append_relaxed(out, field) : append_simple(out, field);
}

std::string without_signature_value(std::string_view body) {
    std::string out;
    std::string_view rest = body;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(';'), rest.size());
        std::string_view spec = rest.substr(0, end);
        const std::size_t equals = spec.find('=');
        if (equals != spec.npos && text::trim(spec.substr(0, equals)) == "b")
            spec = spec.substr(0, equals + 1);
        out += spec;
        if (end < rest.size()) out += ';';
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

FieldIndex::FieldIndex(std::string_view header) {
    mime::HeaderReader reader(header);
    while (auto field = reader.next()) fields_.push_back(*field);
    std::vector<std::pair<std::string, std::size_t>> pairs;
    pairs.reserve(fields_.size());
    for (std::size_t i = 0; i < fields_.size(); ++i) pairs.emplace_back(text::lower(fields_[i].name), i);
    std::sort(pairs.begin(), pairs.end());
    for (auto& [name, place] : pairs) {
        if (named_.empty() || named_.back().name != name) named_.push_back({std::move(name), {}});
        named_.back().places.push_back(place);
    }
}

const FieldIndex::Named* FieldIndex::find_named(std::string_view lower_name) const {
    const auto at =
        std::lower_bound(named_.begin(), named_.end(), lower_name,
                         [](const Named& named, std::string_view name) { return named.name < name; });
    return at == named_.end() || at->name != lower_name ? nullptr : &*at;
}

const std::vector<std::size_t>& FieldIndex::find(std::string_view name) const {
    static const std::vector<std::size_t> kNowhere;
    const Named* named = find_named(text::lower(name));
    return named == nullptr ? kNowhere : named->places;
}

void FieldIndex::append_selected(std::string& out, const std::vector<std::string>& names,
                                 std::optional<std::size_t> self, Canonicalization form) const {
    // How many instances of each name have been taken, from the last on. A name beyond the first instance
    // adds nothing.
    std::vector<std::size_t> taken(named_.size(), 0);
    for (const std::string& name : names) {
        const Named* named = find_named(text::lower(name));
        if (named == nullptr) continue;
        std::size_t& used = taken[static_cast<std::size_t>(named - named_.data())];
        if (used < named->places.size() && named->places[named->places.size() - 1 - used] == self) ++used;
        if (used == named->places.size()) continue;
        append_canonical(out, fields_[named->places[named->places.size() - 1 - used]], form);
        ++used;
    }
}

std::size_t BodyHasher::want(std::optional<std::uint64_t> limit) {
    const auto same = std::find_if(outputs_.begin(), outputs_.end(),
                                   [&](const Output& output) { return output.limit == limit; });
    if (same != outputs_.end()) return static_cast<std::size_t>(same - outputs_.begin());
    outputs_.push_back({limit, Sha256()});
    return outputs_.size() - 1;
}

void BodyHasher::update(std::string_view chunk) {
    form_ == Canonicalization::simple ? simple(chunk) : relaxed(chunk);
}

// RFC 6376, 3.4.3: all as it is, but empty lines at the end are left out and the last line has its CRLF.
void BodyHasher::simple(std::string_view chunk) {
    if (chunk.empty()) return;
    if (held_cr_) {
        held_cr_ = false;
        if (chunk.front() == '\n') {
            ++held_line_ends_;
            chunk.remove_prefix(1);
        } else {
            emit_held_line_ends();
            emit("\r");
        }
    }
    std::size_t end = chunk.size();
    const bool cr_at_end = end > 0 && chunk[end - 1] == '\r';
    if (cr_at_end) --end;
    std::uint64_t line_ends = 0;
    while (end >= 2 && chunk[end - 1] == '\n' && chunk[end - 2] == '\r') {
        end -= 2;
        ++line_ends;
    }
    if (end > 0) {
        emit_held_line_ends();
        put(chunk.substr(0, end));
    }
    held_line_ends_ += line_ends;
    held_cr_ = cr_at_end;
}

// RFC 6376, 3.4.4: besides, blanks at line ends are left out and other runs of blanks are one space.
void BodyHasher::relaxed(std::string_view chunk) {
    const char* at = chunk.data();
    const char* const end = at + chunk.size();
    while (at != end) {
        if (held_cr_) {
            held_cr_ = false;
            if (*at == '\n') {
                held_blank_ = false;
                ++held_line_ends_;
                ++at;
                continue;
            }
            emit("\r");
        }
        if (!kSpecial[static_cast<unsigned char>(*at)]) {
            const char* const run = at;
            at = end_of_canonical_run(at, end);
            emit({run, static_cast<std::size_t>(at - run)});
            continue;
        }
        if (*at == '\r') {
            held_cr_ = true;
        } else {
            held_blank_ = true;
        }
        ++at;
    }
}

// Content: whatever was held before it counts now.
void BodyHasher::emit(std::string_view bytes) {
    emit_held_line_ends();
    if (held_blank_) {
        held_blank_ = false;
        put(" ");
    }
    put(bytes);
}

void BodyHasher::emit_held_line_ends() {
    for (; held_line_ends_ > 0; --held_line_ends_) put("\r\n");
}

void BodyHasher::put(std::string_view bytes) {
    any_content_ = true;
    // Large runs go straight to the hash, small ones are gathered.
    if (bytes.size() >= kBufferSize) {
        flush_buffer();
        hash_now(bytes);
        return;
    }
    buffer_ += bytes;
    if (buffer_.size() >= kBufferSize) flush_buffer();
}

void BodyHasher::flush_buffer() {
    hash_now(buffer_);
    buffer_.clear();
}

void BodyHasher::hash_now(std::string_view bytes) {
    for (Output& output : outputs_) {
        std::string_view part = bytes;
        if (output.limit) {
            const std::uint64_t left = *output.limit > size_ ? *output.limit - size_ : 0;
            part = part.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, part.size())));
        }
        output.sha.update(part);
    }
    size_ += bytes.size();
}

void BodyHasher::finish() {
    if (held_cr_) {
        held_cr_ = false;
        emit("\r");
    }
    // An empty body is CRLF in the simple form and nothing in the relaxed one.
    if (any_content_ || form_ == Canonicalization::simple) put("\r\n");
    flush_buffer();
    for (Output& output : outputs_) digests_.push_back(output.sha.finish());
}

}  // namespace mailstead::mailauth
