// Errors at the parse boundary and everywhere else are values (Result), not exceptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <boost/system/result.hpp>

namespace mailstead {

// Why a parser refused its input. `what` is static text fit for a reply to the peer; `offset` is the byte in
// the input at which parsing stopped.
struct ParseError {
    // Two arguments always: a text alone must not turn into an error by itself.
    constexpr ParseError() = default;
    constexpr ParseError(std::string_view why, std::size_t at) : what(why), offset(at) {}
    std::string_view what;
    std::size_t offset = 0;
};

// A failure outside parsing: a file, a socket, a database. Whoever holds mail answers 4xx or NO in either
// case.
enum class Retry { later_may_help, is_useless };
// What kind of failure it is, for those who act on that; the text is for people.
enum class Fault : std::uint8_t {
    none,       // nothing that anyone acts on
    disk_full,  // no room for this; small changes may still pass
    set_aside,  // the account (or queue, ledger, ...) is out of service until it is rebuilt
    damaged,    // what lies on disk is not what was written there
    busy,       // too much waits already, or a recovery is under way
};
struct Error {
    Error() = default;
    Error(std::string why, Retry trying, Fault kind = Fault::none)
        : what(std::move(why)), retry(trying), fault(kind) {}
    std::string what;
    Retry retry = Retry::later_may_help;
    Fault fault = Fault::none;
};
inline Error transient_error(std::string what, Fault fault = Fault::none) {
    return Error(std::move(what), Retry::later_may_help, fault);
}
inline Error permanent_error(std::string what, Fault fault = Fault::none) {
    return Error(std::move(what), Retry::is_useless, fault);
}

[[noreturn]] void throw_exception_from_error(const ParseError& error, const boost::source_location& where);
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

template <class T, class E = Error>
using Result = boost::system::result<T, E>;

template <class T>
using Parsed = Result<T, ParseError>;

}  // namespace mailstead

// TRY(name, expression): name takes the value, or the function returns the error.
#define MAILSTEAD_JOIN_(a, b) a##b
#define MAILSTEAD_JOIN(a, b) MAILSTEAD_JOIN_(a, b)
#define TRY(name, ...)                                                   \
    auto MAILSTEAD_JOIN(try_result_, __LINE__) = (__VA_ARGS__);          \
    if (!MAILSTEAD_JOIN(try_result_, __LINE__)) {                        \
        return std::move(MAILSTEAD_JOIN(try_result_, __LINE__)).error(); \
    }                                                                    \
    auto name = *std::move(MAILSTEAD_JOIN(try_result_, __LINE__))
// TRY_VOID(expression): the function returns the error, if there is one.
#define TRY_VOID(...)                                                    \
    if (auto MAILSTEAD_JOIN(try_result_, __LINE__) = (__VA_ARGS__);      \
        !MAILSTEAD_JOIN(try_result_, __LINE__)) {                        \
        return std::move(MAILSTEAD_JOIN(try_result_, __LINE__)).error(); \
    }
// The same two in coroutines.
#define CO_TRY(name, ...)                                                   \
    auto MAILSTEAD_JOIN(try_result_, __LINE__) = (__VA_ARGS__);             \
    if (!MAILSTEAD_JOIN(try_result_, __LINE__)) {                           \
        co_return std::move(MAILSTEAD_JOIN(try_result_, __LINE__)).error(); \
    }                                                                       \
    auto name = *std::move(MAILSTEAD_JOIN(try_result_, __LINE__))
#define CO_TRY_VOID(...)                                                    \
    if (auto MAILSTEAD_JOIN(try_result_, __LINE__) = (__VA_ARGS__);         \
        !MAILSTEAD_JOIN(try_result_, __LINE__)) {                           \
        co_return std::move(MAILSTEAD_JOIN(try_result_, __LINE__)).error(); \
    }
