#include "common/store/flags.h"

#include "common/base/text.h"

namespace mailstead::store {

// atom = 1*ATOM-CHAR; ATOM-CHAR excludes atom-specials: "(" / ")" / "{" / SP / CTL / "%" / "*" / DQUOTE / "\"
// / "]"
bool is_keyword(std::string_view name) {
    if (name.empty() || name.size() > kMaxKeyword) return false;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte >= 0x7F) return false;
        if (std::string_view("(){%*\"\\]").find(c) != std::string_view::npos) return false;
    }
    return true;
}

int KeywordTable::find(std::string_view name) const {
    for (std::size_t n = 0; n < names_.size(); ++n) {
        if (text::iequals(names_[n], name)) return static_cast<int>(n);
    }
    return -1;
}

Keywords KeywordTable::known(const std::vector<std::string>& names) const {
    Keywords bits;
    for (const std::string& name : names) {
        if (const int n = find(name); n >= 0) bits.set(static_cast<std::size_t>(n));
    }
    return bits;
}

Outcome<Keywords> KeywordTable::take(const std::vector<std::string>& names) {
    Keywords bits;
    for (const std::string& name : names) {
        int n = find(name);
        if (n < 0) {
            if (!is_keyword(name)) return Failure(Fault::invalid, "not a keyword");
            if (names_.size() >= Keywords::kLimit) {
                return Failure(Fault::limit, "this account has 128 different keywords already");
            }
            n = static_cast<int>(names_.size());
            names_.push_back(name);
        }
        bits.set(static_cast<std::size_t>(n));
    }
    return bits;
}

std::string KeywordTable::encode() const {
    ByteWriter out;
    out.varint(names_.size());
    for (const std::string& name : names_) out.string(name);
    return out.take();
}

Outcome<KeywordTable> KeywordTable::decode(std::string_view bytes) {
    ByteReader in(bytes);
    KeywordTable table;
    const std::size_t count = in.count();
    if (count > Keywords::kLimit) return Failure(Fault::damaged, "the keyword table is too long");
    for (std::size_t n = 0; n < count; ++n) table.names_.emplace_back(in.string());
    if (!in.ok() || !in.at_end()) return Failure(Fault::damaged, "the keyword table is cut");
    return table;
}

void write(ByteWriter& out, const FlagList& flags) {
    out.u8(flags.system.bits());
    out.varint(flags.keywords.size());
    for (const std::string& name : flags.keywords) out.string(name);
}

FlagList read_flag_list(ByteReader& in) {
    FlagList flags;
    flags.system = SystemFlags::from_bits(in.u8());
    const std::size_t count = in.count();
    flags.keywords.reserve(count < 16 ? count : 16);
    for (std::size_t n = 0; n < count && in.ok(); ++n) flags.keywords.emplace_back(in.string());
    return flags;
}

}  // namespace mailstead::store
