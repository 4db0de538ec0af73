#include "common/dns/fake_resolver.h"

#include <optional>

#include "common/base/text.h"

namespace mailstead::dns {
namespace {

std::string fold(std::string_view name) {
    if (!name.empty() && name.back() == '.') name.remove_suffix(1);
    return text::lower(name);
}

std::string_view next_word(std::string_view& line) {
    line = text::trim(line);
    const std::size_t end = line.find_first_of(" \t");
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end == line.npos ? line.size() : end);
    return word;
}

template <class Number>
std::optional<Number> next_number(std::string_view& line) {
    return text::parse_number<Number>(next_word(line));
}

// One string in quotes, the opening quote already taken.
std::optional<std::string> read_quoted(std::string_view& line) {
    std::string out;
    while (!line.empty()) {
        const char c = line.front();
        line.remove_prefix(1);
        if (c == '"') return out;
        if (c != '\\') {
            out += c;
            continue;
        }
        if (line.size() >= 3 && text::is_digit(line[0])) {
            const auto code = text::parse_number<unsigned>(line.substr(0, 3));
            if (!code || *code > 255) return std::nullopt;
            out += static_cast<char>(*code);
            line.remove_prefix(3);
        } else if (!line.empty()) {
            out += line.front();
            line.remove_prefix(1);
        }
    }
    return std::nullopt;
}

std::optional<Txt> read_txt(std::string_view line) {
    Txt txt;
    line = text::trim(line);
    if (line.empty() || line.front() != '"') return Txt{std::string(line)};
    while (!line.empty()) {
        if (line.front() != '"') return std::nullopt;
        line.remove_prefix(1);
        const auto piece = read_quoted(line);
        if (!piece) return std::nullopt;
        txt.text += *piece;
        line = text::trim(line);
    }
    return txt;
}

std::optional<Record> read_record(RecordType type, std::string_view line) {
    switch (type) {
        case RecordType::a:
        case RecordType::aaaa: {
            const auto address = IpAddress::parse(text::trim(line));
            if (!address || address->is_v4() != (type == RecordType::a)) return std::nullopt;
            return *address;
        }
        case RecordType::mx: {
            const auto preference = next_number<std::uint16_t>(line);
            if (!preference) return std::nullopt;
            return Mx{*preference, fold(next_word(line))};
        }
        case RecordType::txt: {
            const auto txt = read_txt(line);
            if (!txt) return std::nullopt;
            return *txt;
        }
        case RecordType::ptr:
        case RecordType::cname:
            return Target{fold(next_word(line))};
        case RecordType::srv: {
            const auto priority = next_number<std::uint16_t>(line);
            const auto weight = next_number<std::uint16_t>(line);
            const auto port = next_number<std::uint16_t>(line);
            if (!priority || !weight || !port) return std::nullopt;
            return Srv{*priority, *weight, *port, fold(next_word(line))};
        }
        case RecordType::tlsa: {
            const auto usage = next_number<std::uint8_t>(line);
            const auto selector = next_number<std::uint8_t>(line);
            const auto matching = next_number<std::uint8_t>(line);
            const auto data = text::unhex(next_word(line));
            if (!usage || !selector || !matching || !data) return std::nullopt;
            return Tlsa{*usage, *selector, *matching, *data};
        }
    }
    return std::nullopt;
}

}  // namespace

Parsed<FakeResolver> FakeResolver::parse(std::string_view zone) {
    FakeResolver resolver;
    std::string_view rest = zone;
    while (!rest.empty()) {
        const auto offset = static_cast<std::size_t>(rest.data() - zone.data());
        std::string_view line = text::trim(text::next_field(rest, '\n'));
        if (line.empty() || line.front() == ';' || line.front() == '#') continue;
        const std::string_view name = next_word(line);
        const std::string_view kind = next_word(line);
        if (text::iequals(kind, "FAIL")) {
            const auto type = parse_record_type(next_word(line));
            type ? resolver.fail(name, *type) : resolver.fail(name);
            continue;
        }
        const auto type = parse_record_type(kind);
        if (!type) return ParseError("unknown record type", offset);
        auto record = read_record(*type, line);
        if (!record) return ParseError("malformed record", offset);
        resolver.add(name, *type, std::move(*record));
    }
    return resolver;
}

void FakeResolver::add(std::string_view name, RecordType type, Record record) {
    names_[fold(name)].emplace(type, std::move(record));
}

void FakeResolver::fail(std::string_view name) {
    failing_names_.insert(fold(name));
}

void FakeResolver::fail(std::string_view name, RecordType type) {
    failures_.emplace(fold(name), type);
}

void FakeResolver::authenticate(std::string_view name) {
    authenticated_.insert(fold(name));
}

AnyAnswer FakeResolver::answer(const Question& question) const {
    asked_.push_back(question);
    return look_up(fold(question.name), question.type, 8);
}

AnyAnswer FakeResolver::look_up(const std::string& name, RecordType type, int hops) const {
    if (failing_names_.contains(name) || failures_.contains({name, type}) || hops == 0) {
        return AnyAnswer::failure("server failure");
    }
    AnyAnswer answer = AnyAnswer::no_name();
    if (const std::string* owner = owner_of(name)) {
        const auto& records = names_.at(*owner);
        std::vector<Record> found;
        for (auto [at, end] = records.equal_range(type); at != end; ++at) found.push_back(at->second);
        if (const auto alias = records.find(RecordType::cname); found.empty() && alias != records.end()) {
            return look_up(std::get<Target>(alias->second).name, type, hops - 1);
        }
        answer = AnyAnswer::of(std::move(found));
    } else {
        // A name above an existing one exists without records (RFC 8020, 2).
        for (const auto& [existing, records] : names_) {
            if (existing.ends_with("." + name)) answer = AnyAnswer::no_record();
        }
    }
    answer.authenticated = is_authenticated(name);
    return answer;
}

const std::string* FakeResolver::owner_of(const std::string& name) const {
    if (const auto exact = names_.find(name); exact != names_.end()) return &exact->first;
    for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
        const auto wild = names_.find("*" + name.substr(dot));
        if (wild != names_.end()) return &wild->first;
    }
    return nullptr;
}

bool FakeResolver::is_authenticated(std::string_view name) const {
    for (const std::string& top : authenticated_) {
        if (name == top || (name.ends_with(top) && name[name.size() - top.size() - 1] == '.')) return true;
    }
    return false;
}

}  // namespace mailstead::dns
