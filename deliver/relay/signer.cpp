#include "deliver/relay/signer.h"

#include <algorithm>
#include <unistd.h>

#include "common/mime/address_list.h"
#include "common/mime/headers.h"

namespace mailstead::deliver {
namespace {

constexpr std::size_t kChunk = 256 * 1024;
constexpr std::size_t kMaxHeader = 1024 * 1024;
constexpr Seconds kKeysAge{60};

Result<std::string> read_piece(int descriptor, std::uint64_t offset, std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t filled = 0;
    while (filled < size) {
        const ssize_t count =
            ::pread(descriptor, bytes.data() + filled, size - filled, static_cast<off_t>(offset + filled));
        if (count <= 0) return transient_error("a queued message cannot be read");
        filled += static_cast<std::size_t>(count);
    }
    return bytes;
}

// The domain of the first author (RFC 5322, 3.6.2); nullopt when From names none.
std::optional<Domain> author_domain(std::string_view header) {
    const auto from = mime::find_field(header, "From");
    if (!from) return std::nullopt;
    for (const auto& author : mime::parse_mailboxes(from->body)) {
        if (const auto address = author.address()) return address->domain();
    }
    return std::nullopt;
}

}  // namespace

Result<std::vector<mailauth::DkimSelector>> Signer::keys_of(const Domain& domain, Time now) {
    const std::lock_guard lock(mutex_);
    Keys& known = keys_[domain];
    if (known.read_at != Time{} && now - known.read_at < kKeysAge) return known.selectors;
    TRY(stored, credentials_.dkim_keys(domain));
    known.selectors.clear();
    known.read_at = now;
    for (const auto& key : stored) {
        if (key.state != directory::DkimState::signing) continue;
        auto parsed = mailauth::DkimKey::from_pem(key.private_pem);
        if (!parsed)
            return permanent_error("DKIM key " + key.selector + " of " + domain.ascii() + ": " +
                                   parsed.error().what);
        known.selectors.push_back(
            {key.selector, std::make_shared<const mailauth::DkimKey>(*std::move(parsed))});
    }
    return known.selectors;
}

Result<std::string> Signer::sign(int descriptor, std::uint64_t size, const std::optional<Domain>& fallback,
                                 Time now) {
    TRY(first,
        read_piece(descriptor, 0, static_cast<std::size_t>(std::min<std::uint64_t>(size, kMaxHeader))));
    const std::size_t header = mime::header_size(first);

    std::optional<Domain> domain;
    std::vector<mailauth::DkimSelector> selectors;
    const auto from = author_domain(std::string_view(first).substr(0, header));
    for (const auto& candidate : {from, fallback}) {
        if (!candidate || !selectors.empty()) continue;
        TRY(keys, keys_of(*candidate, now));
        selectors = std::move(keys);
        domain = candidate;
    }
    if (selectors.empty()) return std::string{};

    mailauth::DkimSignOptions options;
    options.domain = domain->ascii();
    mailauth::DkimSigner signer(std::move(options), std::move(selectors), now);
    signer.headers(std::string_view(first).substr(0, header));
    signer.body(std::string_view(first).substr(header));
    for (std::uint64_t offset = first.size(); offset < size;) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, size - offset));
        TRY(piece, read_piece(descriptor, offset, want));
        signer.body(piece);
        offset += want;
    }
    return signer.finish();
}

}  // namespace mailstead::deliver
