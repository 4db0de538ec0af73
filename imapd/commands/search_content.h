// What a search needs of messages that the index cannot tell: read from their files, and only when some key
// asks for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/mime/text_search.h"
#include "common/store/store.h"
#include "imapd/commands/mapped_file.h"

namespace mailstead::imapd::commands {

// Of one message after another; belongs to one thread, as the snapshot does. May block on the disk.
class SearchContent {
public:
    // `snapshot` outlives it.
    SearchContent(const store::Snapshot& snapshot, MailboxId mailbox)
        : snapshot_(snapshot), mailbox_(mailbox) {}

    // The message that is asked about from here on; it must live that long.
    void stand_at(const store::MessageInfo& message);
    // Its header; nullopt when the file cannot be read (it was expunged, most likely).
    std::optional<std::string_view> header();
    // Whether the text holds the pattern; false when the file cannot be read.
    bool contains(mime::TextScope scope, const mime::TextPattern& pattern);
    // Whether the file had to be opened.
    bool was_read() const { return read_; }

private:
    bool load();
    bool read_into_memory(const store::OpenMessage& file);
    const mime::PartTree& tree();

    const store::Snapshot& snapshot_;
    MailboxId mailbox_;
    const store::MessageInfo* message_ = nullptr;
    bool read_ = false;
    bool readable_ = false;
    std::string buffer_;
    std::optional<MappedFile> mapped_;
    std::string_view bytes_;
    std::optional<mime::PartTree> tree_;
};

}  // namespace mailstead::imapd::commands
