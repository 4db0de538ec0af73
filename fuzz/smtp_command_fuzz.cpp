// What a command says survives writing it down and reading it again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/smtp/command.h"

using namespace mailstead::smtp;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

template <class Value, class Parse, class Write>
void round_trip(const Command<Value>& parsed, Parse parse, Write write) {
    if (!parsed) return;
    std::string first;
    write(*parsed, first);
    require(first.find_first_of("\r\n") == first.size() - 2);
    const VerbAndArguments again = split_command(std::string_view(first).substr(0, first.size() - 2));
    const auto reparsed = parse(again.arguments);
    require(reparsed.has_value());
    std::string second;
    write(*reparsed, second);
    require(first == second);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    const std::string_view arguments = split_command(line).arguments;
    round_trip(parse_mail(arguments), parse_mail, write_mail);
    round_trip(parse_rcpt(arguments), parse_rcpt, write_rcpt);
    round_trip(parse_bdat(arguments), parse_bdat, write_bdat);
    (void)parse_auth(arguments);
    (void)parse_hello(arguments);
    return 0;
}
