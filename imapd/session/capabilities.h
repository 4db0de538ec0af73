// What this server announces, and what of it is hidden (RFC 9051, 6.1.1 and 7.2.2). Hiding a capability also
// disables it.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailstead::imapd {

enum class Capability : std::uint8_t {
    imap4rev1,
    imap4rev2,
    literal_plus,        // RFC 7888
    sasl_ir,             // RFC 4959
    enable,              // RFC 5161
    id,                  // RFC 2971
    idle,                // RFC 2177
    namespace_,          // RFC 2342
    uidplus,             // RFC 4315
    move,                // RFC 6851
    condstore,           // RFC 7162
    qresync,             // RFC 7162
    esearch,             // RFC 4731
    searchres,           // RFC 5182
    within,              // RFC 5032
    special_use,         // RFC 6154
    create_special_use,  // RFC 6154
    list_extended,       // RFC 5258
    list_status,         // RFC 5819
    children,            // RFC 3348
    unselect,            // RFC 3691
    binary,              // RFC 3516
    status_size,         // RFC 8438
    objectid,            // RFC 8474
    quota,               // RFC 9208
    utf8_accept,         // RFC 6855
    append_limit,        // RFC 7889
    multi_append,        // RFC 3502
    save_date,           // RFC 8514
    compress_deflate,    // RFC 4978
    in_progress,         // RFC 9585
    message_limit,       // RFC 9738
    notify,              // RFC 5465
    save_limit,          // RFC 9738
    uid_batches,         // RFC 10022
    uid_only,            // RFC 9586
    unauthenticate,      // RFC 8437
    preview,             // RFC 8970
    acl,                 // RFC 4314
    list_my_rights,      // RFC 8440
    replace,             // RFC 8508
    catenate,            // RFC 4469
    url_partial,         // RFC 5550
    metadata,            // RFC 5464
    metadata_server,     // RFC 5464
    list_metadata,       // RFC 9590
    quota_set,           // RFC 9208
    sort,                // RFC 5256
    sort_display,        // RFC 5957
    esort,               // RFC 5267
    thread_subject,      // RFC 5256
    thread_references,   // RFC 5256
    thread_refs,         // draft-ietf-morg-inthread
    i18n_level,          // RFC 5255
    partial,             // RFC 9394
    context_search,      // RFC 5267
    context_sort,        // RFC 5267
    search_fuzzy,        // RFC 6203
    multi_search,        // RFC 7377
    filters,             // RFC 5466
    auth_scram_plus,     // RFC 7677
    auth_scram,          // RFC 7677
    auth_plain,          // RFC 4616
    auth_login,
    count
};

class Capabilities {
public:
    // By their announced names, any case: `IDLE`, `STATUS=SIZE`, `QUOTA`, `AUTH=LOGIN`. Unknown names are
    // passed over.
    void hide(std::span<const std::string> names);
    bool has(Capability capability) const { return !hidden_.test(static_cast<std::size_t>(capability)); }

    struct BeforeLogin {
        bool starttls = false;
        bool login_disabled = false;
        std::vector<std::string_view> mechanisms;
    };
    // `CAPABILITY IMAP4rev1 ...`: short before login, since nothing else can be used yet.
    void write_before_login(std::string& out, const BeforeLogin& state) const;
    // RFC 9738: limits of 0 are none and are not announced.
    struct Limits {
        std::uint32_t messages = 0;
        std::uint32_t saved = 0;
    };
    void write_after_login(std::string& out, std::uint64_t append_limit, Limits limits) const;

private:
    std::bitset<static_cast<std::size_t>(Capability::count)> hidden_;
};

}  // namespace mailstead::imapd
