#include "common/dns/wire.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/base/text.h"

namespace mailstead::dns {

namespace {

constexpr std::size_t kHeaderSize = 12;
constexpr std::size_t kMaxRecords = 512;  // of one message; more is no mail-related answer
constexpr std::size_t kMaxPointers = 64;  // in one name
constexpr std::size_t kMaxAliases = 12;   // CNAMEs in a row
constexpr std::uint16_t kClassIn = 1;
constexpr std::uint16_t kTypeSoa = 6;
constexpr std::uint16_t kTypeOpt = 41;

void put16(std::string& out, std::uint16_t v) {
    out += static_cast<char>(v >> 8);
    out += static_cast<char>(v & 0xFF);
}

// Reads big-endian numbers and names; after a read past the end ok() is false and reads give zero.
class Cursor {
public:
    Cursor(std::string_view message, std::size_t at) : message_(message), at_(at) {}

    bool ok() const { return ok_; }
    std::size_t position() const { return at_; }
    void skip(std::size_t n) { bytes(n); }
    std::uint8_t u8() {
        const std::string_view b = bytes(1);
        return b.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(b[0]);
    }
    std::uint16_t u16() {
        const unsigned high = u8();
        return static_cast<std::uint16_t>(high << 8 | u8());
    }
    std::uint32_t u32() {
        const std::uint32_t high = u16();
        return high << 16 | u16();
    }
    std::string_view bytes(std::size_t n) {
        if (!ok_ || n > message_.size() - at_) {
            ok_ = false;
            return {};
        }
        at_ += n;
        return message_.substr(at_ - n, n);
    }
    // RFC 1035, 3.1 and 4.1.4. Lower case, without final dot; bytes that a host name cannot hold are escaped
    // as \DDD (RFC 1035, 5.1).
    std::string name();

private:
    static void append_label(std::string& name, std::string_view label);
    std::string_view message_;
    std::size_t at_;
    bool ok_ = true;
};

void Cursor::append_label(std::string& name, std::string_view label) {
    if (!name.empty()) name += '.';
    for (const char c : label) {
        const auto byte = static_cast<unsigned char>(c);
        if (text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '/' || c == '*' ||
            c == '+' || c == '=') {
            name += text::to_lower(c);
        } else {
            name += '\\';
            for (const int divisor : {100, 10, 1}) name += static_cast<char>('0' + byte / divisor % 10);
        }
    }
}

std::string Cursor::name() {
    std::string name;
    std::size_t encoded = 0;
    std::size_t pointers = 0;
    std::optional<std::size_t> after;  // where reading goes on: behind the first pointer
    for (;;) {
        const std::uint8_t length = u8();
        if (!ok_) return {};
        if (length == 0) break;
        if ((length & 0xC0) == 0xC0) {
            const std::size_t target = static_cast<std::size_t>(length & 0x3F) << 8 | u8();
            if (!after) after = at_;
            // Backwards only, so that no chain is endless.
            if (!ok_ || ++pointers > kMaxPointers || target >= at_ - 2) {
                ok_ = false;
                return {};
            }
            at_ = target;
            continue;
        }
        encoded += length + 1U;
        if (length > 63 || encoded > 254) {
            ok_ = false;
            return {};
        }
        append_label(name, bytes(length));
    }
    if (after) at_ = *after;
    return ok_ ? name : std::string();
}

struct RawRecord {
    std::string owner;
    std::uint16_t type = 0;
    std::uint16_t klass = 0;
    std::uint32_t ttl = 0;
    std::size_t data = 0;  // offset in the message
    std::size_t size = 0;
};

// NAME TYPE CLASS TTL RDLENGTH RDATA (RFC 1035, 4.1.3)
RawRecord read_record(Cursor& in) {
    RawRecord record;
    record.owner = in.name();
    record.type = in.u16();
    record.klass = in.u16();
    record.ttl = in.u32();
    // RFC 2181, 8: a TTL with the highest bit set counts as zero.
    if (record.ttl > INT32_MAX) record.ttl = 0;
    record.size = in.u16();
    record.data = in.position();
    in.skip(record.size);
    return record;
}

std::optional<IpAddress> read_address(std::string_view data) {
    if (data.size() == 4) {
        IpAddress::V4 bytes;
        std::ranges::copy(data, reinterpret_cast<char*>(bytes.data()));
        return IpAddress::v4(bytes);
    }
    if (data.size() == 16) {
        IpAddress::V6 bytes;
        std::ranges::copy(data, reinterpret_cast<char*>(bytes.data()));
        return IpAddress::v6(bytes);
    }
    return std::nullopt;
}

// <character-string>s joined without a space (RFC 7208, 3.3; RFC 6376, 3.6.2.2).
std::optional<Txt> read_txt(std::string_view data) {
    Txt txt;
    Cursor in(data, 0);
    while (in.ok() && in.position() < data.size()) txt.text.append(in.bytes(in.u8()));
    if (!in.ok()) return std::nullopt;
    return txt;
}

// nullopt: malformed, the record is left out.
std::optional<Record> read_data(std::string_view message, const RawRecord& raw) {
    const std::string_view data = message.substr(raw.data, raw.size);
    Cursor in(message.substr(0, raw.data + raw.size), raw.data);
    const auto wrap = [&in](auto value) {
        return in.ok() ? std::optional<Record>(std::move(value)) : std::nullopt;
    };
    switch (static_cast<RecordType>(raw.type)) {
        case RecordType::a:
        case RecordType::aaaa: {
            const auto address = read_address(data);
            if (!address || address->is_v4() != (raw.type == 1)) return std::nullopt;
            return *address;
        }
        case RecordType::mx: {
            Mx mx;
            mx.preference = in.u16();
            mx.exchange = in.name();
            return wrap(std::move(mx));
        }
        case RecordType::txt: {
            auto txt = read_txt(data);
            if (!txt) return std::nullopt;
            return *std::move(txt);
        }
        case RecordType::tlsa: {
            Tlsa tlsa;
            tlsa.usage = in.u8();
            tlsa.selector = in.u8();
            tlsa.matching_type = in.u8();
            if (in.ok()) tlsa.data = data.substr(3);
            return wrap(std::move(tlsa));
        }
        case RecordType::ptr:
        case RecordType::cname: {
            Target target;
            target.name = in.name();
            return wrap(std::move(target));
        }
        case RecordType::srv: {
            Srv srv;
            srv.priority = in.u16();
            srv.weight = in.u16();
            srv.port = in.u16();
            srv.target = in.name();
            return wrap(std::move(srv));
        }
    }
    return std::nullopt;
}

struct Response {
    std::uint8_t code = 0;
    bool authenticated = false;
    std::vector<RawRecord> answers;
    std::vector<RawRecord> authorities;
};

bool asks(Cursor& in, const Question& question) {
    const std::string name = in.name();
    const std::uint16_t type = in.u16();
    const std::uint16_t klass = in.u16();
    return in.ok() && text::iequals(name, question.name) &&
           type == static_cast<std::uint16_t>(question.type) && klass == kClassIn;
}

// RFC 1035, 4.1.1
Parsed<Response> read_message(std::string_view message, const Question& question) {
    Cursor in(message, 0);
    in.skip(2);
    const std::uint16_t flags = in.u16();
    const std::uint16_t questions = in.u16();
    const std::uint16_t answers = in.u16();
    const std::uint16_t authorities = in.u16();
    in.skip(2);
    if (!in.ok() || (flags & 0x8000) == 0 || questions != 1) return ParseError("not a response", 0);
    if (answers + authorities > static_cast<int>(kMaxRecords)) return ParseError("too many records", 6);
    if (!asks(in, question)) return ParseError("the response is for another question", kHeaderSize);
    Response response;
    response.code = flags & 0x0F;
    response.authenticated = (flags & 0x0020) != 0;
    for (int i = 0; i < answers; ++i) response.answers.push_back(read_record(in));
    for (int i = 0; i < authorities; ++i) response.authorities.push_back(read_record(in));
    if (!in.ok()) return ParseError("truncated response", message.size());
    return response;
}

// RFC 2308, 5: how long "there is nothing" holds.
Seconds denial_ttl(std::string_view message, const Response& response) {
    for (const RawRecord& record : response.authorities) {
        if (record.type != kTypeSoa) continue;
        Cursor in(message.substr(0, record.data + record.size), record.data);
        in.name();
        in.name();
        in.skip(16);
        const std::uint32_t minimum = in.u32();
        if (in.ok()) return Seconds(std::min(minimum, record.ttl));
    }
    return Seconds(0);
}

std::string failure_name(std::uint8_t code) {
    switch (code) {
        case 1:
            return "FORMERR";
        case 2:
            return "SERVFAIL";
        case 4:
            return "NOTIMP";
        case 5:
            return "REFUSED";
        default:
            return "RCODE " + std::to_string(code);
    }
}

// The owner name of the wanted records: the question's, or where its CNAMEs lead. nullopt for a loop.
std::optional<std::string> final_owner(std::string_view message, const Response& response,
                                       const Question& question, std::uint32_t& ttl) {
    std::string owner = text::lower(question.name);
    if (question.type == RecordType::cname) return owner;
    for (std::size_t hop = 0; hop < kMaxAliases; ++hop) {
        const auto alias = std::ranges::find_if(response.answers, [&](const RawRecord& record) {
            return record.type == static_cast<std::uint16_t>(RecordType::cname) && record.klass == kClassIn &&
                   record.owner == owner;
        });
        if (alias == response.answers.end()) return owner;
        const auto target = read_data(message, *alias);
        if (!target) return std::nullopt;
        owner = std::get<Target>(*target).name;
        ttl = std::min(ttl, alias->ttl);
    }
    return std::nullopt;
}

}  // namespace

std::string write_query(const Question& question, std::uint16_t id) {
    std::string out;
    put16(out, id);
    put16(out, 0x0120);  // RD, AD
    put16(out, 1);
    put16(out, 0);
    put16(out, 0);
    put16(out, 1);
    std::string_view rest = question.name;
    if (rest.ends_with('.')) rest.remove_suffix(1);
    while (!rest.empty()) {
        const std::string_view label = text::next_field(rest, '.');
        out += static_cast<char>(label.size());
        out.append(label);
    }
    out += '\0';
    put16(out, static_cast<std::uint16_t>(question.type));
    put16(out, kClassIn);
    // RFC 6891, 6.1.2
    out += '\0';
    put16(out, kTypeOpt);
    put16(out, kUdpPayload);
    put16(out, 0);
    put16(out, 0);
    put16(out, 0);
    return out;
}

Parsed<AnyAnswer> read_response(std::string_view message, const Question& question, bool trust_ad) {
    TRY(response, read_message(message, question));
    constexpr std::uint8_t kNoError = 0;
    constexpr std::uint8_t kNxDomain = 3;
    if (response.code != kNoError && response.code != kNxDomain)
        return AnyAnswer::failure(failure_name(response.code));
    AnyAnswer answer;
    answer.authenticated = trust_ad && response.authenticated;
    std::uint32_t ttl = UINT32_MAX;
    const auto owner = final_owner(message, response, question, ttl);
    if (!owner) return AnyAnswer::failure("CNAME loop");
    for (const RawRecord& record : response.answers) {
        if (record.type != static_cast<std::uint16_t>(question.type) || record.klass != kClassIn ||
            record.owner != *owner)
            continue;
        auto data = read_data(message, record);
        if (!data) continue;
        answer.records.push_back(*std::move(data));
        ttl = std::min(ttl, record.ttl);
    }
    if (!answer.records.empty()) {
        answer.outcome = Outcome::found;
        answer.ttl = Seconds(ttl);
        return answer;
    }
    // RFC 6604, 3: the response code is about the end of the CNAME chain.
    answer.outcome = response.code == kNxDomain ? Outcome::no_such_name : Outcome::no_such_record;
    answer.ttl = std::min(denial_ttl(message, response), Seconds(ttl));
    return answer;
}

}  // namespace mailstead::dns
