// Zones held in memory that answer questions at once: the DNS of unit tests.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/dns/records.h"

namespace mailstead::dns {

// Follows CNAMEs (at most 8), knows empty non-terminals and wildcards at the left (RFC 4592), counts what was
// asked.
class FakeResolver {
public:
    // Lines as in a zone file, each with its full name: `example.org TXT "v=spf1 " "-all"`, `example.org MX
    // 10 mail.example.org`,
    // `_25._tcp.mail.example.org TLSA 3 1 1 abcdef`, `example.org CNAME other.example`,
    // `5.2.0.192.in-addr.arpa PTR a.example`,
    // `_imaps._tcp.example.org SRV 0 1 993 mail.example.org`. `NAME FAIL [TYPE]` makes questions for it (of
    // that type) fail. A line that begins with ";" or "#", or is empty, is skipped. TXT text in quotes takes
    // \" \\ and \DDD.
    static Parsed<FakeResolver> parse(std::string_view zone);

    void add(std::string_view name, RecordType type, Record record);
    void fail(std::string_view name);
    void fail(std::string_view name, RecordType type);
    // Answers about this name and all below it carry the AD bit.
    void authenticate(std::string_view name);

    AnyAnswer answer(const Question& question) const;
    template <class T>
    Answer<T> answer_as(const Question& question) const {
        return narrow<T>(answer(question));
    }

    // All that was asked since the start, in order.
    const std::vector<Question>& asked() const { return asked_; }
    void forget_asked() { asked_.clear(); }

private:
    AnyAnswer look_up(const std::string& name, RecordType type, int hops) const;
    const std::string* owner_of(const std::string& name) const;
    bool is_authenticated(std::string_view name) const;

    std::map<std::string, std::multimap<RecordType, Record>> names_;
    std::set<std::pair<std::string, RecordType>> failures_;
    std::set<std::string> failing_names_;
    std::set<std::string> authenticated_;
    mutable std::vector<Question> asked_;
};

}  // namespace mailstead::dns
