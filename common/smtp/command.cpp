#include "common/smtp/command.h"

#include <algorithm>
#include <array>

#include "common/base/text.h"
#include "common/smtp/xtext.h"

namespace mailstead::smtp {
namespace {

struct VerbName {
    std::string_view name;
    Verb verb;
};
// In the order of enum Verb.
constexpr std::array<VerbName, 14> kVerbs{{
    {"HELO", Verb::helo},
    {"EHLO", Verb::ehlo},
    {"MAIL", Verb::mail},
    {"RCPT", Verb::rcpt},
    {"DATA", Verb::data},
    {"BDAT", Verb::bdat},
    {"AUTH", Verb::auth},
    {"STARTTLS", Verb::starttls},
    {"VRFY", Verb::vrfy},
    {"EXPN", Verb::expn},
    {"RSET", Verb::rset},
    {"NOOP", Verb::noop},
    {"HELP", Verb::help},
    {"QUIT", Verb::quit},
}};

CommandError syntax(std::string_view what, std::size_t at) {
    return {Fault::syntax, ParseError(what, at)};
}

// A cursor over the arguments of one command.
class Arguments {
public:
    explicit Arguments(std::string_view text) : text_(text) {}

    std::size_t at() const { return at_; }
    bool at_end() const { return at_ == text_.size(); }
    std::string_view rest() const { return text_.substr(at_); }
    bool skip_folded(std::string_view word) {
        if (!text::istarts_with(rest(), word)) return false;
        at_ += word.size();
        return true;
    }
    void skip_spaces() {
        while (at_ < text_.size() && text::is_space(text_[at_])) ++at_;
    }
    void advance(std::size_t n) { at_ += n; }
    std::string_view next_word() {
        const std::string_view word = rest().substr(0, rest().find_first_of(" \t"));
        at_ += word.size();
        return word;
    }

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

// The length of `<...>` at the start of `text`, brackets included, minding quoted strings; 0 when it does not
// close.
std::size_t path_length(std::string_view text) {
    bool quoted = false;
    for (std::size_t i = 1; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '\\') {
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == '>' && !quoted) {
            return i + 1;
        }
    }
    return 0;
}

// A-d-l = At-domain *( "," At-domain )   (RFC 5321, 4.1.2). Source routes are ignored (RFC 5321, 3.3, F.2).
std::string_view without_source_route(std::string_view path) {
    if (path.empty() || path.front() != '@') return path;
    const std::size_t colon = path.find(':');
    return colon == std::string_view::npos ? path : path.substr(colon + 1);
}

// Path = "<" [ A-d-l ":" ] Mailbox ">"   (RFC 5321, 4.1.2); gives what is inside.
Command<std::string_view> take_path(Arguments& in) {
    // Outlook writes a space after the colon: `MAIL FROM: <a@b>`.
    in.skip_spaces();
    if (in.rest().empty() || in.rest().front() != '<') {
        return syntax("The address must stand in angle brackets", in.at());
    }
    const std::size_t length = path_length(in.rest());
    if (length == 0) return syntax("The angle bracket is never closed", in.at());
    const std::string_view inside = in.rest().substr(1, length - 2);
    in.advance(length);
    if (!in.at_end() && !text::is_space(in.rest().front())) {
        return syntax("A space must follow the address", in.at());
    }
    return without_source_route(inside);
}

Command<Address> parse_address(std::string_view text, std::size_t at) {
    auto address = Address::parse(text);
    if (!address) {
        const ParseError why = address.error();
        return CommandError{Fault::bad_address, ParseError(why.what, at + why.offset)};
    }
    return *std::move(address);
}

// esmtp-param = esmtp-keyword [ "=" esmtp-value ]   (RFC 5321, 4.1.2)
struct Parameter {
    std::string_view keyword;
    std::optional<std::string_view> value;
    std::size_t at = 0;
};

bool is_keyword(std::string_view word) {
    const auto legal = [](char c) { return text::is_alpha(c) || text::is_digit(c) || c == '-'; };
    return !word.empty() && word.front() != '-' && std::all_of(word.begin(), word.end(), legal);
}

Command<Parameter> take_parameter(Arguments& in) {
    Parameter parameter{.keyword = {}, .value = {}, .at = in.at()};
    const std::string_view word = in.next_word();
    const std::size_t equals = word.find('=');
    parameter.keyword = word.substr(0, equals);
    if (equals != std::string_view::npos) parameter.value = word.substr(equals + 1);
    if (!is_keyword(parameter.keyword)) return syntax("Malformed parameter", parameter.at);
    return parameter;
}

CommandError bad(std::string_view what, const Parameter& parameter) {
    return {Fault::bad_parameter, ParseError(what, parameter.at)};
}

// Stores `value` unless one is there or it did not parse.
template <class T>
Command<bool> set_once(std::optional<T>& slot, std::optional<T> value, const Parameter& parameter,
                       std::string_view what) {
    if (slot) return bad("Parameter given twice", parameter);
    if (!value) return bad(what, parameter);
    slot = std::move(value);
    return true;
}
Command<bool> set_flag(bool& slot, const Parameter& parameter) {
    if (slot) return bad("Parameter given twice", parameter);
    if (parameter.value) return bad("Parameter takes no value", parameter);
    slot = true;
    return true;
}

std::optional<std::string> parse_envid(std::string_view value) {
    // RFC 3461, 4.4: at most 100 characters.
    if (value.empty() || value.size() > 100) return std::nullopt;
    auto decoded = decode_xtext(value);
    if (decoded && !is_printable(*decoded)) decoded.reset();
    return decoded;
}

// RFC 4954, 5: an address in xtext, or `<>`.
std::optional<std::string> parse_mail_auth(std::string_view value) {
    if (value.empty() || value.size() > 500) return std::nullopt;
    auto decoded = decode_xtext(value);
    if (decoded && *decoded == "<>") decoded->clear();
    return decoded;
}

Command<bool> apply_mail_parameter(Mail& mail, const Parameter& p) {
    const std::string_view value = p.value.value_or(std::string_view{});
    // RFC 1870, 3: 1*20DIGIT
    if (text::iequals(p.keyword, "SIZE")) {
        return set_once(mail.size, text::parse_number<std::uint64_t>(value), p,
                        "SIZE takes a number of octets");
    }
    if (text::iequals(p.keyword, "BODY")) {
        return set_once(mail.body, parse_body_type(value), p, "BODY takes 7BIT or 8BITMIME");
    }
    if (text::iequals(p.keyword, "SMTPUTF8")) return set_flag(mail.smtputf8, p);
    if (text::iequals(p.keyword, "REQUIRETLS")) return set_flag(mail.require_tls, p);
    if (text::iequals(p.keyword, "RET")) {
        return set_once(mail.ret, parse_dsn_return(value), p, "RET takes FULL or HDRS");
    }
    if (text::iequals(p.keyword, "ENVID")) {
        return set_once(mail.envid, parse_envid(value), p, "ENVID takes up to 100 characters of xtext");
    }
    if (text::iequals(p.keyword, "AUTH")) {
        return set_once(mail.auth, parse_mail_auth(value), p, "AUTH takes an address in xtext, or <>");
    }
    return CommandError{Fault::unknown_parameter, ParseError("Unknown parameter", p.at)};
}

Command<bool> apply_rcpt_parameter(Rcpt& rcpt, const Parameter& p) {
    const std::string_view value = p.value.value_or(std::string_view{});
    if (text::iequals(p.keyword, "NOTIFY")) {
        return set_once(rcpt.notify, parse_notify(value), p,
                        "NOTIFY takes NEVER, or some of SUCCESS,FAILURE,DELAY");
    }
    if (text::iequals(p.keyword, "ORCPT")) {
        return set_once(rcpt.orcpt, parse_original_recipient(value), p,
                        "ORCPT takes a type, a semicolon and xtext");
    }
    return CommandError{Fault::unknown_parameter, ParseError("Unknown parameter", p.at)};
}

template <class Target, class Apply>
Command<bool> parse_parameters(Arguments& in, Target& target, Apply apply) {
    for (in.skip_spaces(); !in.at_end(); in.skip_spaces()) {
        TRY(parameter, take_parameter(in));
        TRY_VOID(apply(target, parameter));
    }
    return true;
}

}  // namespace

std::string_view to_string(Verb verb) {
    return kVerbs[static_cast<std::size_t>(verb)].name;
}

VerbAndArguments split_command(std::string_view line) {
    // RFC 5321, 4.1.1: receivers tolerate trailing white space.
    while (!line.empty() && text::is_space(line.back())) line.remove_suffix(1);
    const std::size_t space = std::min(line.find_first_of(" \t"), line.size());
    const std::string_view word = line.substr(0, space);
    const auto* found = std::find_if(kVerbs.begin(), kVerbs.end(),
                                     [&](const VerbName& entry) { return text::iequals(entry.name, word); });
    VerbAndArguments result{.verb = std::nullopt, .arguments = line.substr(std::min(space + 1, line.size()))};
    if (found != kVerbs.end()) result.verb = found->verb;
    return result;
}

// ehlo = "EHLO" SP ( Domain / address-literal )   (RFC 5321, 4.1.1.1)
Command<Hello> parse_hello(std::string_view arguments) {
    const std::string_view name = text::trim(arguments);
    if (name.empty()) return syntax("Say who you are: a host name must follow", 0);
    if (name.size() > 255) return syntax("The host name is too long", 255);
    const auto legal = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; };
    if (!std::all_of(name.begin(), name.end(), legal) || !text::is_utf8(name)) {
        return syntax("That is no host name", 0);
    }
    Hello hello{.name = std::string(name), .domain = std::nullopt};
    if (auto domain = Domain::parse(name)) hello.domain = *std::move(domain);
    return hello;
}

// mail = "MAIL FROM:" Reverse-path [SP Mail-parameters]   (RFC 5321, 4.1.1.2)
Command<Mail> parse_mail(std::string_view arguments) {
    Arguments in(arguments);
    in.skip_spaces();
    if (!in.skip_folded("FROM:")) return syntax("MAIL takes FROM:<address>", in.at());
    const std::size_t at = in.at() + 1;
    TRY(path, take_path(in));
    Mail mail;
    if (!path.empty()) {
        TRY(address, parse_address(path, at));
        mail.from = std::move(address);
    }
    TRY_VOID(parse_parameters(in, mail, apply_mail_parameter));
    return mail;
}

// rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters]   (RFC
// 5321, 4.1.1.3)
Command<Rcpt> parse_rcpt(std::string_view arguments) {
    Arguments in(arguments);
    in.skip_spaces();
    if (!in.skip_folded("TO:")) return syntax("RCPT takes TO:<address>", in.at());
    const std::size_t at = in.at() + 1;
    TRY(path, take_path(in));
    Rcpt rcpt;
    if (!text::iequals(path, "postmaster")) {
        TRY(address, parse_address(path, at));
        rcpt.to = std::move(address);
    }
    TRY_VOID(parse_parameters(in, rcpt, apply_rcpt_parameter));
    return rcpt;
}

// bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ]   (RFC 3030, 2)
Command<Bdat> parse_bdat(std::string_view arguments) {
    Arguments in(arguments);
    in.skip_spaces();
    const auto octets = text::parse_number<std::uint64_t>(in.next_word());
    if (!octets) return syntax("BDAT takes a number of octets", 0);
    in.skip_spaces();
    Bdat bdat{.octets = *octets, .last = false};
    if (in.at_end()) return bdat;
    if (!text::iequals(in.rest(), "LAST")) return syntax("Only LAST may follow the size", in.at());
    bdat.last = true;
    return bdat;
}

// auth-command = "AUTH" SP sasl-mech [SP initial-response]   (RFC 4954, 8)
Command<Auth> parse_auth(std::string_view arguments) {
    Arguments in(arguments);
    in.skip_spaces();
    const std::string_view mechanism = in.next_word();
    const auto legal = [](char c) { return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_'; };
    if (mechanism.empty() || mechanism.size() > 20 ||
        !std::all_of(mechanism.begin(), mechanism.end(), legal)) {
        return syntax("AUTH takes the name of a mechanism", 0);
    }
    Auth auth{.mechanism = text::upper(mechanism), .initial_response = std::nullopt};
    in.skip_spaces();
    if (in.at_end()) return auth;
    auth.initial_response = std::string(in.next_word());
    if (!in.at_end()) return syntax("Only one initial response may follow", in.at());
    return auth;
}

Command<bool> parse_no_arguments(std::string_view arguments) {
    if (!text::trim(arguments).empty()) return syntax("This command takes no arguments", 0);
    return true;
}

}  // namespace mailstead::smtp
