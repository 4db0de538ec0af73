// From a recipient's address to the accounts and remote addresses that get the mail.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/address/address.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace mailstead::directory {

// Mail for elsewhere: relay it for those who may, refuse it to all others.
struct NotOurDomain {};
// Our domain, but nobody by that name: `550 5.1.1`.
struct UnknownUser {};

struct LocalTarget {
    AccountId account;
    // What followed "+" in the local part, case kept; empty for none.
    std::string detail;
    friend bool operator==(const LocalTarget&, const LocalTarget&) = default;
};
// At least one of either; no account and no remote address appears twice.
struct Targets {
    std::vector<LocalTarget> local;
    std::vector<Address> remote;
};
using Resolution = std::variant<NotOurDomain, UnknownUser, Targets>;

constexpr char kDetailSeparator = '+';
// An alias may lead to aliases; more steps or targets than these are an Error (mail waits, the administrator
// corrects it).
constexpr std::size_t kMaxAliasDepth = 16;
constexpr std::size_t kMaxTargets = 1000;

// What the routing rules ask of a directory snapshot. Keys are those of Address::key().
using Entry = std::variant<std::monostate, AccountId, std::vector<Address>>;  // nothing, an account, an alias
struct DomainRules {
    std::optional<Domain> alias_of;
    std::optional<Address> catch_all;
};
class RoutingTable {
public:
    virtual ~RoutingTable() = default;
    virtual Result<std::optional<DomainRules>> rules(const Domain& domain) const = 0;
    virtual Result<Entry> entry(const std::string& key) const = 0;
    // Who gets mail for postmaster@ when no alias says so: the domain's first account, else the first of all;
    // the zero id for none.
    virtual Result<AccountId> first_account(const Domain& domain) const = 0;
};

// The rules, in this order: domain alias, exact address, address without +detail, postmaster, catch-all. An
// alias that leads round in a circle, and to no one else, is an Error.
Result<Resolution> route(const RoutingTable& table, const Address& recipient);

}  // namespace mailstead::directory
