#include "smtpd/session/body.h"

#include <algorithm>
#include <cerrno>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

namespace mailstead::smtpd {
namespace {

Result<void, SpoolError> write_all(int fd, std::vector<iovec>& pieces) {
    constexpr std::size_t kMaxPieces = 1024;  // IOV_MAX
    std::size_t first = 0;
    while (first < pieces.size()) {
        const int count = static_cast<int>(std::min(pieces.size() - first, kMaxPieces));
        ssize_t written = ::writev(fd, &pieces[first], count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return SpoolError(errno);
        while (first < pieces.size() && static_cast<std::size_t>(written) >= pieces[first].iov_len) {
            written -= static_cast<ssize_t>(pieces[first++].iov_len);
        }
        if (first == pieces.size()) break;
        pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + written;
        pieces[first].iov_len -= static_cast<std::size_t>(written);
    }
    return {};
}

void add(std::vector<iovec>& pieces, std::string_view bytes) {
    if (!bytes.empty()) pieces.push_back({const_cast<char*>(bytes.data()), bytes.size()});
}

// Inside the kernel where the file system can, which may share the blocks.
Result<void, SpoolError> copy(int from, int to, std::uint64_t octets) {
    off_t at = 0;
    std::vector<char> buffer;
    while (static_cast<std::uint64_t>(at) < octets) {
        const std::size_t left = static_cast<std::size_t>(octets) - static_cast<std::size_t>(at);
        if (buffer.empty()) {
            const ssize_t copied = ::copy_file_range(from, &at, to, nullptr, left, 0);
            if (copied > 0) continue;
            if (copied < 0 && (errno == ENOSPC || errno == EDQUOT)) return SpoolError(errno);
            buffer.resize(256u << 10);
        }
        const ssize_t got = ::pread(from, buffer.data(), std::min(left, buffer.size()), at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return SpoolError(got < 0 ? errno : EIO);
        std::vector<iovec> piece{{buffer.data(), static_cast<std::size_t>(got)}};
        if (auto written = write_all(to, piece); !written) return written.error();
        at += got;
    }
    return {};
}

// field-name = 1*ftext ":"   (RFC 5322, 3.6.8); blanks before the colon are obsolete syntax (4.5.3)
bool begins_with_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    std::string_view name = line.substr(0, colon);
    while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.remove_suffix(1);
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

}  // namespace

bool Body::open(std::optional<std::uint64_t> expected) {
    // A little more than announced, since clients count carelessly.
    const std::uint64_t wanted = std::min<std::uint64_t>(expected.value_or(0) + 512, kMostAnnounced);
    const std::size_t first = std::max(kFirstShare, static_cast<std::size_t>(wanted));
    if (share_.grow_to(first)) {
        memory_.reserve(first);
        return true;
    }
    return share_.grow_to(kFirstShare);
}

void Body::look() {
    if (header_size_) return;
    const std::string_view text = memory_;
    if (looked_ == 0) {
        const std::size_t line = text.find("\r\n");
        if (line == std::string_view::npos) return;
        headerless_ = line > 0 && !begins_with_field(text.substr(0, line));
        if (headerless_) header_size_ = 0;
        if (line == 0) header_size_ = 2;
        if (header_size_) {
            taken_ = *header_size_;
            return;
        }
    }
    const std::size_t from = looked_ < 3 ? 0 : looked_ - 3;
    const std::size_t end = text.find("\r\n\r\n", from);
    looked_ = text.size();
    if (end == std::string_view::npos) return;
    header_size_ = end + 4;
    taken_ = *header_size_;
}

void Body::end() {
    if (header_size_) return;
    header_size_ = memory_.size();
    taken_ = memory_.size();
}

std::string_view Body::take_body() {
    if (!header_size_) return {};
    const std::string_view fresh = std::string_view(memory_).substr(taken_);
    taken_ = memory_.size();
    return fresh;
}

Result<void, SpoolError> Body::settle() {
    const std::size_t header = header_size_.value_or(memory_.size());
    const bool large = memory_.size() - header >= kSpillAt;
    if (!large && share_.grow_to(memory_.capacity())) return {};
    // Without memory a header that is not complete yet still has to stay: it is bounded.
    return header_size_ ? spill() : Result<void, SpoolError>();
}

Result<void, SpoolError> Body::spill() {
    if (!file_) {
        auto created = spool_.create();
        if (!created) return created.error();
        file_ = *std::move(created);
    }
    std::vector<iovec> pieces;
    const std::string_view body = std::string_view(memory_).substr(*header_size_);
    add(pieces, body);
    if (auto written = write_all(file_.get(), pieces); !written) return written.error();
    spilled_ += body.size();
    memory_.resize(*header_size_);
    taken_ = *header_size_;
    return {};
}

Result<FileDescriptor, SpoolError> Body::write(std::string_view front, std::span<const Cut> cuts) const {
    // deliver copies it: what is in memory here need not touch the disk on its way.
    auto created = spilled_ == 0 ? Spool::create_in_memory() : spool_.create();
    if (!created) return created.error();
    FileDescriptor target = *std::move(created);
    std::vector<iovec> pieces;
    pieces.reserve(cuts.size() + 3);
    add(pieces, front);
    const std::string_view header = this->header();
    std::size_t at = 0;
    for (const Cut& cut : cuts) {
        add(pieces, header.substr(at, cut.offset - at));
        at = cut.offset + cut.size;
    }
    add(pieces, header.substr(at));
    const std::string_view body = std::string_view(memory_).substr(*header_size_);
    if (spilled_ == 0) add(pieces, body);
    if (auto written = write_all(target.get(), pieces); !written) return written.error();
    if (spilled_ == 0) return target;
    if (auto copied = copy(file_.get(), target.get(), spilled_); !copied) return copied.error();
    pieces.clear();
    add(pieces, body);
    if (auto written = write_all(target.get(), pieces); !written) return written.error();
    return target;
}

}  // namespace mailstead::smtpd
