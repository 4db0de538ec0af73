// Why the store refused: one value for every change and every read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace mailstead::store {

enum class Fault : std::uint8_t {
    non_existent = 1,    // no such account, mailbox or message: NO [NONEXISTENT]
    already_exists = 2,  // NO [ALREADYEXISTS]
    try_create = 3,      // the destination of APPEND, COPY or MOVE is missing: NO [TRYCREATE]
    has_children = 4,    // NO [HASCHILDREN]
    over_quota = 5,      // NO [OVERQUOTA], SMTP 552 5.2.2
    limit = 6,           // a bound of the store itself: NO [LIMIT]
    cannot = 7,          // never possible, such as deleting INBOX: NO [CANNOT]
    use_attribute = 8,   // the special use is taken or unknown (RFC 6154, 3): NO [USEATTR]
    invalid = 9,         // the change itself makes no sense: a fault of the caller
    damaged = 10,        // the index contradicts itself or cannot be read; a rebuild makes it anew
    newer_format = 11,   // written by a newer Mailstead; nothing was touched
    unavailable = 12,    // a file, the disk, the journal: later may help
    gone = 13,           // the message was expunged meanwhile: NO [EXPUNGEISSUED]
    disk_full = 14,      // no room for this; small changes may still pass
    set_aside = 15,      // the account is out of service until its index is rebuilt
};

// What people hear who ask for an account that is set aside, when nobody knows how far its repair is.
inline constexpr std::string_view kBeingRepaired =
    "Your mailbox is being repaired. Nothing is lost; please try again in a minute";

struct Failure {
    Failure() = default;
    Failure(Fault why, std::string text) : fault(why), what(std::move(text)) {}
    // Failures from below the store are `unavailable`; one that to_error() (change.h) wrapped is found again.
    Failure(Error error);  // NOLINT: TRY converts

    // Whether the same change may succeed later without anyone mending the account.
    bool is_transient() const {
        return fault == Fault::unavailable || fault == Fault::disk_full || fault == Fault::set_aside;
    }

    Fault fault = Fault::unavailable;
    std::string what;  // for logs and reply texts: never holds message contents
};

[[noreturn]] void throw_exception_from_error(const Failure& failure, const boost::source_location& where);

template <class T>
using Outcome = Result<T, Failure>;

}  // namespace mailstead::store
