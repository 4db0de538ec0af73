#include "imapd/commands/decoded.h"

#include <algorithm>
#include <memory>
#include <unistd.h>

#include "common/runtime/log.h"
#include "common/runtime/offload.h"
#include "imapd/session/session.h"

namespace mailstead::imapd::commands {
namespace {

// A part of a file, decoded piece by piece. On the pool, one call at a time.
class DecodedPart {
public:
    DecodedPart(std::shared_ptr<const store::OpenMessage> file, mime::ByteRange range,
                mime::TransferEncoding encoding)
        : file_(std::move(file)), at_(range.begin), end_(range.end), decoder_(encoding) {}

    // Appends what the next piece of the file gives. False when there is nothing more.
    bool read(std::string& out) {
        if (finished_) return false;
        piece_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, end_ - at_)));
        const std::size_t got = piece_.empty() ? 0 : read_piece();
        decoder_.decode(std::string_view(piece_).substr(0, got), out);
        at_ += got;
        if (at_ == end_ || got == 0) {
            decoder_.finish(out);
            finished_ = true;
        }
        return true;
    }

private:
    std::size_t read_piece() {
        for (;;) {
            const ssize_t n =
                ::pread(file_->descriptor.get(), piece_.data(), piece_.size(), static_cast<off_t>(at_));
            if (n < 0 && errno == EINTR) continue;
            return n > 0 ? static_cast<std::size_t>(n) : 0;
        }
    }

    std::shared_ptr<const store::OpenMessage> file_;
    std::uint64_t at_;
    std::uint64_t end_;
    mime::TransferDecoder decoder_;
    std::string piece_;
    bool finished_ = false;
};

// What the client gets of `size` bytes.
mime::ByteRange wanted_of(const proto::FetchItem& item, std::uint64_t size) {
    if (!item.partial) return {0, size};
    const std::uint64_t begin = std::min(item.partial->offset, size);
    return {begin, begin + std::min(item.partial->count, size - begin)};
}

struct Survey {
    std::uint64_t size = 0;
    bool has_nul = false;  // among the wanted bytes
    std::string kept;      // all of a small part
};

Survey survey(DecodedPart part, const proto::FetchItem& item) {
    Survey found;
    std::string piece;
    for (piece.clear(); part.read(piece); piece.clear()) {
        const std::string_view bytes(piece);
        const std::uint64_t first = item.partial ? item.partial->offset : 0;
        const std::uint64_t skipped = first > found.size ? first - found.size : 0;
        if (skipped < bytes.size()) {
            std::string_view wanted = bytes.substr(static_cast<std::size_t>(skipped));
            if (item.partial) {
                const std::uint64_t before = found.size + skipped - first;
                const std::uint64_t left = item.partial->count - std::min(item.partial->count, before);
                wanted =
                    wanted.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, wanted.size())));
            }
            found.has_nul = found.has_nul || wanted.find('\0') != std::string_view::npos;
        }
        found.size += bytes.size();
        if (found.size <= kPiece) found.kept += bytes;
    }
    return found;
}

// The second time: `wanted` of what the part decodes to.
net::Task<bool> send_again(Session& session, const Content& content, mime::ByteRange wanted) {
    const auto part = std::make_shared<DecodedPart>(content.file, content.range, content.encoding);
    std::uint64_t at = 0;
    while (at < wanted.end) {
        const auto job = [part] {
            std::string piece;
            return part->read(piece) ? std::optional<std::string>(std::move(piece)) : std::nullopt;
        };
        const auto piece = co_await runtime::offload_or_run(session.backend.pool(), job);
        if (!piece) break;
        const std::string_view bytes(*piece);
        const std::uint64_t skipped = wanted.begin > at ? wanted.begin - at : 0;
        const std::uint64_t last = std::min<std::uint64_t>(bytes.size(), wanted.end - at);
        if (skipped < last)
            session.out() +=
                bytes.substr(static_cast<std::size_t>(skipped), static_cast<std::size_t>(last - skipped));
        at += bytes.size();
        if (session.out().size() < kPiece) continue;
        const auto sent = co_await session.connection.flush();
        if (!sent) co_return false;
    }
    if (at < wanted.end) {
        // The length was announced: what cannot be read is sent as blanks.
        log::error("imap.message.short", {{"account", session.account.value}, {"missing", wanted.end - at}});
        session.out().append(static_cast<std::size_t>(wanted.end - std::max(at, wanted.begin)), ' ');
    }
    co_return true;
}

}  // namespace

net::Task<bool> send_decoded(Session& session, const Content& content, bool& unknown_encoding) {
    const proto::FetchItem& item = *content.item;
    const bool asks_size = item.kind == proto::FetchKind::binary_size;
    if (content.encoding == mime::TransferEncoding::unknown) {
        unknown_encoding = true;  // RFC 3516, 4.3
        session.out() += asks_size ? "0" : "NIL";
        co_return true;
    }
    const auto job = [&content, &item] {
        return survey(DecodedPart(content.file, content.range, content.encoding), item);
    };
    const auto found = co_await runtime::offload_or_run(session.backend.pool(), job);
    if (asks_size) {
        proto::write_number(session.out(), found.size);
    } else if (found.size <= kPiece) {
        write_bytes(session.out(), item, found.kept);
    } else {
        const mime::ByteRange wanted = wanted_of(item, found.size);
        if (wanted.size() == 0) {
            session.out() += "\"\"";
            co_return true;
        }
        proto::write_literal_head(session.out(), wanted.size(), found.has_nul);
        co_return co_await send_again(session, content, wanted);
    }
    co_return true;
}

}  // namespace mailstead::imapd::commands
