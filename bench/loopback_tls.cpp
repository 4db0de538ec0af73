// What TLS carries over loopback when nothing else is to be done, to hold a server's figure against:
// `loopback_tls MEGABYTES CERTIFICATE KEY`. One process writes whole records, another reads them. The
// writer's processor time is told too: on a busy machine it is the fairer measure.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <openssl/ssl.h>

namespace {

constexpr int kRecord = 16 * 1024;  // RFC 8446, 5.1
constexpr int kRecordsPerMegabyte = 64;

int write_records(int socket, long megabytes, const char* certificate, const char* key) {
    SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        std::fprintf(stderr, "no certificate or key\n");
        return 1;
    }
    SSL* const ssl = SSL_new(context);
    SSL_set_fd(ssl, socket);
    if (SSL_accept(ssl) != 1) return 1;
    const std::vector<char> bytes(std::size_t{kRecord} * 16, 'x');
    for (long n = 0; n < megabytes * kRecordsPerMegabyte; ++n) {
        const char* const record = bytes.data() + (n % 16) * kRecord;
        if (SSL_write(ssl, record, kRecord) != kRecord) return 1;
    }
    SSL_shutdown(ssl);
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto milliseconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) * 1000.0 + static_cast<double>(time.tv_usec) / 1000.0;
    };
    const double gigabytes = static_cast<double>(megabytes) * kRecord * kRecordsPerMegabyte / 1e9;
    std::printf("writer: user %.0f system %.0f ms/GB\n", milliseconds(used.ru_utime) / gigabytes,
                milliseconds(used.ru_stime) / gigabytes);
    std::fflush(stdout);
    return 0;
}

int read_records(int socket) {
    SSL* const ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
    SSL_set_fd(ssl, socket);
    if (SSL_connect(ssl) != 1) return 1;
    std::vector<char> into(std::size_t{kRecord} * 4);
    const auto begin = std::chrono::steady_clock::now();
    double bytes = 0;
    for (int got = 0; (got = SSL_read(ssl, into.data(), static_cast<int>(into.size()))) > 0;) bytes += got;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    std::printf("%s %.0f MB/s\n", SSL_get_cipher_name(ssl), bytes / 1e6 / time.count());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: loopback_tls MEGABYTES CERTIFICATE KEY\n");
        return 2;
    }
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener, generic, size) != 0 || ::listen(listener, 1) != 0 ||
        ::getsockname(listener, generic, &size) != 0) {
        std::perror("listen");
        return 1;
    }
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(write_records(::accept(listener, nullptr, nullptr), std::atol(argv[1]), argv[2], argv[3]));
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(client, generic, size) != 0) return 1;
    const int result = read_records(client);
    ::waitpid(child, nullptr, 0);
    return result;
}
