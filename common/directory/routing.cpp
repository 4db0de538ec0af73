#include "common/directory/routing.h"

#include <algorithm>
#include <set>

namespace mailstead::directory {
namespace {

constexpr std::string_view kPostmaster = "postmaster";

// Follows aliases from one recipient to all who get the mail.
class Router {
public:
    explicit Router(const RoutingTable& table) : table_(table) {}

    Result<Resolution> run(const Address& recipient) {
        TRY(rules, table_.rules(recipient.domain()));
        if (!rules) return Resolution(NotOurDomain{});
        TRY_VOID(expand(recipient, "", 0));
        if (!targets_.local.empty() || !targets_.remote.empty()) return Resolution(std::move(targets_));
        if (circle_)
            return transient_error("alias " + recipient.to_string() +
                                   " leads back to itself and to no one else");
        return Resolution(UnknownUser{});
    }

private:
    // `detail` is what the alias before was addressed with; the address's own detail comes first.
    Result<void> expand(Address address, const std::string& detail, std::size_t depth) {
        if (depth > kMaxAliasDepth)
            return transient_error("too many aliases behind each other at " + address.to_string());
        TRY(rules, table_.rules(address.domain()));
        if (!rules) return add_remote(address);
        if (rules->alias_of) {
            address = Address(address.local(), *rules->alias_of);
            TRY(original, table_.rules(address.domain()));
            if (!original) return {};  // the alias's original is gone: unknown
            rules = std::move(original);
        }
        return expand_local(address, *rules, detail, depth);
    }

    Result<void> expand_local(const Address& address, const DomainRules& rules, const std::string& detail,
                              std::size_t depth) {
        TRY(exact, table_.entry(address.key()));
        if (exact.index() != 0) return follow(address.key(), exact, detail, depth);

        const std::string& local = address.local().decoded();
        const std::size_t plus = local.find(kDetailSeparator);
        if (plus != std::string::npos && plus > 0) {
            const std::string own_detail = local.substr(plus + 1);
            const std::string base = address.key().substr(0, plus) + '@' + address.domain().ascii();
            TRY(entry, table_.entry(base));
            if (entry.index() != 0) return follow(base, entry, own_detail, depth);
        }
        // RFC 5321, 4.5.1: postmaster is always there.
        if (address.local().folded() == kPostmaster) return expand_postmaster(address);
        if (rules.catch_all) return visit(*rules.catch_all, "", depth);
        return {};
    }

    Result<void> expand_postmaster(const Address& address) {
        TRY(account, table_.first_account(address.domain()));
        if (account) return add_local({account, ""});
        return {};
    }

    Result<void> follow(const std::string& key, const Entry& entry, const std::string& detail,
                        std::size_t depth) {
        if (const auto* account = std::get_if<AccountId>(&entry)) return add_local({*account, detail});
        if (!visited_.insert(key).second) {
            circle_ = true;
            return {};
        }
        for (const Address& target : std::get<std::vector<Address>>(entry))
            TRY_VOID(expand(target, detail, depth + 1));
        return {};
    }

    // A catch-all that points at a name which it covers itself must not go round for ever.
    Result<void> visit(const Address& target, const std::string& detail, std::size_t depth) {
        if (!visited_.insert("via " + target.key()).second) {
            circle_ = true;
            return {};
        }
        return expand(target, detail, depth + 1);
    }

    Result<void> add_local(LocalTarget target) {
        const auto same = [&](const LocalTarget& known) { return known.account == target.account; };
        if (std::any_of(targets_.local.begin(), targets_.local.end(), same)) return {};
        targets_.local.push_back(std::move(target));
        return check_size();
    }
    Result<void> add_remote(const Address& address) {
        if (!remote_keys_.insert(address.key()).second) return {};
        targets_.remote.push_back(address);
        return check_size();
    }
    Result<void> check_size() const {
        if (targets_.local.size() + targets_.remote.size() <= kMaxTargets) return {};
        return transient_error("an alias leads to more than " + std::to_string(kMaxTargets) + " addresses");
    }

    const RoutingTable& table_;
    Targets targets_;
    std::set<std::string> remote_keys_;
    std::set<std::string> visited_;
    bool circle_ = false;
};

}  // namespace

Result<Resolution> route(const RoutingTable& table, const Address& recipient) {
    return Router(table).run(recipient);
}

}  // namespace mailstead::directory
