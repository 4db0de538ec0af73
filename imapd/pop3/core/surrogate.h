// An internationalized message for a client that knows ASCII headers alone (RFC 6858, as RFC 6856, 2.1 lets a
// server choose).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/mime/part_tree.h"

namespace mailstead::imapd::pop3 {

// These bytes of the message are to be replaced by `text`.
struct Replacement {
    mime::ByteRange range;
    std::string text;
};

// The headers of the message and of its parts that are not ASCII, as the client may see them, in their order;
// nothing when all are. Bodies stay as they are. Addresses that cannot be shown become ones that lead
// nowhere, with the name that was theirs; texts become encoded words; parameters that are not ASCII, and
// other fields, are left out (RFC 6858, 2).
std::vector<Replacement> surrogate_headers(std::string_view message);

// One header, blank line included.
std::string surrogate_header(std::string_view header);

}  // namespace mailstead::imapd::pop3
