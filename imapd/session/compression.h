// DEFLATE over a connection (RFC 4978). Holds the zlib streams of one connection.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace mailstead::imapd {

class Compression {
public:
    // Null when there is no memory for it.
    static std::unique_ptr<Compression> create();
    ~Compression();
    Compression(const Compression&) = delete;
    Compression& operator=(const Compression&) = delete;

    // Appends `plain`, compressed and flushed so that the client can read all of it, to `out`. False: no
    // memory; the connection cannot go on.
    bool deflate(std::string_view plain, std::string& out);
    // Gives the deflating side's memory back until the next deflate(). What was said before is no longer
    // referred to then, which costs compression, never correctness.
    void rest();

    struct Step {
        std::size_t taken = 0;  // bytes of `packed` used up
        std::size_t made = 0;   // bytes written to `plain`
        bool damaged = false;   // not DEFLATE, or not after end()
    };
    // Inflates as much as `plain` has room for, and no more: what the client packed ten thousand to one stays
    // packed until somebody takes it.
    Step inflate(std::string_view packed, std::span<char> plain);
    // Whether inflate() could give more without further input.
    bool has_more() const;

    // RFC 8437, 4.1: the client's compression ends here, with the flush that is under way. inflate() then
    // takes that flush and makes nothing.
    void end();
    bool has_ended() const;

private:
    struct State;
    explicit Compression(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace mailstead::imapd
