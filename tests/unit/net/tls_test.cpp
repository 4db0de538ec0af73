#include <array>
#include <thread>

#include <openssl/ssl.h>

#include "certificates.h"
#include "support.h"

namespace mailstead::net::test {
namespace {

class Tls : public ::testing::Test {
protected:
    CertificateFiles files(const std::string& name) const {
        return {folder.file(name + ".pem"), folder.file(name + ".key")};
    }
    CertificateFiles make(const std::string& name, const std::vector<std::string>& names) const {
        make_certificate(files(name), names);
        return files(name);
    }
    static std::shared_ptr<TlsServerContext> server(TlsServerOptions options) {
        auto context = TlsServerContext::load(std::move(options));
        EXPECT_TRUE(context) << context.error().what;
        return *context;
    }
    std::shared_ptr<TlsServerContext> server(const CertificateFiles& one) {
        TlsServerOptions options;
        options.certificates = {one};
        return server(std::move(options));
    }
    static std::shared_ptr<TlsClientContext> client(const std::string& ca_file) {
        TlsClientOptions options;
        options.system_roots = false;
        options.ca_file = ca_file;
        auto context = TlsClientContext::load(options);
        EXPECT_TRUE(context) << context.error().what;
        return *context;
    }

    // Both sides of one handshake, and "ping" there and "pong" back.
    struct Outcome {
        IoResult<void> accepted;
        IoResult<void> connected;
        TlsFacts server_facts;
        TlsFacts client_facts;
        std::array<std::string, 3> server_bindings;
        std::array<std::string, 3> client_bindings;
    };
    static std::array<std::string, 3> bindings(const Stream& stream) {
        return {stream.channel_binding(ChannelBinding::tls_exporter),
                stream.channel_binding(ChannelBinding::tls_unique),
                stream.channel_binding(ChannelBinding::tls_server_end_point)};
    }
    static Task<void> serve(Stream& stream, std::shared_ptr<TlsServerContext> context, Outcome& outcome) {
        ReadBuffer buffer;
        outcome.accepted = co_await stream.accept_tls(context, buffer, kLong);
        if (!outcome.accepted) {
            stream.close();
            co_return;
        }
        const auto got = co_await stream.fill(buffer, kLong);
        if (got) {
            EXPECT_EQ(buffer.view(), "ping");
            const auto written = co_await stream.write_all("pong", kLong);
            EXPECT_TRUE(written);
        }
        outcome.server_facts = stream.tls_facts();
        outcome.server_bindings = bindings(stream);
        co_await stream.shutdown(kLong);
    }
    static Task<void> call(Stream& stream, std::shared_ptr<TlsClientContext> context,
                           const TlsClientRequest& request, Outcome& outcome) {
        ReadBuffer buffer;
        outcome.connected = co_await stream.connect_tls(context, request, buffer, kLong);
        if (outcome.connected) {
            const auto written = co_await stream.write_all("ping", kLong);
            EXPECT_TRUE(written);
            const auto got = co_await stream.fill(buffer, kLong);
            EXPECT_TRUE(got);
            EXPECT_EQ(buffer.view(), "pong");
            outcome.client_facts = stream.tls_facts();
            outcome.client_bindings = bindings(stream);
            buffer.clear();
            const auto end = co_await stream.fill(buffer, kLong);
            EXPECT_EQ(end.error().kind, IoFailure::closed);
        }
        stream.close();
    }
    static Outcome exchange(std::shared_ptr<TlsServerContext> server_context,
                            std::shared_ptr<TlsClientContext> client_context,
                            const TlsClientRequest& request) {
        Loop loop;
        Pair pair(loop.context);
        Outcome outcome;
        loop.tasks.spawn(serve(pair.a, std::move(server_context), outcome));
        loop.tasks.spawn(call(pair.b, std::move(client_context), request, outcome));
        loop.run();
        return outcome;
    }

    TemporaryFolder folder;
};

TEST_F(Tls, HandshakeGivesFactsAndEqualBindings) {
    const auto one = make("one", {"mail.example.org"});
    TlsClientRequest request;
    request.server_name = "mail.example.org";
    request.verify = Verify::name;
    const Outcome outcome = exchange(server(one), client(one.certificate), request);
    ASSERT_TRUE(outcome.accepted);
    ASSERT_TRUE(outcome.connected) << describe(outcome.connected.error());
    EXPECT_EQ(outcome.server_facts.version, "TLSv1.3");
    EXPECT_EQ(outcome.server_facts.sni, "mail.example.org");
    EXPECT_EQ(outcome.client_facts.peer_trust, Trust::verified);
    EXPECT_EQ(outcome.client_facts.cipher, outcome.server_facts.cipher);
    EXPECT_GE(outcome.client_facts.secret_bits, 128);
    EXPECT_EQ(outcome.server_bindings, outcome.client_bindings);
    EXPECT_EQ(outcome.server_bindings[0].size(), 32U);
    EXPECT_TRUE(outcome.server_bindings[1].empty()) << "tls-unique does not exist in TLS 1.3";
    EXPECT_EQ(outcome.server_bindings[2].size(), 32U);
}

TEST_F(Tls, VerificationIsAVerdictWhenOpportunisticAndAFailureWhenRequired) {
    const auto one = make("one", {"mail.example.org"});
    const auto other = make("other", {"other.example.org"});
    struct Case {
        const char* name;
        std::string ca_file;
        const char* server_name;
        Verify verify;
        bool connects;
    };
    for (const Case& c :
         {Case{"unknown root, opportunistic", other.certificate, "mail.example.org", Verify::opportunistic,
               true},
          Case{"unknown root, required", other.certificate, "mail.example.org", Verify::name, false},
          Case{"wrong name, opportunistic", one.certificate, "wrong.example.org", Verify::opportunistic,
               true},
          Case{"wrong name, required", one.certificate, "wrong.example.org", Verify::name, false}}) {
        TlsClientRequest request;
        request.server_name = c.server_name;
        request.verify = c.verify;
        const Outcome outcome = exchange(server(one), client(c.ca_file), request);
        ASSERT_EQ(outcome.connected.has_value(), c.connects) << c.name;
        if (c.connects) {
            EXPECT_EQ(outcome.client_facts.peer_trust, Trust::failed) << c.name;
            EXPECT_FALSE(outcome.client_facts.trust_detail.empty()) << c.name;
        } else {
            EXPECT_EQ(outcome.connected.error().kind, IoFailure::untrusted) << c.name;
        }
    }
}

TEST_F(Tls, DaneMatchesTheKeyWhateverTheNameIs_Rfc7672_3_1_1) {
    const auto one = make("one", {"unrelated.example"});
    const std::string digest = spki_sha256(one.certificate);
    TlsClientRequest request;
    request.server_name = "mail.example.org";
    request.verify = Verify::dane;
    request.tlsa = {{3, 1, 1, std::string(32, 'x')}, {3, 1, 1, digest}};
    const Outcome good = exchange(server(one), client(""), request);
    ASSERT_TRUE(good.connected) << describe(good.connected.error());
    EXPECT_EQ(good.client_facts.peer_trust, Trust::dane_verified);

    request.tlsa = {{3, 1, 1, std::string(32, 'x')}};
    const Outcome bad = exchange(server(one), client(""), request);
    ASSERT_FALSE(bad.connected);
    EXPECT_EQ(bad.connected.error().kind, IoFailure::untrusted);

    request.tlsa = {{1, 1, 1, digest}};
    const Outcome unusable = exchange(server(one), client(""), request);
    ASSERT_FALSE(unusable.connected);
    EXPECT_EQ(unusable.connected.error().kind, IoFailure::untrusted);
}

TEST_F(Tls, SniChoosesTheCertificate) {
    TlsServerOptions options;
    options.certificates = {make("first", {"first.example"}),
                            make("second", {"second.example", "*.wild.example"})};
    const auto context = server(options);
    struct Case {
        const char* name;
        int expected;
    };
    for (const Case& c : {Case{"first.example", 0}, Case{"second.example", 1}, Case{"a.wild.example", 1},
                          Case{"unknown.example", 0}, Case{"", 0}}) {
        TlsClientRequest request;
        request.server_name = c.name;
        const Outcome outcome = exchange(
            context, client(options.certificates[static_cast<std::size_t>(c.expected)].certificate), request);
        ASSERT_TRUE(outcome.connected) << c.name;
        const bool named = std::string_view(c.name) != "unknown.example";
        EXPECT_EQ(outcome.client_facts.peer_trust, named ? Trust::verified : Trust::failed) << c.name;
    }
}

TEST_F(Tls, ChangedFilesAreTakenAndBrokenOnesAreNot) {
    const auto one = make("one", {"old.example"});
    int reloads = 0;
    TlsServerOptions options;
    options.certificates = {one};
    options.on_reload = [&reloads] { ++reloads; };
    const auto context = server(std::move(options));
    make("one", {"new.example"});
    TlsClientRequest request;
    request.server_name = "new.example";
    request.verify = Verify::name;
    const Outcome renewed = exchange(context, client(one.certificate), request);
    EXPECT_TRUE(renewed.connected) << describe(renewed.connected.error());
    EXPECT_EQ(reloads, 1);

    const auto roots = client(one.certificate);
    write_file(one.key, "not a key\n");
    const auto reloaded = context->reload();
    ASSERT_FALSE(reloaded);
    EXPECT_NE(reloaded.error().what.find(one.key), std::string::npos) << reloaded.error().what;
    const Outcome kept = exchange(context, roots, request);
    EXPECT_TRUE(kept.connected);

    make_certificate({folder.file("ignored.pem"), one.key}, {"new.example"});
    EXPECT_FALSE(context->reload()) << "a key that does not fit";
}

TEST_F(Tls, ExpiryIsTheCertificatesEnd) {
    const auto context = server(make("one", {"mail.example.org"}));
    const auto left = context->expires() -
                      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    EXPECT_GT(left, 23h);
    EXPECT_LE(left, 24h);
}

TEST_F(Tls, LoadingNamesTheFileThatIsMissing) {
    TlsServerOptions options;
    options.certificates = {{folder.file("missing.pem"), folder.file("missing.key")}};
    const auto context = TlsServerContext::load(options);
    ASSERT_FALSE(context);
    EXPECT_NE(context.error().what.find("missing.pem"), std::string::npos);
}

TEST_F(Tls, StartTlsDropsWhatWasSentInThePlain_Rfc3207_6) {
    const auto one = make("one", {"mail.example.org"});
    Loop loop;
    Pair pair(loop.context);
    Outcome outcome;
    const auto attacked = [](Stream& stream, std::shared_ptr<TlsServerContext> context,
                             Outcome& into) -> Task<void> {
        ReadBuffer buffer;
        const auto got = co_await stream.fill(buffer, kLong);
        EXPECT_TRUE(got);
        EXPECT_EQ(buffer.view(), "STARTTLS\r\nMAIL FROM:<evil@example.org>\r\n");
        buffer.consume(10);
        into.accepted = co_await stream.accept_tls(context, buffer, kLong);
        EXPECT_TRUE(buffer.empty());
        const auto first = co_await stream.fill(buffer, kLong);
        EXPECT_TRUE(first);
        EXPECT_EQ(buffer.view(), "ping");
        const auto written = co_await stream.write_all("pong", kLong);
        EXPECT_TRUE(written);
        co_await stream.shutdown(kLong);
    };
    const std::string_view injected = "STARTTLS\r\nMAIL FROM:<evil@example.org>\r\n";
    ASSERT_EQ(::send(pair.b.native_handle(), injected.data(), injected.size(), 0),
              static_cast<ssize_t>(injected.size()));
    TlsClientRequest request;
    loop.tasks.spawn(attacked(pair.a, server(one), outcome));
    loop.tasks.spawn(call(pair.b, client(""), request, outcome));
    loop.run();
    EXPECT_TRUE(outcome.accepted);
}

TEST_F(Tls, GarbageInsteadOfAHandshakeIsAValue) {
    Loop loop;
    Pair pair(loop.context);
    Outcome outcome;
    ASSERT_EQ(::send(pair.b.native_handle(), "EHLO example.org\r\n", 18, 0), 18);
    loop.tasks.spawn(serve(pair.a, server(make("one", {"a.example"})), outcome));
    loop.run();
    ASSERT_FALSE(outcome.accepted);
    EXPECT_EQ(outcome.accepted.error().kind, IoFailure::tls);
    EXPECT_FALSE(describe(outcome.accepted.error()).empty());
}

TEST_F(Tls, HandshakeTimesOut) {
    Loop loop;
    Pair pair(loop.context);
    IoResult<void> result;
    const auto accept = [](Stream& stream, std::shared_ptr<TlsServerContext> context,
                           IoResult<void>& into) -> Task<void> {
        ReadBuffer buffer;
        into = co_await stream.accept_tls(context, buffer, kShort);
    };
    loop.tasks.spawn(accept(pair.a, server(make("one", {"a.example"})), result));
    loop.run();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, IoFailure::timed_out);
}

TEST_F(Tls, LargeWritesAndManyPiecesArriveWhole) {
    const auto one = make("one", {"mail.example.org"});
    Loop loop;
    Pair pair(loop.context);
    std::string sent;
    for (int i = 0; i < 40'000; ++i) sent += "* " + std::to_string(i) + " FETCH (FLAGS (\\Seen))\r\n";
    std::string received;
    const auto send = [](Stream& stream, std::shared_ptr<TlsServerContext> context,
                         const std::string& bytes) -> Task<void> {
        ReadBuffer buffer;
        const auto accepted = co_await stream.accept_tls(context, buffer, kLong);
        EXPECT_TRUE(accepted);
        std::vector<std::string_view> pieces;
        const std::string_view all(bytes);
        for (std::size_t at = 0, step = 1; at < all.size(); at += step, step = step * 3 % 40'009 + 1)
            pieces.push_back(all.substr(at, step));
        const auto written = co_await stream.write_all(pieces, kLong);
        EXPECT_TRUE(written);
        co_await stream.shutdown(kLong);
    };
    const auto receive = [](Stream& stream, std::shared_ptr<TlsClientContext> context,
                            std::string& into) -> Task<void> {
        ReadBuffer buffer;
        const TlsClientRequest request;
        const auto connected = co_await stream.connect_tls(context, request, buffer, kLong);
        EXPECT_TRUE(connected);
        for (;;) {
            const auto got = co_await stream.fill(buffer, kLong);
            into += buffer.view();
            buffer.clear();
            if (!got) break;
        }
        stream.close();
    };
    loop.tasks.spawn(send(pair.a, server(one), sent));
    loop.tasks.spawn(receive(pair.b, client(""), received));
    loop.run();
    EXPECT_TRUE(received == sent);
}

TEST_F(Tls, WaitReadableSeesBytesThatTlsHoldsAlready) {
    const auto one = make("one", {"mail.example.org"});
    Loop loop;
    Pair pair(loop.context);
    const auto serve_slowly = [](Stream& stream, std::shared_ptr<TlsServerContext> context) -> Task<void> {
        ReadBuffer buffer;
        const auto accepted = co_await stream.accept_tls(context, buffer, kLong);
        EXPECT_TRUE(accepted);
        std::string seen;
        std::array<char, 1> one_byte;
        while (seen.size() < 3) {
            const auto ready = co_await stream.wait_readable(kLong);
            EXPECT_TRUE(ready);
            if (!ready) break;
            const auto got = co_await stream.read_some(one_byte, kLong);
            EXPECT_TRUE(got);
            seen += one_byte[0];
        }
        EXPECT_EQ(seen, "abc");
        stream.close();
    };
    const auto send = [](Stream& stream, std::shared_ptr<TlsClientContext> context) -> Task<void> {
        ReadBuffer buffer;
        const TlsClientRequest request;
        const auto connected = co_await stream.connect_tls(context, request, buffer, kLong);
        EXPECT_TRUE(connected);
        const auto written = co_await stream.write_all("abc", kLong);
        EXPECT_TRUE(written);
        const auto end = co_await stream.fill(buffer, kLong);
        EXPECT_FALSE(end);
    };
    loop.tasks.spawn(serve_slowly(pair.a, server(one)));
    loop.tasks.spawn(send(pair.b, client("")));
    loop.run();
}

// A TLS 1.2 client made of OpenSSL alone, in a thread of its own. Its first Finished.
std::string finished_of_tls12_client(int fd) {
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL* const ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    std::array<char, 64> finished{};
    std::size_t size = 0;
    if (SSL_connect(ssl) == 1) {
        size = SSL_get_finished(ssl, finished.data(), finished.size());
        SSL_write(ssl, "ping", 4);
        char byte = 0;
        while (SSL_read(ssl, &byte, 1) > 0) {
        }
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    ::shutdown(fd, SHUT_RDWR);
    return {finished.data(), size};
}

TEST_F(Tls, TlsUniqueIsTheClientsFinished_Rfc5929_3_1) {
    Loop loop;
    int fds[2] = {-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    const FileDescriptor theirs(fds[1]);
    Stream stream(loop.context, FileDescriptor(fds[0]));
    Outcome outcome;
    std::string finished;
    std::thread peer([&] { finished = finished_of_tls12_client(theirs.get()); });
    loop.tasks.spawn(serve(stream, server(make("one", {"a.example"})), outcome));
    loop.run();
    peer.join();
    EXPECT_EQ(outcome.server_facts.version, "TLSv1.2");
    EXPECT_EQ(outcome.server_bindings[1], finished);
    EXPECT_EQ(outcome.server_bindings[1].size(), 12U);
    EXPECT_EQ(outcome.server_bindings[0].size(), 32U);
}

}  // namespace
}  // namespace mailstead::net::test
