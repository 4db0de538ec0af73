// The full-text index of one account: which messages hold which words. A helper of searches that costs only
// speed when it is missing, behind or damaged: it knows how far it goes and nothing beyond.
//
// One process writes (deliver), any number read. Xapian appears in this library alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"

namespace mailstead::fulltext {

// A set of message ids.
class MessageSet {
public:
    void add(std::uint64_t id);
    bool contains(std::uint64_t id) const {
        return id / 64 < bits_.size() && (bits_[id / 64] >> (id % 64) & 1) != 0;
    }
    void intersect(const MessageSet& other);
    void unite(const MessageSet& other);
    void remove(const MessageSet& other);
    std::uint64_t count() const;

private:
    std::vector<std::uint64_t> bits_;
};

// What the index holds of one message.
class MessageWords {
public:
    // Adds the words of a piece of text (UTF-8). `in_body`: SEARCH BODY looks at it, too.
    void add_text(std::string_view utf8, bool in_body);
    // Some of its text is missing here: searches look at the message itself.
    void set_partial() { partial_ = true; }
    std::size_t count() const { return words_.size(); }
    void clear();

private:
    friend class TextIndexWriter;
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view word) const { return std::hash<std::string_view>()(word); }
    };
    std::unordered_map<std::string, bool, Hash, std::equal_to<>> words_;  // whether it is in the body
    std::size_t octets_ = 0;
    bool partial_ = false;
};

// The words of one message; what does not fit these bounds makes it partial.
inline constexpr std::size_t kMaxIndexedText = 4 * 1024 * 1024;
inline constexpr std::size_t kMaxIndexedWords = 100'000;
// Ids beyond are not indexed.
inline constexpr std::uint64_t kMaxIndexedMessage = 0x7FFF'FFFF;

// Errors are transient ones; a damaged index is begun anew by open().
class TextIndexWriter {
public:
    // `identity` tells which history of the account the message ids belong to: an index of another one is
    // removed.
    static Result<TextIndexWriter> open(const std::filesystem::path& directory, std::string_view identity);
    TextIndexWriter(TextIndexWriter&&) noexcept;
    TextIndexWriter& operator=(TextIndexWriter&&) noexcept;
    ~TextIndexWriter();  // what was not committed is lost

    // Every message up to this id is in it, or was gone when it should have been added.
    std::uint64_t high() const;
    // Messages it knows, those added since the last commit included.
    std::uint64_t documents() const;

    Result<void> add(std::uint64_t message, const MessageWords& words);
    Result<void> remove(std::uint64_t message);
    // Ids after `after`, in rising order, at most `limit`.
    Result<std::vector<std::uint64_t>> messages(std::uint64_t after, std::size_t limit) const;
    // How much waits to be committed: places of words in messages, each some 100 bytes of memory.
    std::size_t pending() const;
    // Durable when it returns.
    Result<void> commit(std::uint64_t high);

private:
    struct State;
    explicit TextIndexWriter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// What the index says about a pattern.
struct Answer {
    std::uint64_t high = 0;  // of messages above it nothing is known
    MessageSet possible;     // those that are not here do not contain it
    MessageSet certain;      // these do
};

enum class Scope { body, whole };  // SEARCH BODY, SEARCH TEXT

// One search in it. One thread.
class TextIndexReader {
public:
    // Fails for a missing, damaged, newer or foreign index.
    static Result<TextIndexReader> open(const std::filesystem::path& directory, std::string_view identity);
    TextIndexReader(TextIndexReader&&) noexcept;
    TextIndexReader& operator=(TextIndexReader&&) noexcept;
    ~TextIndexReader();

    std::uint64_t high() const;
    // nullopt when words do not help to find this pattern (it has none, or half of all words contain it).
    Result<std::optional<Answer>> find(std::string_view folded_pattern, Scope scope) const;

private:
    struct State;
    explicit TextIndexReader(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace mailstead::fulltext
