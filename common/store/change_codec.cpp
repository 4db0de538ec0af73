// change = version:u8 at:fixed64 kind:u8 fields; result = version:u8 kind:u8 fields. Fields in the order of
// the structs.
#include <charconv>

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/store/change.h"

namespace mailstead::store {
namespace {

// Version 1, which journals of older programs hold, knew no limit of mailboxes.
constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kResultVersion = 1;
constexpr std::size_t kMaxFlagNames = 256;
constexpr std::size_t kMaxRenamed = 4'096;
constexpr unsigned kScoped = 0x80;  // a FlagScope ends the action

std::uint64_t bits_of(Time time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}
Time time_of(std::uint64_t bits) {
    return Time(Milliseconds(static_cast<std::int64_t>(bits)));
}

// ---- pieces

void write_destination(ByteWriter& out, const Destination& to) {
    out.string(to.name.utf8());
    out.boolean(to.create);
    out.u8(static_cast<std::uint8_t>(to.prefer));
}

void write_new_message(ByteWriter& out, const NewMessage& message) {
    write(out, message.flags);
    out.fixed64(bits_of(message.internal_date));
    out.varint(message.size);
    out.string(message.cache);
    out.varint(message.file);
}

void write_scope(ByteWriter& out, FlagScope scope) {
    out.u8(scope.system.bits());
    out.boolean(scope.keywords);
}

// Reading: `ok` in the reader covers bounds; `fine` covers values.
struct Decoder {
    ByteReader in;
    bool fine = true;
    std::uint8_t version = kVersion;

    explicit Decoder(std::string_view bytes) : in(bytes) {}
    bool good() const { return fine && in.ok(); }

    void require(bool condition) { fine = fine && condition; }
    MailboxName name() {
        auto parsed = MailboxName::parse(in.string());
        if (parsed) return *std::move(parsed);
        fine = false;
        return MailboxName::inbox();
    }
    SpecialUse special_use() {
        const std::uint8_t value = in.u8();
        require(value <= static_cast<std::uint8_t>(SpecialUse::trash));
        return good() ? static_cast<SpecialUse>(value) : SpecialUse::none;
    }
    MailboxId mailbox() { return MailboxId(in.varint32()); }
    FlagList flags() {
        FlagList list = read_flag_list(in);
        require(list.keywords.size() <= kMaxFlagNames);
        for (const std::string& keyword : list.keywords) require(is_keyword(keyword));
        return list;
    }
    Destination destination() {
        Destination to;
        to.name = name();
        to.create = in.boolean();
        to.prefer = special_use();
        return to;
    }
    NewMessage new_message() {
        NewMessage message;
        message.flags = flags();
        message.internal_date = time_of(in.fixed64());
        message.size = in.varint();
        message.cache = in.string();
        message.file = in.varint32();
        require(message.cache.size() <= kMaxFetchCacheBytes);
        require(message.size <= kMaxMessageSize);
        return message;
    }
    FlagScope scope() {
        FlagScope scope;
        const std::uint8_t bits = in.u8();
        require(bits <= SystemFlags::kAll);
        scope.system = SystemFlags::from_bits(bits);
        scope.keywords = in.boolean();
        return scope;
    }
    static constexpr std::size_t kMaxFetchCacheBytes = 96 * 1024;
    static constexpr std::uint64_t kMaxMessageSize = std::uint64_t{1} << 40;
};

// ---- actions, one writer and one reader each

void write_action(ByteWriter& out, const Append& a) {
    write_destination(out, a.to);
    out.varint(a.messages.size());
    for (const NewMessage& message : a.messages) write_new_message(out, message);
    out.boolean(a.ignore_quota);
}
void read_action(Decoder& d, Append& a) {
    a.to = d.destination();
    const std::size_t count = d.in.count();
    d.require(count >= 1 && count <= kMaxAppend);
    for (std::size_t n = 0; n < count && d.good(); ++n) a.messages.push_back(d.new_message());
    a.ignore_quota = d.in.boolean();
}

void write_action(ByteWriter& out, const StoreFlags& a) {
    out.varint(a.mailbox.value);
    write(out, a.uids);
    // A scope is written only when it is not everything.
    out.u8(static_cast<std::uint8_t>(static_cast<unsigned>(a.how) | (a.scope.is_all() ? 0 : kScoped)));
    write(out, a.flags);
    out.boolean(a.unchanged_since.has_value());
    if (a.unchanged_since) out.varint(a.unchanged_since->value);
    if (!a.scope.is_all()) write_scope(out, a.scope);
}
void read_action(Decoder& d, StoreFlags& a) {
    a.mailbox = d.mailbox();
    a.uids = read_uid_set(d.in);
    const std::uint8_t bits = d.in.u8();
    const bool scoped = (bits & kScoped) != 0;
    const auto how = static_cast<std::uint8_t>(bits & ~kScoped);
    d.require(how <= 2);
    a.how = static_cast<StoreFlags::How>(how);
    a.flags = d.flags();
    if (d.in.boolean()) a.unchanged_since = ModSeq(d.in.varint());
    if (scoped) a.scope = d.scope();
}

void write_action(ByteWriter& out, const Expunge& a) {
    out.varint(a.mailbox.value);
    out.boolean(a.uids.has_value());
    if (a.uids) write(out, *a.uids);
    out.boolean(a.only_deleted);
}
void read_action(Decoder& d, Expunge& a) {
    a.mailbox = d.mailbox();
    if (d.in.boolean()) a.uids = read_uid_set(d.in);
    a.only_deleted = d.in.boolean();
}

void write_action(ByteWriter& out, const Copy& a) {
    out.varint(a.from.value);
    write(out, a.uids);
    write_destination(out, a.to);
    out.u8(static_cast<std::uint8_t>((a.move ? 1U : 0U) | (a.scope.is_all() ? 0 : kScoped)));
    if (!a.scope.is_all()) write_scope(out, a.scope);
}
void read_action(Decoder& d, Copy& a) {
    a.from = d.mailbox();
    a.uids = read_uid_set(d.in);
    a.to = d.destination();
    const std::uint8_t bits = d.in.u8();
    d.require((bits & ~kScoped) <= 1);
    a.move = (bits & 1) != 0;
    if ((bits & kScoped) != 0) a.scope = d.scope();
}

void write_action(ByteWriter& out, const CreateMailbox& a) {
    out.string(a.name.utf8());
    out.u8(static_cast<std::uint8_t>(a.special_use));
    out.boolean(a.subscribe);
}
void read_action(Decoder& d, CreateMailbox& a) {
    a.name = d.name();
    a.special_use = d.special_use();
    a.subscribe = d.in.boolean();
}

void write_action(ByteWriter& out, const DeleteMailbox& a) {
    out.string(a.name.utf8());
}
void read_action(Decoder& d, DeleteMailbox& a) {
    a.name = d.name();
}

void write_action(ByteWriter& out, const RenameMailbox& a) {
    out.string(a.from.utf8());
    out.string(a.to.utf8());
}
void read_action(Decoder& d, RenameMailbox& a) {
    a.from = d.name();
    a.to = d.name();
}

void write_action(ByteWriter& out, const Subscribe& a) {
    out.string(a.name.utf8());
    out.boolean(a.subscribed);
}
void read_action(Decoder& d, Subscribe& a) {
    a.name = d.name();
    a.subscribed = d.in.boolean();
}

void write_action(ByteWriter& out, const SetSpecialUse& a) {
    out.string(a.name.utf8());
    out.u8(static_cast<std::uint8_t>(a.special_use));
}
void read_action(Decoder& d, SetSpecialUse& a) {
    a.name = d.name();
    a.special_use = d.special_use();
}

void write_action(ByteWriter&, const CreateAccount&) {}
void read_action(Decoder&, CreateAccount&) {}

void write_action(ByteWriter& out, const SetQuota& a) {
    out.varint(a.octets);
    out.varint(a.messages);
    out.varint(a.mailboxes);
}
void read_action(Decoder& d, SetQuota& a) {
    a.octets = d.in.varint();
    a.messages = d.in.varint();
    if (d.version > 1) a.mailboxes = d.in.varint();
}

void write_action(ByteWriter& out, const SetMetadata& a) {
    out.boolean(a.mailbox.has_value());
    if (a.mailbox) out.string(a.mailbox->utf8());
    out.varint(a.entries.size());
    for (const SetMetadata::Entry& entry : a.entries) {
        out.string(entry.name);
        out.boolean(entry.value.has_value());
        if (entry.value) out.string(*entry.value);
    }
}
void read_action(Decoder& d, SetMetadata& a) {
    if (d.in.boolean()) a.mailbox = d.name();
    const std::size_t count = d.in.count();
    d.require(count <= kMaxMetadataEntries);
    for (std::size_t n = 0; n < count && d.good(); ++n) {
        SetMetadata::Entry entry;
        entry.name = d.in.string();
        if (d.in.boolean()) entry.value = d.in.string();
        a.entries.push_back(std::move(entry));
    }
}

void write_action(ByteWriter& out, const AdoptFile& a) {
    out.varint(a.mailbox.value);
    out.string(a.path);
    write_new_message(out, a.message);
}
void read_action(Decoder& d, AdoptFile& a) {
    a.mailbox = d.mailbox();
    a.path = d.in.string();
    // Below the account's Maildir, nowhere else.
    d.require(!a.path.empty() && a.path.front() != '/' &&
              ("/" + a.path + "/").find("/../") == std::string::npos);
    a.message = d.new_message();
}

void write_action(ByteWriter& out, const Followed& a) {
    out.varint(a.tasks_through);
    out.varint(a.renamed.size());
    for (const Followed::Renamed& renamed : a.renamed) {
        out.varint(renamed.mailbox.value);
        out.varint(renamed.uid.value);
        out.u8(renamed.place);
    }
    out.varint(a.moved_mailbox.value);
    out.string(a.moved_folder);
    out.varint(a.purge.value);
    out.varint(a.purge_limit);
    out.varint(a.names_checked.value);
    write(out, a.checked);
}
void read_action(Decoder& d, Followed& a) {
    a.tasks_through = d.in.varint();
    const std::size_t count = d.in.count();
    d.require(count <= kMaxRenamed);
    for (std::size_t n = 0; n < count && d.good(); ++n) {
        Followed::Renamed renamed;
        renamed.mailbox = d.mailbox();
        renamed.uid = Uid(d.in.varint32());
        renamed.place = d.in.u8();
        a.renamed.push_back(renamed);
    }
    a.moved_mailbox = d.mailbox();
    a.moved_folder = d.in.string();
    a.purge = d.mailbox();
    a.purge_limit = d.in.varint32();
    a.names_checked = d.mailbox();
    a.checked = read_uid_set(d.in);
}

void write_action(ByteWriter& out, const SetAcl& a) {
    out.string(a.mailbox.utf8());
    out.varint(a.who.value);
    out.boolean(a.negative);
    out.u8(static_cast<std::uint8_t>(a.how));
    out.varint(a.rights.bits());
}
void read_action(Decoder& d, SetAcl& a) {
    a.mailbox = d.name();
    a.who = AccountId(d.in.varint32());
    a.negative = d.in.boolean();
    const std::uint8_t how = d.in.u8();
    d.require(how <= 2);
    a.how = static_cast<SetAcl::How>(how);
    const std::uint32_t bits = d.in.varint32();
    d.require(bits <= Rights::kAll);
    a.rights = Rights::from_bits(static_cast<std::uint16_t>(bits & Rights::kAll));
}

void write_action(ByteWriter& out, const Replace& a) {
    write_action(out, a.append);
    out.varint(a.from.value);
    out.varint(a.uid.value);
}
void read_action(Decoder& d, Replace& a) {
    read_action(d, a.append);
    d.require(a.append.messages.size() == 1);
    a.from = d.mailbox();
    a.uid = Uid(d.in.varint32());
}

// ---- results

void write_result(ByteWriter& out, const AclSet& r) {
    out.boolean(r.still_granted);
}
void read_result(ByteReader& in, AclSet& r) {
    r.still_granted = in.boolean();
}

void write_result(ByteWriter&, const Done&) {}
void read_result(ByteReader&, Done&) {}

void write_result(ByteWriter& out, const Appended& r) {
    out.varint(r.mailbox.value);
    out.varint(r.uidvalidity.value);
    write(out, r.uids);
    out.varint(r.first_message.value);
    out.varint(r.modseq.value);
}
void read_result(ByteReader& in, Appended& r) {
    r.mailbox = MailboxId(in.varint32());
    r.uidvalidity = UidValidity(in.varint32());
    r.uids = read_uid_set(in);
    r.first_message = MessageId(in.varint());
    r.modseq = ModSeq(in.varint());
}

void write_result(ByteWriter& out, const FlagsStored& r) {
    write(out, r.changed);
    write(out, r.failed);
    out.varint(r.modseq.value);
}
void read_result(ByteReader& in, FlagsStored& r) {
    r.changed = read_uid_set(in);
    r.failed = read_uid_set(in);
    r.modseq = ModSeq(in.varint());
}

void write_result(ByteWriter& out, const Expunged& r) {
    write(out, r.uids);
    out.varint(r.modseq.value);
}
void read_result(ByteReader& in, Expunged& r) {
    r.uids = read_uid_set(in);
    r.modseq = ModSeq(in.varint());
}

void write_result(ByteWriter& out, const Copied& r) {
    out.varint(r.mailbox.value);
    out.varint(r.uidvalidity.value);
    write(out, r.source);
    write(out, r.destination);
    out.varint(r.modseq.value);
}
void read_result(ByteReader& in, Copied& r) {
    r.mailbox = MailboxId(in.varint32());
    r.uidvalidity = UidValidity(in.varint32());
    r.source = read_uid_set(in);
    r.destination = read_uid_set(in);
    r.modseq = ModSeq(in.varint());
}

void write_result(ByteWriter& out, const MailboxMade& r) {
    out.varint(r.mailbox.value);
    out.varint(r.uidvalidity.value);
}
void read_result(ByteReader& in, MailboxMade& r) {
    r.mailbox = MailboxId(in.varint32());
    r.uidvalidity = UidValidity(in.varint32());
}

void write_result(ByteWriter& out, const MetadataSet& r) {
    out.varint(r.modseq.value);
}
void read_result(ByteReader& in, MetadataSet& r) {
    r.modseq = ModSeq(in.varint());
}

// The alternative number `kind` of the variant, read by `read`; false when there is none.
template <std::size_t N = 0, class Variant, class Read>
bool read_alternative(std::size_t kind, Variant& variant, Read&& read) {
    if constexpr (N == std::variant_size_v<Variant>) {
        return false;
    } else {
        if (kind == N) {
            read(variant.template emplace<N>());
            return true;
        }
        return read_alternative<N + 1>(kind, variant, read);
    }
}

}  // namespace

std::string environment_of(AccountId account) {
    return "account/" + std::to_string(account.value);
}

std::optional<AccountId> account_of(std::string_view environment) {
    constexpr std::string_view kPrefix = "account/";
    if (!environment.starts_with(kPrefix)) return std::nullopt;
    const auto number = text::parse_number<std::uint32_t>(environment.substr(kPrefix.size()));
    if (!number || *number == 0) return std::nullopt;
    return AccountId(*number);
}

Append* append_of(Action& action) {
    if (auto* replace = std::get_if<Replace>(&action)) return &replace->append;
    return std::get_if<Append>(&action);
}

std::string encode(const Change& change) {
    ByteWriter out;
    out.u8(kVersion);
    out.fixed64(bits_of(change.at));
    out.u8(static_cast<std::uint8_t>(change.action.index()));
    std::visit([&out](const auto& action) { write_action(out, action); }, change.action);
    return out.take();
}

Outcome<Change> decode_change(std::string_view bytes) {
    Decoder d(bytes);
    d.version = d.in.u8();
    d.require(d.version >= 1 && d.version <= kVersion);
    Change change;
    change.at = time_of(d.in.fixed64());
    const std::uint8_t kind = d.in.u8();
    d.require(d.good() &&
              read_alternative(kind, change.action, [&d](auto& action) { read_action(d, action); }));
    if (!d.good() || !d.in.at_end()) return Failure(Fault::invalid, "malformed change");
    return change;
}

std::string encode(const ChangeResult& result) {
    ByteWriter out;
    out.u8(kResultVersion);
    out.u8(static_cast<std::uint8_t>(result.index()));
    std::visit([&out](const auto& value) { write_result(out, value); }, result);
    return out.take();
}

Outcome<ChangeResult> decode_result(std::string_view bytes) {
    ByteReader in(bytes);
    const bool known = in.u8() == kResultVersion;
    ChangeResult result;
    const std::uint8_t kind = in.u8();
    const bool read = known && read_alternative(kind, result, [&in](auto& value) { read_result(in, value); });
    if (!read || !in.ok() || !in.at_end()) return Failure(Fault::invalid, "malformed result of a change");
    return result;
}

}  // namespace mailstead::store
