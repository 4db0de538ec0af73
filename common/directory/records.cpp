#include "common/directory/records.h"

#include "common/base/bytes.h"

namespace mailstead::directory {
namespace {

constexpr std::uint8_t kVersion = 1;
enum class AddressKind : std::uint8_t { account = 1, alias = 2 };

Error damaged(const char* what) {
    return transient_error(std::string("the directory holds a damaged record: ") + what);
}

void write_time(ByteWriter& out, Time time) {
    out.fixed64(static_cast<std::uint64_t>(time.time_since_epoch().count()));
}
Time read_time(ByteReader& in) {
    return Time(Milliseconds(static_cast<std::int64_t>(in.fixed64())));
}

void write_optional(ByteWriter& out, const std::optional<Address>& address) {
    out.string(address ? address->to_string() : std::string());
}

// False when there is something that is no address.
bool read_optional(ByteReader& in, std::optional<Address>& address) {
    const std::string_view text = in.string();
    if (text.empty()) return true;
    auto parsed = Address::parse(text);
    if (!parsed) return false;
    address = *std::move(parsed);
    return true;
}

}  // namespace

std::string encode(const Account& account) {
    ByteWriter out;
    out.u8(kVersion);
    out.string(account.login.to_string());
    out.string(account.display_name);
    out.varint(account.limits.octets);
    out.varint(account.hidden_capabilities.size());
    for (const std::string& name : account.hidden_capabilities) out.string(name);
    write_time(out, account.created);
    out.u8(static_cast<std::uint8_t>(account.state));
    out.varint(account.limits.messages);
    out.varint(account.limits.mailboxes);
    out.boolean(account.is_admin);
    return out.take();
}

Result<Account> decode_account(AccountId id, std::string_view bytes) {
    ByteReader in(bytes);
    if (in.u8() != kVersion) return damaged("an account of unknown version");
    auto login = Address::parse(in.string());
    if (!login) return damaged("an account without login");
    Account account{id, *std::move(login), std::string(in.string()), {in.varint(), 0, 0}, {}, {}, {}, false};
    for (std::size_t n = in.count(); n > 0; --n) account.hidden_capabilities.emplace_back(in.string());
    account.created = read_time(in);
    const std::uint8_t state = in.u8();
    if (!in.at_end()) {  // records of older programs end here
        account.limits.messages = in.varint();
        account.limits.mailboxes = in.varint();
        account.is_admin = in.boolean();
    }
    if (!in.ok() || !in.at_end() || state > static_cast<std::uint8_t>(AccountState::disabled))
        return damaged("an account");
    account.state = static_cast<AccountState>(state);
    return account;
}

std::string encode(const RemovedAccount& removed) {
    ByteWriter out;
    out.u8(kVersion);
    write_time(out, removed.removed);
    out.boolean(removed.delete_at.has_value());
    if (removed.delete_at) write_time(out, *removed.delete_at);
    out.boolean(removed.deleting);
    out.string(encode(removed.account));
    return out.take();
}

Result<RemovedAccount> decode_removed(AccountId id, std::string_view bytes) {
    ByteReader in(bytes);
    if (in.u8() != kVersion) return damaged("a removed account of unknown version");
    const Time removed = read_time(in);
    std::optional<Time> delete_at;
    if (in.boolean()) delete_at = read_time(in);
    const bool deleting = in.boolean();
    TRY(account, decode_account(id, in.string()));
    if (!in.ok() || !in.at_end()) return damaged("a removed account");
    return RemovedAccount{std::move(account), removed, delete_at, deleting};
}

std::string encode(const DomainRecord& domain) {
    ByteWriter out;
    out.u8(kVersion);
    write_time(out, domain.created);
    write_optional(out, domain.catch_all);
    out.string(domain.alias_of ? domain.alias_of->ascii() : std::string());
    return out.take();
}

Result<DomainRecord> decode_domain(std::string_view name, std::string_view bytes) {
    auto parsed_name = Domain::parse(name);
    if (!parsed_name) return damaged("a domain's name");
    ByteReader in(bytes);
    if (in.u8() != kVersion) return damaged("a domain of unknown version");
    DomainRecord domain{*std::move(parsed_name), read_time(in), {}, {}};
    if (!read_optional(in, domain.catch_all)) return damaged("a domain");
    if (const std::string_view original = in.string(); !original.empty()) {
        auto alias_of = Domain::parse(original);
        if (!alias_of) return damaged("a domain's original");
        domain.alias_of = *std::move(alias_of);
    }
    if (!in.ok() || !in.at_end()) return damaged("a domain");
    return domain;
}

std::string encode(const AddressRecord& address) {
    ByteWriter out;
    out.u8(kVersion);
    if (const auto* account = std::get_if<AccountId>(&address)) {
        out.u8(static_cast<std::uint8_t>(AddressKind::account));
        out.fixed32(account->value);
        return out.take();
    }
    const auto& alias = std::get<AliasRecord>(address);
    out.u8(static_cast<std::uint8_t>(AddressKind::alias));
    write_time(out, alias.created);
    out.varint(alias.targets.size());
    for (const Address& target : alias.targets) out.string(target.to_string());
    return out.take();
}

Result<AddressRecord> decode_address(std::string_view bytes) {
    ByteReader in(bytes);
    if (in.u8() != kVersion) return damaged("an address of unknown version");
    const std::uint8_t kind = in.u8();
    if (kind == static_cast<std::uint8_t>(AddressKind::account)) {
        const AccountId id(in.fixed32());
        if (!in.ok() || !in.at_end()) return damaged("an address");
        return AddressRecord(id);
    }
    if (kind != static_cast<std::uint8_t>(AddressKind::alias)) return damaged("an address of unknown kind");
    AliasRecord alias;
    alias.created = read_time(in);
    for (std::size_t n = in.count(); n > 0; --n) {
        auto target = Address::parse(in.string());
        if (!target) return damaged("an alias's target");
        alias.targets.push_back(*std::move(target));
    }
    if (!in.ok() || !in.at_end()) return damaged("an alias");
    return AddressRecord(std::move(alias));
}

}  // namespace mailstead::directory
