// SETQUOTA.
#include "common/base/text.h"
#include "imapd/proto/parser.h"

namespace mailstead::imapd::proto {

// setquota          = "SETQUOTA" SP quota-root-name SP setquota-list   (RFC 9208, 7)
// setquota-list     = "(" [setquota-resource *(SP setquota-resource)] ")"
// setquota-resource = resource-name SP resource-limit
Parsed<SetQuota> parse_setquota(Parser& p) {
    SetQuota quota;
    TRY_VOID(p.in.space());
    TRY(root, p.in.astring());
    quota.root = std::move(root);
    TRY_VOID(p.in.space());
    TRY_VOID(p.in.expect('(', "( expected"));
    if (p.in.take(')')) return quota;
    do {
        if (quota.limits.size() == 16) return p.in.error("too many resources");
        TRY(name, p.in.atom());
        TRY_VOID(p.in.space());
        TRY(limit, p.in.number64());
        quota.limits.emplace_back(text::upper(name), limit);
    } while (p.in.take(' '));
    TRY_VOID(p.in.expect(')', ") expected"));
    return quota;
}

}  // namespace mailstead::imapd::proto
