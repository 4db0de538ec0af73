#include "imapd/commands/search_content.h"

#include <unistd.h>

#include "common/mime/headers.h"
#include "common/mime/message.h"

namespace mailstead::imapd::commands {
namespace {

// Larger files are mapped: of those the attachments are mostly not even touched.
constexpr std::uint64_t kLargestRead = 128 * 1024;

}  // namespace

void SearchContent::stand_at(const store::MessageInfo& message) {
    message_ = &message;
    read_ = false;
    bytes_ = {};
    mapped_.reset();
    tree_.reset();
}

bool SearchContent::load() {
    if (read_) return readable_;
    read_ = true;
    readable_ = false;
    const auto file = snapshot_.open_message(mailbox_, *message_);
    if (!file) return false;
    if (file->size > kLargestRead) {
        mapped_.emplace(file->descriptor.get(), file->size, Prefault::no);
        readable_ = mapped_->ok();
        if (readable_) bytes_ = mapped_->bytes();
    } else {
        readable_ = read_into_memory(*file);
    }
    return readable_;
}

bool SearchContent::read_into_memory(const store::OpenMessage& file) {
    const auto size = static_cast<std::size_t>(file.size);
    if (buffer_.size() < size) buffer_.resize(size);
    std::size_t done = 0;
    while (done < size) {
        const ssize_t n =
            ::pread(file.descriptor.get(), buffer_.data() + done, size - done, static_cast<off_t>(done));
        if (n <= 0) return false;
        done += static_cast<std::size_t>(n);
    }
    bytes_ = std::string_view(buffer_).substr(0, size);
    return true;
}

// As delivery found it, if it was kept. Every part lies within the file: the tree was made from these bytes.
const mime::PartTree& SearchContent::tree() {
    if (tree_) return *tree_;
    if (const auto cached = snapshot_.cached(message_->message)) tree_ = cached->parts();
    const bool fits = tree_ && tree_->size() > 0 && (*tree_)[mime::kRootPart].body_end == bytes_.size();
    if (!fits) tree_ = mime::Message::parse(bytes_).tree();
    return *tree_;
}

std::optional<std::string_view> SearchContent::header() {
    if (!load()) return std::nullopt;
    return bytes_.substr(0, mime::header_size(bytes_));
}

bool SearchContent::contains(mime::TextScope scope, const mime::TextPattern& pattern) {
    return load() && mime::text_contains(bytes_, tree(), scope, pattern);
}

}  // namespace mailstead::imapd::commands
