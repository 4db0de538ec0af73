// What a search found, in the order asked for, and how it is answered (RFC 9051, 7.3.4; RFC 4731; RFC 5182;
// RFC 5256, 4; RFC 5267; RFC 6203; RFC 9394).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/store.h"
#include "imapd/proto/search_options.h"
#include "imapd/proto/sequence_set.h"

namespace mailstead::imapd::commands {

// UIDs or message numbers in some order. Rising neighbours stand together as a range (RFC 5267, 3.2).
class ResultList {
public:
    ResultList() = default;
    explicit ResultList(const store::UidSet& uids);

    void add(std::uint32_t number);
    bool empty() const { return ranges_.empty(); }
    std::uint64_t count() const { return count_; }
    std::uint32_t first() const { return ranges_.front().first; }
    std::uint32_t last() const { return ranges_.back().last; }
    const std::vector<proto::NumberRange>& ranges() const { return ranges_; }

    // The results at these places.
    ResultList part(proto::PartialRange::Places places) const;
    // UIDs as the numbers of `messages`; those that it lacks are left out.
    ResultList numbered(const store::UidRuns& messages) const;
    store::UidSet to_set() const;

private:
    void add(proto::NumberRange range);
    std::vector<proto::NumberRange> ranges_;
    std::uint64_t count_ = 0;
};

// All that an answer can say.
struct SearchAnswer {
    ResultList uids;                      // in the order asked for
    std::vector<std::uint8_t> relevancy;  // of each of them; empty when nobody asked
    ModSeq mod_seq;                       // 0: not asked
};

// RFC 3501, 7.2.5; RFC 7162, 3.1.5 and 3.1.9: `* SEARCH 2 3 (MODSEQ 9)`; `name` is SEARCH or SORT.
void write_plain(std::string& out, std::string_view name, const ResultList& numbers, ModSeq mod_seq);

// `* ESEARCH (TAG "a") UID MIN 2 ...`. `messages` gives numbers; null: UIDs. `correlator` is what stands
// behind the tag (RFC 7377, 2.1).
void write_extended(std::string& out, std::string_view tag, std::string_view correlator,
                    const proto::SearchReturn& wanted, const SearchAnswer& answer,
                    const store::UidRuns* messages);

// RFC 5182, 2.1; RFC 9394, 3.2: what "$" holds afterwards.
store::UidSet result_to_save(const proto::SearchReturn& wanted, const ResultList& uids);

}  // namespace mailstead::imapd::commands
