#include <unordered_set>
#include <xapian.h>

#include "common/base/text.h"
#include "common/fulltext/format.h"
#include "common/fulltext/text_index.h"
#include "common/fulltext/words.h"
#include "common/mime/charset.h"

namespace mailstead::fulltext {
namespace {

constexpr std::size_t kMostRemembered = 100'000;  // words known to be in the dictionary

Error failure(const Xapian::Error& error) {
    return transient_error("full-text index: " + error.get_description());
}

bool is_ours(const Xapian::WritableDatabase& database, std::string_view identity) {
    return database.get_metadata(format::kFormatKey) == format::kVersion &&
           database.get_metadata(format::kIdentityKey) == identity;
}

void begin_anew(Xapian::WritableDatabase& database, const std::filesystem::path& directory,
                std::string_view identity) {
    database = Xapian::WritableDatabase(directory.string(),
                                        Xapian::DB_CREATE_OR_OVERWRITE | Xapian::DB_BACKEND_GLASS);
    database.set_metadata(format::kFormatKey, std::string(format::kVersion));
    database.set_metadata(format::kIdentityKey, std::string(identity));
    database.commit();
}

}  // namespace

void MessageWords::add_text(std::string_view utf8, bool in_body) {
    if (octets_ + utf8.size() > kMaxIndexedText) {
        partial_ = true;
        return;
    }
    octets_ += utf8.size();
    const std::string folded = mime::fold_for_search(utf8);
    WordReader reader(folded);
    std::string_view word;
    while (reader.next(word)) {
        const auto known = words_.find(word);
        if (known != words_.end()) {
            known->second = known->second || in_body;
        } else if (words_.size() < kMaxIndexedWords) {
            words_.emplace(word, in_body);
        } else {
            partial_ = true;
            return;
        }
    }
}

void MessageWords::clear() {
    words_.clear();
    octets_ = 0;
    partial_ = false;
}

struct TextIndexWriter::State {
    Xapian::WritableDatabase database;
    std::uint64_t high = 0;
    std::size_t pending = 0;
    std::unordered_set<std::string> remembered;
    // The dictionary's last chunk, which grows.
    std::size_t chunk = 0;
    std::string words;
    bool words_changed = false;

    void load() {
        high = text::parse_number<std::uint64_t>(database.get_metadata(format::kHighKey)).value_or(0);
        while (!database.get_metadata(format::chunk_key(chunk + 1)).empty()) ++chunk;
        words = database.get_metadata(format::chunk_key(chunk));
        if (words.empty()) words = "\n";
    }

    void remember(const std::string& word) {
        if (remembered.contains(word)) return;
        const bool known = database.term_exists(format::term(format::kBody, word)) ||
                           database.term_exists(format::term(format::kHeader, word));
        if (remembered.size() >= kMostRemembered) remembered.clear();
        remembered.insert(word);
        if (known) return;
        if (words.size() + word.size() + 1 > format::kChunk) {
            database.set_metadata(format::chunk_key(chunk++), words);
            words = "\n";
        }
        words += word;
        words += '\n';
        words_changed = true;
    }
};

TextIndexWriter::TextIndexWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
TextIndexWriter::TextIndexWriter(TextIndexWriter&&) noexcept = default;
TextIndexWriter& TextIndexWriter::operator=(TextIndexWriter&&) noexcept = default;

// Xapian would commit what is pending when its object ends; a transaction is undone instead.
TextIndexWriter::~TextIndexWriter() {
    if (!state_) return;
    try {
        state_->database.cancel_transaction();
        state_->database.close();
    } catch (const Xapian::Error&) {
        return;  // nothing is lost that was promised
    }
}

Result<TextIndexWriter> TextIndexWriter::open(const std::filesystem::path& directory,
                                              std::string_view identity) {
    auto state = std::make_unique<State>();
    try {
        bool fresh = false;
        try {
            state->database = Xapian::WritableDatabase(directory.string(), Xapian::DB_CREATE_OR_OPEN);
            fresh = !is_ours(state->database, identity);
        } catch (const Xapian::DatabaseLockError& error) {
            return failure(error);
        } catch (const Xapian::DatabaseError&) {
            fresh = true;
        }
        if (fresh) {
            state->database.close();
            std::error_code ignored;
            std::filesystem::remove_all(directory, ignored);
            begin_anew(state->database, directory, identity);
        }
        state->load();
        state->database.begin_transaction();
    } catch (const Xapian::Error& error) {
        return failure(error);
    }
    return TextIndexWriter(std::move(state));
}

std::uint64_t TextIndexWriter::high() const {
    return state_->high;
}

std::uint64_t TextIndexWriter::documents() const {
    return state_->database.get_doccount();
}

std::size_t TextIndexWriter::pending() const {
    return state_->pending;
}

Result<void> TextIndexWriter::add(std::uint64_t message, const MessageWords& words) {
    if (message == 0 || message > kMaxIndexedMessage)
        return permanent_error("full-text index: no place for this message id");
    try {
        Xapian::Document document;
        for (const auto& [word, in_body] : words.words_) {
            state_->remember(word);
            document.add_boolean_term(format::term(in_body ? format::kBody : format::kHeader, word));
        }
        if (words.partial_) document.add_boolean_term(format::kPartial);
        state_->database.replace_document(static_cast<Xapian::docid>(message), document);
        state_->pending += words.words_.size() + 1;
    } catch (const Xapian::Error& error) {
        return failure(error);
    }
    return {};
}

Result<void> TextIndexWriter::remove(std::uint64_t message) {
    try {
        state_->database.delete_document(static_cast<Xapian::docid>(message));
        state_->remembered.clear();  // it may have been the last one with some word
        state_->pending += 100;
    } catch (const Xapian::DocNotFoundError&) {
        return {};
    } catch (const Xapian::Error& error) {
        return failure(error);
    }
    return {};
}

Result<std::vector<std::uint64_t>> TextIndexWriter::messages(std::uint64_t after, std::size_t limit) const {
    std::vector<std::uint64_t> ids;
    try {
        auto entry = state_->database.postlist_begin("");
        entry.skip_to(static_cast<Xapian::docid>(after + 1));
        for (; entry != state_->database.postlist_end("") && ids.size() < limit; ++entry)
            ids.push_back(*entry);
    } catch (const Xapian::Error& error) {
        return failure(error);
    }
    return ids;
}

Result<void> TextIndexWriter::commit(std::uint64_t high) {
    try {
        if (state_->words_changed) {
            state_->database.set_metadata(format::chunk_key(state_->chunk), state_->words);
            state_->words_changed = false;
        }
        state_->database.set_metadata(format::kHighKey, std::to_string(high));
        state_->database.commit_transaction();
        state_->high = high;
        state_->pending = 0;
        state_->database.begin_transaction();
    } catch (const Xapian::Error& error) {
        return failure(error);
    }
    return {};
}

}  // namespace mailstead::fulltext
