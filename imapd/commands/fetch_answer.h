// Answering FETCH: from the index and the fetch cache where they know, from message files where they must.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/store/store.h"
#include "imapd/commands/content.h"
#include "imapd/proto/command.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {

struct FetchOutcome {
    bool alive = true;              // false: the client is gone
    bool unknown_encoding = false;  // RFC 3516, 4.3: NO [UNKNOWN-CTE]
    std::uint64_t answered = 0;     // messages
    store::UidSet lost;             // messages whose file is lost, which was asked for
    bool cut_short = false;         // a file could not be read to its end
    std::optional<store::Failure> failure;
};

// Writes what the request asks for about each of `uids` that exists, in chunks, each read under its own
// snapshot. Messages of `newly_seen` get FLAGS although nobody asked.
net::Task<FetchOutcome> answer_fetch(Session& session, const proto::Fetch& request, store::UidSet uids,
                                     store::UidSet newly_seen);

// Writes the answer for one message after another of one chunk.
class FetchWriter {
public:
    FetchWriter(const Session& session, const proto::Fetch& request, const store::UidSet& newly_seen);

    // Files of messages up to `in_memory` are opened even if that should wait; of others only when it need
    // not.
    void begin_chunk(const store::Snapshot& snapshot, Uid in_memory);
    // False when the file must be waited for: then nothing was written.
    bool write(const store::MessageInfo& message);
    // The chunk holds enough.
    bool is_full() const { return text.size() + pending_ >= kPiece || contents.size() >= kMaxContents; }
    // How many bytes of each message's file the request may read.
    std::uint64_t reads_of_each() const;

    std::string text;
    std::vector<Content> contents;
    // Messages of which a part was left out, since their file is lost.
    store::UidSet lost;

private:
    // Each holds an open file until the chunk is sent.
    static constexpr std::size_t kMaxContents = 64;

    struct Prepared {
        const proto::FetchItem* item = nullptr;
        std::string label;  // `BODY[HEADER.FIELDS (From)] `
        std::optional<store::FieldRequest> fields;
    };
    // The message in hand.
    struct Current {
        const store::MessageInfo* message = nullptr;
        std::optional<store::CachedMessage> cached;
        bool cache_read = false;
        std::shared_ptr<const store::OpenMessage> file;
        bool file_missing = false;
        store::Fault why_missing = store::Fault::non_existent;
        bool file_lost = false;  // which the item in hand, or one before, needed
        bool must_wait = false;
        std::optional<mime::PartTree> parts;
        bool parts_read = false;
    };

    void prepare(const proto::FetchItem& item);
    bool write_unless_lost(const Prepared& prepared);
    void write_something();
    void write_item(const Prepared& prepared);
    void write_cached(const Prepared& prepared, std::string_view value);
    void write_section(const Prepared& prepared);
    void write_header_fields(const Prepared& prepared);
    void write_binary(const Prepared& prepared);
    void write_range(const Prepared& prepared, const std::optional<mime::ByteRange>& range);
    void add_content(const Prepared& prepared, Content::Kind kind, mime::ByteRange range,
                     mime::TransferEncoding encoding = mime::TransferEncoding::binary);
    std::optional<mime::ByteRange> find_range(const proto::FetchItem& item);
    const store::CachedMessage* cached();
    const mime::PartTree* parts();
    bool open_file();

    const Session& session_;
    const store::UidSet& newly_seen_;
    const store::Snapshot* snapshot_ = nullptr;
    std::vector<proto::FetchItem> extra_;
    std::vector<Prepared> prepared_;
    std::optional<store::FieldRequest> rare_;  // asks for fields that lie apart in the cache
    const bool utf8_;
    bool asks_flags_ = false;
    bool asks_mod_seq_ = false;
    Current current_;
    std::size_t pending_ = 0;  // bytes of contents
    Uid in_memory_;
    std::string scratch_;
};

}  // namespace mailstead::imapd::commands
