// What a client does with its maildrop (RFC 1939, 5 to 7), CAPA (RFC 2449, 5) and LANG (RFC 6856, 3).
#include <algorithm>

#include "common/base/text.h"
#include "imapd/pop3/core/server_core.h"

namespace mailstead::imapd::pop3 {
namespace {

constexpr std::string_view kGone = "That message is no more";

}  // namespace

Action ServerCore::capa(std::string_view) {
    say("+OK", "Capabilities");
    write_capabilities();
    out_ += ".\r\n";
    bad_commands_ = 0;
    return next_command();
}

void ServerCore::write_capabilities() {
    const auto offer = [this](std::string_view tag, std::string_view arguments = {}) {
        if (!offers(tag)) return;
        out_ += tag;
        if (!arguments.empty()) out_ += ' ';
        out_ += arguments;
        out_ += "\r\n";
    };
    offer("TOP");
    offer("UIDL");
    if (login_.passwords_allowed) offer("USER");
    if (!login_.mechanisms.empty()) offer("SASL", login_.mechanisms);
    offer("RESP-CODES");
    offer("AUTH-RESP-CODE");  // RFC 3206, 6
    offer("PIPELINING");
    offer("EXPIRE", "NEVER");
    if (login_.starttls_possible) offer("STLS");
    offer("UTF8", "USER");
    offer("LANG");
    offer("IMPLEMENTATION", "Mailstead");
}

// "LANG" [SP language-range]: all texts are English, which is what i-default is, too (RFC 2277, 4.5).
Action ServerCore::lang(std::string_view arguments) {
    if (arguments.empty()) {
        say("+OK", "Languages");
        out_ += "en English\r\ni-default English, as understood anywhere\r\n.\r\n";
        bad_commands_ = 0;
        return next_command();
    }
    if (arguments == "*" || text::iequals(arguments, "en")) return ok("en English it is");
    if (text::iequals(arguments, "i-default")) return ok("i-default English it is");
    return refuse("No such language");
}

Action ServerCore::noop(std::string_view) {
    return ok("Nothing done");
}

// RFC 1939, 6: what was deleted is removed now, and only now.
Action ServerCore::quit(std::string_view) {
    if (removed_count_ != 0) return Update{std::move(removed_)};
    say("+OK", "Good bye");
    return Close{};
}

Action ServerCore::on_updated(bool done) {
    if (done) {
        say("+OK", "Good bye");
    } else {
        say("-ERR", "[SYS/TEMP] The deleted messages could not be removed");
    }
    return Close{};
}

Action ServerCore::stat(std::string_view) {
    return ok(std::to_string(messages_ - removed_count_) + ' ' + std::to_string(octets_ - removed_octets_));
}

Action ServerCore::list(std::string_view arguments) {
    wanted_ = Wanted::size;
    return listing(arguments, WriteListing::What::sizes);
}

Action ServerCore::uidl(std::string_view arguments) {
    wanted_ = Wanted::unique_id;
    return listing(arguments, WriteListing::What::unique_ids);
}

Action ServerCore::listing(std::string_view arguments, WriteListing::What what) {
    if (text::trim(arguments).empty()) {
        bad_commands_ = 0;
        say("+OK", "Here they are");
        after_ = After::listing;
        return WriteListing{what};
    }
    if (auto none = name_message(arguments, number_)) return *std::move(none);
    return LookUp{number_};
}

Action ServerCore::retr(std::string_view arguments) {
    if (auto none = name_message(arguments, number_)) return *std::move(none);
    body_lines_.reset();
    return OpenMessage{number_};
}

// "TOP" SP msg SP n
Action ServerCore::top(std::string_view arguments) {
    std::string_view rest = text::trim(arguments);
    const std::string_view message = text::next_field(rest, ' ');
    const auto lines = text::parse_number<std::uint32_t>(text::trim(rest));
    if (!lines) return refuse("TOP message lines");
    if (auto none = name_message(message, number_)) return *std::move(none);
    body_lines_ = lines;
    return OpenMessage{number_};
}

Action ServerCore::dele(std::string_view arguments) {
    if (auto none = name_message(arguments, number_)) return *std::move(none);
    wanted_ = Wanted::removal;
    return LookUp{number_};
}

Action ServerCore::rset(std::string_view) {
    removed_.clear();
    removed_count_ = 0;
    removed_octets_ = 0;
    return ok("No message is deleted");
}

std::optional<Action> ServerCore::name_message(std::string_view text, std::uint32_t& number) {
    const auto named = text::parse_number<std::uint32_t>(text::trim(text));
    if (!named || *named == 0 || *named > messages_) return refuse("No such message");
    if (!is_listed(*named)) return refuse("That message is deleted");
    number = *named;
    return std::nullopt;
}

Action ServerCore::on_message(MessageAnswer answer) {
    if (const auto* why = std::get_if<Trouble>(&answer)) return trouble(*why);
    const auto* facts = std::get_if<MessageFacts>(&answer);
    if (wanted_ == Wanted::removal) {
        // Of one that is gone already the client wants nothing more either.
        if (removed_.empty()) removed_.resize(messages_);
        removed_[number_ - 1] = true;
        ++removed_count_;
        const std::uint64_t left = octets_ - removed_octets_;
        if (facts != nullptr) removed_octets_ += std::min(facts->octets, left);
        return ok("Deleted");
    }
    if (facts == nullptr) return refuse(kGone);
    const std::string value = wanted_ == Wanted::size ? std::to_string(facts->octets) : facts->unique_id;
    return ok(std::to_string(number_) + ' ' + value);
}

Action ServerCore::on_opened(MessageAnswer answer) {
    if (const auto* why = std::get_if<Trouble>(&answer)) return trouble(*why);
    const auto* facts = std::get_if<MessageFacts>(&answer);
    if (facts == nullptr) return refuse(kGone);
    bad_commands_ = 0;
    say("+OK", body_lines_ ? "The beginning" : std::to_string(facts->octets) + " octets");
    return SendMessage{body_lines_};
}

}  // namespace mailstead::imapd::pop3
