// What an idle connection costs a server in resident memory: `idle_connections COUNT`. The clients live in a
// child process, so that only the server's side is counted.
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/net/connect.h"
#include "common/net/listener.h"
#include "common/net/task_group.h"

namespace {

using namespace mailstead;
using namespace std::chrono_literals;

void make_certificate(const std::string& certificate_file, const std::string& key_file) {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("bench"), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_sign(certificate, key, EVP_sha256());
    FILE* file = std::fopen(certificate_file.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

std::size_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::atomic<std::size_t> greeted{0};

// What a session does up to its first IDLE, roughly: a handshake, a few commands and answers, then a wait
// without a buffer.
net::Task<void> session(net::Stream stream, std::shared_ptr<net::TlsServerContext> context) {
    net::ReadBuffer buffer;
    if (context) {
        const auto accepted = co_await stream.accept_tls(context, buffer, 60s);
        if (!accepted) co_return;
    }
    for (int i = 0; i < 4; ++i) {
        const auto got = co_await stream.fill(buffer, 60s);
        if (!got) co_return;
        buffer.clear();
        const std::string answer(2'000, 'x');
        const auto written = co_await stream.write_all(answer, 60s);
        if (!written) co_return;
    }
    buffer.release();
    ++greeted;
    for (;;) {
        const auto waited = co_await stream.wait_readable(30min);
        if (!waited) co_return;
        const auto got = co_await stream.fill(buffer, 60s);
        if (!got) co_return;
    }
}

net::Task<void> client(net::SocketAddress to, std::shared_ptr<net::TlsClientContext> context,
                       std::vector<net::Stream>& open) {
    const std::vector<net::SocketAddress> addresses{to};
    const net::ConnectOptions options;
    auto stream = co_await net::connect(addresses, options);
    if (!stream) std::abort();
    net::ReadBuffer buffer;
    const net::TlsClientRequest request;
    if (context) {
        const auto connected = co_await stream->connect_tls(context, request, buffer, 60s);
        if (!connected) std::abort();
    }
    for (int i = 0; i < 4; ++i) {
        const auto written = co_await stream->write_all("a001 NOOP\r\n", 60s);
        std::size_t answer = 0;
        while (answer < 2'000) {
            const auto got = co_await stream->fill(buffer, 60s);
            if (!written || !got) std::abort();
            answer += *got;
        }
        buffer.clear();
    }
    open.push_back(*std::move(stream));
}

net::Task<void> clients(net::SocketAddress to, std::shared_ptr<net::TlsClientContext> context,
                        std::size_t count, std::vector<net::Stream>& open) {
    for (std::size_t i = 0; i < count; ++i) {
        co_await client(to, context, open);
    }
}

int run_clients(const net::SocketAddress& to, std::size_t count, bool tls) {
    boost::asio::io_context context(1);
    std::vector<net::Stream> open;
    net::TlsClientOptions options;
    options.system_roots = false;
    const auto tls_context = tls ? *net::TlsClientContext::load(options) : nullptr;
    net::TaskGroup tasks(context);
    for (int i = 0; i < 8; ++i) tasks.spawn(clients(to, tls_context, count / 8, open));
    while (tasks.size() != 0) context.run_one();
    ::pause();
    return 0;
}

void measure(std::size_t count, bool tls, const net::TlsServerOptions& files) {
    auto listening = *net::bind_tcp(net::SocketAddress::parse("127.0.0.1:0").value());
    const net::SocketAddress address = net::bound_address(listening);
    const pid_t child = fork();
    if (child == 0) _exit(run_clients(address, count, tls));
    net::IoThreads threads(2);
    net::ListenerOptions options;
    options.max_connections = count + 1;
    const auto context = tls ? *net::TlsServerContext::load(files) : nullptr;
    greeted = 0;
    net::Listener listener(threads, std::move(listening), options,
                           [context](net::Stream stream) { return session(std::move(stream), context); });
    listener.start();
    threads.start();
    while (greeted < count / 10) std::this_thread::sleep_for(10ms);
    const std::size_t warm = greeted;
    const std::size_t before = resident_bytes();
    while (greeted < count / 8 * 8) std::this_thread::sleep_for(10ms);
    std::this_thread::sleep_for(100ms);
    const std::size_t after = resident_bytes();
    std::printf("%s: %zu connections, %.1f KiB each\n", tls ? "TLS" : "plain", greeted.load(),
                static_cast<double>(after - before) / static_cast<double>(greeted - warm) / 1024);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    listener.wait_idle(10s);
    threads.stop();
    threads.join();
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 2'000;
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    std::string folder = "/tmp/mailstead-bench-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) return 1;
    net::TlsServerOptions files;
    files.certificates = {{folder + "/cert.pem", folder + "/key.pem"}};
    make_certificate(files.certificates[0].certificate, files.certificates[0].key);
    measure(count, false, files);
    measure(count, true, files);
    std::remove(files.certificates[0].certificate.c_str());
    std::remove(files.certificates[0].key.c_str());
    rmdir(folder.c_str());
}
