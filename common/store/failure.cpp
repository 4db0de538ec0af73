#include "common/store/failure.h"

#include <array>
#include <stdexcept>

#include "common/store/change.h"

namespace mailstead::store {
namespace {

struct FaultName {
    Fault fault;
    std::string_view name;
};
constexpr std::array<FaultName, 15> kNames = {{
    {Fault::non_existent, "nonexistent"},
    {Fault::already_exists, "alreadyexists"},
    {Fault::try_create, "trycreate"},
    {Fault::has_children, "haschildren"},
    {Fault::over_quota, "overquota"},
    {Fault::limit, "limit"},
    {Fault::cannot, "cannot"},
    {Fault::use_attribute, "useattr"},
    {Fault::invalid, "invalid"},
    {Fault::damaged, "damaged"},
    {Fault::newer_format, "newerformat"},
    {Fault::unavailable, "unavailable"},
    {Fault::gone, "gone"},
    {Fault::disk_full, "diskfull"},
    {Fault::set_aside, "setaside"},
}};

// A full mailbox may have room again, a damaged index may be rebuilt: mail for it waits instead of being
// lost.
Retry retry_of(Fault fault) {
    switch (fault) {
        case Fault::over_quota:
        case Fault::damaged:
        case Fault::newer_format:
        case Fault::unavailable:
        case Fault::disk_full:
        case Fault::set_aside:
            return Retry::later_may_help;
        default:
            return Retry::is_useless;
    }
}

}  // namespace

void throw_exception_from_error(const Failure& failure, const boost::source_location& where) {
    throw std::logic_error("unchecked failure of the store at " + std::string(where.file_name()) + ": " +
                           failure.what);
}

// fault-text = "[" name "] " text
Error to_error(const Failure& failure) {
    for (const FaultName& entry : kNames) {
        if (entry.fault == failure.fault) {
            // What contradicts itself is taken out of service by the engine, and rebuilt.
            const auto kind =
                failure.fault == Fault::damaged ? mailstead::Fault::damaged : mailstead::Fault::none;
            return Error("[" + std::string(entry.name) + "] " + failure.what, retry_of(failure.fault), kind);
        }
    }
    return transient_error(failure.what);
}

Failure::Failure(Error error) : what(std::move(error.what)) {
    if (error.fault == mailstead::Fault::disk_full) fault = Fault::disk_full;
    if (error.fault == mailstead::Fault::set_aside) fault = Fault::set_aside;
    if (error.fault == mailstead::Fault::damaged) fault = Fault::damaged;
    if (what.empty() || what.front() != '[') return;
    const std::size_t end = what.find("] ");
    if (end == std::string::npos) return;
    const std::string_view name = std::string_view(what).substr(1, end - 1);
    for (const FaultName& entry : kNames) {
        if (entry.name == name) {
            fault = entry.fault;
            what.erase(0, end + 2);
            return;
        }
    }
}

}  // namespace mailstead::store
