#include <algorithm>
#include <cstring>
#include <xapian.h>

#include "common/base/text.h"
#include "common/fulltext/format.h"
#include "common/fulltext/text_index.h"
#include "common/fulltext/words.h"

namespace mailstead::fulltext {
namespace {

// So many words that contain a pattern are looked up; one that more contain is in most messages anyway.
constexpr std::size_t kMostWords = 20'000;
constexpr int kAttempts = 3;  // while the writer commits

Error failure(const Xapian::Error& error) {
    return transient_error("full-text index: " + error.get_description());
}

// Words of the dictionary that meet a demand other than an exact one.
class DictionaryScan {
public:
    explicit DictionaryScan(const Demand& demand) {
        if (demand.kind == Demand::Kind::beginning) wanted_ = "\n";
        wanted_ += demand.text;
        if (demand.kind == Demand::Kind::ending) wanted_ += '\n';
    }

    void walk(std::string_view chunk) {
        std::size_t at = 0;
        while (!too_many()) {
            const void* found =
                ::memmem(chunk.data() + at, chunk.size() - at, wanted_.data(), wanted_.size());
            if (found == nullptr) return;
            const auto place = static_cast<std::size_t>(static_cast<const char*>(found) - chunk.data());
            const std::size_t inside = wanted_.front() == '\n' ? place + 1 : place;
            const std::size_t begin = chunk.rfind('\n', inside == 0 ? 0 : inside - 1) + 1;
            const std::size_t end = std::min(chunk.find('\n', inside), chunk.size());
            words_.emplace_back(chunk.substr(begin, end - begin));
            at = end;
        }
    }
    bool too_many() const { return words_.size() > kMostWords; }
    // In the order of the index.
    const std::vector<std::string>& sorted() {
        std::sort(words_.begin(), words_.end());
        return words_;
    }

private:
    std::string wanted_;
    std::vector<std::string> words_;
};

}  // namespace

struct TextIndexReader::State {
    mutable Xapian::Database database;
    std::string identity;
    std::uint64_t high = 0;

    bool load() {
        high = text::parse_number<std::uint64_t>(database.get_metadata(format::kHighKey)).value_or(0);
        return database.get_metadata(format::kFormatKey) == format::kVersion &&
               database.get_metadata(format::kIdentityKey) == identity;
    }

    void add_postings(const std::string& term, MessageSet& to) const {
        for (auto entry = database.postlist_begin(term); entry != database.postlist_end(term); ++entry)
            to.add(*entry);
    }
    void add_word(std::string_view word, Scope scope, MessageSet& to) const {
        add_postings(format::term(format::kBody, word), to);
        if (scope == Scope::whole) add_postings(format::term(format::kHeader, word), to);
    }

    // nullopt when too many words meet the demand.
    std::optional<MessageSet> meet(const Demand& demand, Scope scope) const {
        MessageSet messages;
        if (demand.kind == Demand::Kind::exact) {
            add_word(demand.text, scope, messages);
            return messages;
        }
        DictionaryScan scan(demand);
        for (std::size_t n = 0; !scan.too_many(); ++n) {
            const std::string chunk = database.get_metadata(format::chunk_key(n));
            if (chunk.empty()) break;
            scan.walk(chunk);
        }
        if (scan.too_many()) return std::nullopt;
        for (const std::string& word : scan.sorted()) add_word(word, scope, messages);
        return messages;
    }

    std::optional<Answer> find(const Demands& demands, Scope scope) const {
        std::optional<MessageSet> all;
        bool every = true;
        for (const Demand& demand : demands.all) {
            auto some = meet(demand, scope);
            every = every && some;
            if (!some) continue;
            if (all) {
                all->intersect(*some);
            } else {
                all = std::move(some);
            }
        }
        if (!all) return std::nullopt;
        Answer answer;
        answer.high = high;
        answer.possible = *std::move(all);
        MessageSet partial;
        add_postings(format::kPartial, partial);
        if (demands.sufficient && every) {
            answer.certain = answer.possible;
        }
        answer.possible.unite(partial);
        return answer;
    }
};

TextIndexReader::TextIndexReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TextIndexReader::TextIndexReader(TextIndexReader&&) noexcept = default;
TextIndexReader& TextIndexReader::operator=(TextIndexReader&&) noexcept = default;
TextIndexReader::~TextIndexReader() = default;

Result<TextIndexReader> TextIndexReader::open(const std::filesystem::path& directory,
                                              std::string_view identity) {
    auto state = std::make_unique<State>();
    state->identity = identity;
    try {
        state->database = Xapian::Database(directory.string());
        if (!state->load()) return transient_error("full-text index: of another format or history");
    } catch (const Xapian::Error& error) {
        return failure(error);
    }
    return TextIndexReader(std::move(state));
}

std::uint64_t TextIndexReader::high() const {
    return state_->high;
}

Result<std::optional<Answer>> TextIndexReader::find(std::string_view folded_pattern, Scope scope) const {
    const Demands demands = demands_of(folded_pattern);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        try {
            return state_->find(demands, scope);
        } catch (const Xapian::DatabaseModifiedError&) {
            // Two commits came meanwhile, and pages were used again.
            try {
                state_->database.reopen();
                if (!state_->load()) break;
            } catch (const Xapian::Error& error) {
                return failure(error);
            }
        } catch (const Xapian::Error& error) {
            return failure(error);
        }
    }
    return transient_error("full-text index: it changes too fast");
}

}  // namespace mailstead::fulltext
