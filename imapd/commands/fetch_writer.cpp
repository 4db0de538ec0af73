#include <algorithm>

#include "imapd/commands/fetch_answer.h"
#include "imapd/commands/ids.h"

namespace mailstead::imapd::commands {
namespace {

using proto::FetchItem;
using proto::FetchKind;
using proto::Section;

std::chrono::sys_seconds seconds(Time time) {
    return std::chrono::floor<std::chrono::seconds>(time);
}

std::string_view name_of(FetchKind kind) {
    switch (kind) {
        case FetchKind::flags:
            return "FLAGS ";
        case FetchKind::uid:
            return "UID ";
        case FetchKind::internal_date:
            return "INTERNALDATE ";
        case FetchKind::size:
            return "RFC822.SIZE ";
        case FetchKind::envelope:
            return "ENVELOPE ";
        case FetchKind::body:
            return "BODY ";
        case FetchKind::body_structure:
            return "BODYSTRUCTURE ";
        case FetchKind::mod_seq:
            return "MODSEQ (";
        case FetchKind::email_id:
            return "EMAILID (";
        case FetchKind::thread_id:
            return "THREADID ";
        case FetchKind::save_date:
            return "SAVEDATE ";
        case FetchKind::preview:
            return "PREVIEW ";
        case FetchKind::rfc822:
            return "RFC822 ";
        case FetchKind::rfc822_header:
            return "RFC822.HEADER ";
        case FetchKind::rfc822_text:
            return "RFC822.TEXT ";
        case FetchKind::section:
            return "BODY[";
        case FetchKind::binary:
            return "BINARY[";
        case FetchKind::binary_size:
            return "BINARY.SIZE[";
    }
    return "";
}

bool has_section(FetchKind kind) {
    return kind == FetchKind::section || kind == FetchKind::binary || kind == FetchKind::binary_size;
}

bool is_fields(const FetchItem& item) {
    return item.section.text == Section::Text::header_fields ||
           item.section.text == Section::Text::header_fields_not;
}

// The older names mean sections (RFC 3501, 6.4.5).
Section::Text text_of(const FetchItem& item) {
    if (item.kind == FetchKind::rfc822_header) return Section::Text::header;
    if (item.kind == FetchKind::rfc822_text) return Section::Text::text;
    return item.section.text;
}

}  // namespace

FetchWriter::FetchWriter(const Session& session, const proto::Fetch& request, const store::UidSet& newly_seen)
    : session_(session), newly_seen_(newly_seen), utf8_(session.enabled.strings() == proto::Utf8::yes) {
    const auto asks = [&](FetchKind kind) {
        return std::any_of(request.items.begin(), request.items.end(),
                           [kind](const FetchItem& item) { return item.kind == kind; });
    };
    asks_flags_ = asks(FetchKind::flags);
    asks_mod_seq_ = asks(FetchKind::mod_seq);
    extra_.reserve(2);
    // RFC 9051, 6.4.9: UID FETCH answers with the UID. RFC 7162, 3.1.4.1: CHANGEDSINCE implies MODSEQ.
    // Under UIDONLY it stands in front already (RFC 9586, 3.3).
    const bool wants_uid = request.uid && !session.enabled.uid_only;
    if (wants_uid && !asks(FetchKind::uid)) extra_.push_back(FetchItem{FetchKind::uid, true, {}, {}});
    if (request.changed_since && !asks_mod_seq_) {
        extra_.push_back(FetchItem{FetchKind::mod_seq, true, {}, {}});
        asks_mod_seq_ = true;
    }
    for (const FetchItem& item : extra_) prepare(item);
    for (const FetchItem& item : request.items) prepare(item);
    std::vector<std::string> names;
    for (const Prepared& prepared : prepared_) {
        if (!prepared.fields || !prepared.fields->wants_rare()) continue;
        names.insert(names.end(), prepared.item->section.fields.begin(), prepared.item->section.fields.end());
    }
    if (!names.empty()) rare_.emplace(names);
}

void FetchWriter::prepare(const FetchItem& item) {
    Prepared prepared;
    prepared.item = &item;
    prepared.label = std::string(name_of(item.kind));
    if (has_section(item.kind)) {
        proto::write_section(prepared.label, item.section);
        prepared.label += ']';
        if (item.partial && item.kind != FetchKind::binary_size) {
            prepared.label += '<';
            proto::write_number(prepared.label, item.partial->offset);
            prepared.label += '>';
        }
        prepared.label += ' ';
    }
    if (item.section.text == Section::Text::header_fields && item.section.part.empty()) {
        prepared.fields.emplace(item.section.fields);
        if (!prepared.fields->is_covered()) prepared.fields.reset();
    }
    prepared_.push_back(std::move(prepared));
}

void FetchWriter::begin_chunk(const store::Snapshot& snapshot, Uid in_memory) {
    snapshot_ = &snapshot;
    pending_ = 0;
    in_memory_ = in_memory;
}

// The header's first kilobytes answer most of what asks for a part of it; a long body is read ahead by the
// kernel once it is under way.
std::uint64_t FetchWriter::reads_of_each() const {
    constexpr std::uint64_t kHeader = 16 * 1024;
    constexpr std::uint64_t kBody = 1024 * 1024;
    std::uint64_t most = kHeader;
    for (const Prepared& prepared : prepared_) {
        const FetchItem& item = *prepared.item;
        const Section::Text wanted = text_of(item);
        if (wanted != Section::Text::content && wanted != Section::Text::text) continue;
        const bool is_cut = item.partial && item.section.part.empty() && item.kind == FetchKind::section;
        const std::uint64_t end =
            is_cut ? std::min(item.partial->offset, kBody) + std::min(item.partial->count, kBody) : kBody;
        most = std::max(most, std::min(end, kBody));
    }
    return most;
}

bool FetchWriter::write(const store::MessageInfo& message) {
    const std::uint32_t number = session_.selected->messages.number_of(message.uid);
    if (number == 0) return true;
    const std::size_t text_before = text.size();
    const std::size_t contents_before = contents.size();
    const std::size_t pending_before = pending_;
    current_ = Current();
    current_.message = &message;
    write_fetch_head(text, number, message.uid, session_.enabled);
    bool first = true;
    for (const Prepared& prepared : prepared_) {
        const std::size_t before = text.size();
        if (!first) text += ' ';
        if (write_unless_lost(prepared)) {
            first = false;
        } else {
            text.resize(before);
        }
    }
    if (first) write_something();
    if (newly_seen_.contains(message.uid)) {
        if (!asks_flags_) {
            text += " FLAGS ";
            write_flag_list(text, message.flags, session_.keywords);
        }
        if (!asks_mod_seq_ && session_.enabled.condstore) {
            text += " MODSEQ (";
            proto::write_number(text, message.modseq.value);
            text += ')';
        }
    }
    text += ")\r\n";
    if (!current_.must_wait) {
        if (current_.file_lost) lost.add(store::UidRange{message.uid.value, message.uid.value});
        return true;
    }
    text.resize(text_before);
    contents.resize(contents_before);
    pending_ = pending_before;
    return false;
}

// What is in a lost file is left out: NIL or "" would be kept by the client as what the message says.
bool FetchWriter::write_unless_lost(const Prepared& prepared) {
    const bool was_lost = std::exchange(current_.file_lost, false);
    write_item(prepared);
    const bool is_lost = std::exchange(current_.file_lost, current_.file_lost || was_lost);
    return !is_lost;
}

// RFC 9051, 9: msg-att has one item at least.
void FetchWriter::write_something() {
    if (session_.enabled.uid_only) {
        text += "FLAGS ";
        write_flag_list(text, current_.message->flags, session_.keywords);
    } else {
        text += "UID ";
        proto::write_number(text, current_.message->uid.value);
    }
}

void FetchWriter::write_item(const Prepared& prepared) {
    const store::MessageInfo& message = *current_.message;
    text += prepared.label;
    switch (prepared.item->kind) {
        case FetchKind::flags:
            return write_flag_list(text, message.flags, session_.keywords);
        case FetchKind::uid:
            return proto::write_number(text, message.uid.value);
        case FetchKind::internal_date:
            return proto::write_date_time(text, seconds(message.internal_date));
        case FetchKind::save_date:
            return proto::write_date_time(text, seconds(message.save_date));
        case FetchKind::size:
            return proto::write_number(text, message.size);
        case FetchKind::mod_seq:
            proto::write_number(text, message.modseq.value);
            text += ')';
            return;
        case FetchKind::email_id:
            write_id(text, message.message, session_.selected->id_scope());
            text += ')';
            return;
        case FetchKind::thread_id:
            if (!message.thread) {
                text += "NIL";
                return;
            }
            text += '(';
            write_id(text, message.thread, session_.selected->id_scope());
            text += ')';
            return;
        case FetchKind::envelope:
            return write_cached(prepared, cached() ? cached()->envelope(utf8_) : std::string_view());
        case FetchKind::body:
            return write_cached(prepared, cached() ? cached()->body(utf8_) : std::string_view());
        case FetchKind::body_structure:
            return write_cached(prepared, cached() ? cached()->body_structure(utf8_) : std::string_view());
        case FetchKind::preview:
            if (cached() == nullptr) return add_content(prepared, Content::Kind::parsed, {});
            return proto::write_string(text, cached()->preview(), utf8_ ? proto::Utf8::yes : proto::Utf8::no);
        case FetchKind::binary:
        case FetchKind::binary_size:
            return write_binary(prepared);
        case FetchKind::section:
        case FetchKind::rfc822:
        case FetchKind::rfc822_header:
        case FetchKind::rfc822_text:
            return write_section(prepared);
    }
}

// Texts in their final form; an empty one was too long for the cache.
void FetchWriter::write_cached(const Prepared& prepared, std::string_view value) {
    if (value.empty()) return add_content(prepared, Content::Kind::parsed, {});
    text += value;
}

void FetchWriter::write_section(const Prepared& prepared) {
    if (prepared.fields && cached() != nullptr && !prepared.item->partial)
        return write_header_fields(prepared);
    const FetchItem& item = *prepared.item;
    const bool is_whole = item.section.part.empty() && text_of(item) == Section::Text::content;
    if (is_whole && !current_.cache_read && snapshot_->has_bare_lf(current_.message->message) == false)
        return write_range(prepared, mime::ByteRange{0, current_.message->size});
    if (cached() == nullptr || cached()->has_bare_lf())
        return add_content(prepared, Content::Kind::parsed, {});
    if (!item.section.part.empty() && parts() == nullptr)
        return add_content(prepared, Content::Kind::parsed, {});
    write_range(prepared, find_range(item));
}

void FetchWriter::write_header_fields(const Prepared& prepared) {
    scratch_.clear();
    if (cached()->append_fields(scratch_, *prepared.fields)) {
        proto::write_literal_head(text, scratch_.size());
        text += scratch_;
        return;
    }
    if (cached()->has_bare_lf()) return add_content(prepared, Content::Kind::parsed, {});
    write_range(prepared, find_range(*prepared.item));
}

// RFC 3516, 4.2: the part without its transfer encoding. The whole message has none to remove.
void FetchWriter::write_binary(const Prepared& prepared) {
    const FetchItem& item = *prepared.item;
    if (cached() == nullptr || cached()->has_bare_lf() || parts() == nullptr)
        return add_content(prepared, Content::Kind::parsed, {});
    mime::ByteRange range{0, current_.message->size};
    auto encoding = mime::TransferEncoding::binary;
    if (!item.section.part.empty()) {
        const auto found = parts()->find_part(item.section.part);
        if (!found) {
            text += item.kind == FetchKind::binary_size ? "0" : "NIL";
            return;
        }
        const mime::Part& part = (*parts())[*found];
        range = {part.body_begin, part.body_end};
        if (part.kind == mime::PartKind::leaf || part.encoding == mime::TransferEncoding::unknown)
            encoding = part.encoding;
    }
    const bool as_it_is = encoding == mime::TransferEncoding::seven_bit ||
                          encoding == mime::TransferEncoding::eight_bit ||
                          encoding == mime::TransferEncoding::binary;
    if (as_it_is && item.kind == FetchKind::binary_size) return proto::write_number(text, range.size());
    add_content(prepared, Content::Kind::decoded, range, encoding);
}

// RFC 9051, 6.4.5.1: what a section stands for. The cache knows where the parts lie.
std::optional<mime::ByteRange> FetchWriter::find_range(const FetchItem& item) {
    const std::uint64_t size = current_.message->size;
    const std::uint64_t header = std::min(cached()->header_size(), size);
    const Section::Text wanted = text_of(item);
    if (item.section.part.empty()) {
        if (wanted == Section::Text::content) return mime::ByteRange{0, size};
        if (wanted == Section::Text::text) return mime::ByteRange{header, size};
        return mime::ByteRange{0, header};
    }
    switch (wanted) {
        case Section::Text::content:
            return parts()->find_section(item.section.part, mime::SectionText::content);
        case Section::Text::text:
            return parts()->find_section(item.section.part, mime::SectionText::text);
        case Section::Text::mime:
            return parts()->find_section(item.section.part, mime::SectionText::mime);
        default:
            return parts()->find_section(item.section.part, mime::SectionText::header);
    }
}

void FetchWriter::write_range(const Prepared& prepared, const std::optional<mime::ByteRange>& range) {
    if (!range) {
        text += "NIL";
        return;
    }
    const FetchItem& item = *prepared.item;
    if (is_fields(item)) return add_content(prepared, Content::Kind::fields, *range);
    mime::ByteRange wanted = *range;
    if (item.partial) {
        wanted.begin += std::min(item.partial->offset, wanted.size());
        wanted.end = wanted.begin + std::min(item.partial->count, wanted.size());
    }
    if (wanted.size() == 0) {
        text += "\"\"";
        return;
    }
    if (!open_file()) {
        text += "NIL";
        return;
    }
    proto::write_literal_head(text, wanted.size());
    add_content(prepared, Content::Kind::bytes, wanted);
}

void FetchWriter::add_content(const Prepared& prepared, Content::Kind kind, mime::ByteRange range,
                              mime::TransferEncoding encoding) {
    if (!open_file()) {
        text += prepared.item->kind == FetchKind::binary_size ? "0" : "NIL";
        return;
    }
    contents.push_back(
        {text.size(), kind, current_.file, range, prepared.item, session_.enabled.strings(), encoding});
    pending_ +=
        static_cast<std::size_t>(kind == Content::Kind::parsed ? current_.message->size : range.size());
}

const store::CachedMessage* FetchWriter::cached() {
    if (!current_.cache_read) {
        const MessageId id = current_.message->message;
        current_.cached = rare_ ? snapshot_->cached(id, *rare_) : snapshot_->cached(id);
        current_.cache_read = true;
    }
    return current_.cached ? &*current_.cached : nullptr;
}

const mime::PartTree* FetchWriter::parts() {
    if (!current_.parts_read) {
        current_.parts = cached()->parts();
        current_.parts_read = true;
    }
    return current_.parts ? &*current_.parts : nullptr;
}

bool FetchWriter::open_file() {
    if (current_.file_missing && current_.why_missing == store::Fault::damaged) current_.file_lost = true;
    if (current_.file || current_.file_missing) return current_.file != nullptr;
    const MailboxId mailbox = session_.selected->info.id;
    auto opened = snapshot_->open_message_at_once(mailbox, *current_.message);
    if (!opened) {
        current_.file_missing = true;
        current_.must_wait = current_.message->uid.value > in_memory_.value;
        if (current_.must_wait) return false;
        auto found = snapshot_->open_message(mailbox, *current_.message);
        if (!found) {
            current_.why_missing = found.error().fault;
            current_.file_lost = current_.why_missing == store::Fault::damaged;
            return false;
        }
        opened = *std::move(found);
        current_.file_missing = false;
    }
    current_.file = std::make_shared<const store::OpenMessage>(*std::move(opened));
    return true;
}

}  // namespace mailstead::imapd::commands
