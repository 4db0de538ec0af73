// The way of TLS records to the socket. Private to common/net.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <openssl/ssl.h>

namespace mailstead::net {

// OpenSSL hands over one record after another. Sent one by one, a bulk of them costs a system call, a packet
// and a wake-up of the peer for every 16 KiB, half as much again as the encryption itself; gathered, several
// go at once.
class TlsOutput {
public:
    TlsOutput() = default;
    TlsOutput(const TlsOutput&) = delete;
    TlsOutput& operator=(const TlsOutput&) = delete;

    // Makes `ssl` read from the socket and write through this object, which outlives it and stays where it
    // is. False: no memory.
    bool attach(SSL* ssl, int socket);

    enum class Sent : std::uint8_t { all, some, failed };  // `failed`: errno says why

    // Until send_gathered() records stay in memory that belongs to the thread: no wait, and no other
    // connection's work, between the two. Requires that nothing is kept.
    void gather();
    bool has_gathered_enough() const;
    // What the socket does not take is kept for send_kept().
    Sent send_gathered();

    bool keeps_any() const { return !kept_.empty(); }
    Sent send_kept();
    void forget();

private:
    static BIO_METHOD* method();
    static int on_write(BIO* bio, const char* bytes, int size);
    static long on_control(BIO* bio, int command, long, void*);
    int write_through(BIO* bio, const char* bytes, std::size_t size);

    int socket_ = -1;
    bool gathering_ = false;
    std::string kept_;      // at most what was gathered once
    std::size_t sent_ = 0;  // of kept_
};

}  // namespace mailstead::net
