// Address lists in From, To and their like (RFC 5322, 3.4 and 4.4).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/address.h"

namespace mailstead::mime {

inline constexpr std::size_t kMaxListedAddresses = 10'000;  // entries of one field, group marks included

struct ListedAddress {
    enum class Kind { mailbox, group_start, group_end };
    Kind kind = Kind::mailbox;
    std::string name;    // display name or group name; unquoted, encoded words still encoded; may be empty
    std::string route;   // obsolete source route, "@a,@b"; mostly empty
    std::string local;   // unquoted; empty only in malformed text
    std::string domain;  // as written, comments removed; empty when there was no "@"

    // The name in UTF-8.
    std::string decoded_name() const;
    // The mailbox as a checked address; nullopt when it is none.
    std::optional<Address> address() const;
    friend bool operator==(const ListedAddress&, const ListedAddress&) = default;
};

// Takes entries one after another out of a field body, folded or not. Never fails; malformed pieces give an
// entry with what could be made of them, or none. A comment after an address without display name is its name
// (`a@b.example (Ann)`). Linear time.
class AddressListReader {
public:
    explicit AddressListReader(std::string_view body) : text_(body) {}
    // Reads the next entry into `entry`; false at the end.
    bool next(ListedAddress& entry);

private:
    bool read_mailbox_or_group(ListedAddress& entry);
    void read_angle(ListedAddress& entry);
    void read_word(std::string& out);
    void skip_blanks();

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t count_ = 0;
    bool in_group_ = false;
    std::string comment_;
};

// All entries, or only the mailboxes, groups opened.
std::vector<ListedAddress> parse_address_list(std::string_view body);
std::vector<ListedAddress> parse_mailboxes(std::string_view body);

// One entry as a header shows it: `"Ann B." <ann@example.org>`; `utf8_name` is encoded where it is not ASCII.
std::string write_mailbox(std::string_view utf8_name, const Address& address);

}  // namespace mailstead::mime
