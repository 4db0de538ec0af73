#include "common/store/rights.h"

namespace mailstead::store {
namespace {

struct Letter {
    char letter;
    Rights rights;
};
// In the order in which they are written. RFC 4314, 2.1.1 leaves open what "c" and "d" stand for; this is how
// its own examples have it.
constexpr Letter kLetters[] = {
    {'l', Right::lookup},
    {'r', Right::read},
    {'s', Right::seen},
    {'w', Right::write},
    {'i', Right::insert},
    {'p', Right::post},
    {'k', Right::create},
    {'x', Right::remove},
    {'t', Right::delete_message},
    {'e', Right::expunge},
    {'c', Right::create | Right::remove},
    {'d', Right::delete_message | Right::expunge},
    {'a', Right::administer},
};

}  // namespace

FlagList FlagScope::within(FlagList flags) const {
    flags.system = SystemFlags::from_bits(flags.system.bits() & system.bits());
    if (!keywords) flags.keywords.clear();
    return flags;
}

std::optional<Rights> Rights::parse(std::string_view letters) {
    Rights rights;
    for (const char c : letters) {
        bool known = false;
        for (const Letter& row : kLetters) {
            if (row.letter != c) continue;
            rights = rights | row.rights;
            known = true;
        }
        if (!known) return std::nullopt;
    }
    return rights;
}

std::string Rights::to_string() const {
    std::string letters;
    for (const Letter& row : kLetters) {
        if (any_of(row.rights)) letters += row.letter;
    }
    return letters;
}

FlagScope Rights::changeable_flags() const {
    FlagScope scope = FlagScope::none();
    if (has(Right::seen)) scope.system = scope.system | SystemFlag::seen;
    if (has(Right::delete_message)) scope.system = scope.system | SystemFlag::deleted;
    if (has(Right::write)) {
        scope.system = scope.system | (SystemFlag::answered | SystemFlag::flagged) | SystemFlag::draft;
        scope.keywords = true;
    }
    return scope;
}

}  // namespace mailstead::store
