#include "fuzz/imap_session_world.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <sys/socket.h>
#include <vector>

#include "common/base/text.h"
#include "imapd/session/preauth.h"
#include "imapd/session/session.h"

namespace mailstead::imapd {
namespace {

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "imap_session_fuzz: %s\n", what);
    std::abort();
}

// An exception that leaves a session is a bug, whoever would catch it.
[[noreturn]] void give_up(const std::exception_ptr& exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "imap_session_fuzz: a session threw: %s\n", e.what());
    }
    std::abort();
}

struct Services {
    TestBackend* backend;
    TestLogin* logins;
    const ListenerFacts* facts;
};

net::Task<void> serve(Services services, net::Stream stream, StartAt start) {
    Connection connection(std::move(stream), proto::kLimitsBeforeLogin);
    std::optional<LoggedIn> user = LoggedIn{"login", store::kAccount, "joe@example.org"};
    if (start == StartAt::greeting) {
        Preauth preauth(connection, *services.logins, *services.facts, "s1");
        user = co_await preauth.run();
    }
    if (user) {
        Session session(connection, *services.backend, "s1", user->tag, user->account, user->login,
                        Capabilities());
        co_await session.run();
    }
    connection.stream().close();
}

struct Barrier final : runtime::OffloadPool::Job {
    explicit Barrier(std::binary_semaphore& reached) : reached_(reached) {}
    void run() noexcept override { reached_.release(); }
    std::binary_semaphore& reached_;
};

constexpr std::string_view kMixed =
    "From: =?utf-8?q?Ann_=C3=84?= <ann@example.org>, List: a@b.example, c@d.example;\r\n"
    "To: \"B, o\\\"b\" <bob@example.com>\r\nSubject: =?utf-8?b?w4RwZmVs?= and\r\n pears\r\n"
    "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\nbefore\r\n--b\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    "8bit\r\n\r\n\xC3\x84pfel\r\n--b\r\n"
    "Content-Type: application/pdf; name=x.pdf\r\nContent-Disposition: attachment; filename*=utf-8''x%20y\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\ncGFydCB0d28=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: inner\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "<b>=C3=84</b>=\r\n\r\n--b--\r\n";

struct Mail {
    store::Append change;
    std::vector<std::string> files;
};
Mail mail_of(std::string_view message, std::string_view mailbox, const store::FlagList& flags) {
    std::vector<std::string> files = {std::string(message)};
    store::Append change = store::append_to(store::name(mailbox), files, flags);
    return {std::move(change), std::move(files)};
}

// What clients count with: answers end with CRLF, their literals have the announced size, lists and strings
// are closed, and so no text of a message or of a client breaks out of its place.
class Answers {
public:
    explicit Answers(std::string_view heard) : rest_(heard) {}

    void check() {
        while (!rest_.empty()) check_one();
    }

private:
    void check_one() {
        std::string_view line = take_line();
        require(has_known_shape(line), "an answer of no known shape");
        const bool is_data = line.starts_with("* ") && !is_condition(line.substr(2));
        int depth = is_data ? depth_of(line) : 0;
        while (const auto size = announced(line)) {
            require(*size <= rest_.size(), "a literal is shorter than announced");
            rest_.remove_prefix(*size);
            line = take_line();
            if (is_data) depth += depth_of(line);
        }
        require(depth == 0, "a list that is not closed");
    }

    std::string_view take_line() {
        const std::size_t end = rest_.find_first_of(std::string_view("\r\n\0", 3));
        require(end != rest_.npos, "an answer without its end");
        require(rest_.substr(end, 2) == "\r\n", "a bare CR, LF or a NUL in an answer");
        const std::string_view line = rest_.substr(0, end);
        rest_.remove_prefix(end + 2);
        return line;
    }

    static bool is_condition(std::string_view text) {
        for (const std::string_view word : {"OK ", "NO ", "BAD ", "BYE ", "PREAUTH "}) {
            if (text.starts_with(word)) return true;
        }
        return false;
    }
    static bool has_known_shape(std::string_view line) {
        if (line.starts_with("* ") || line.starts_with("+ ")) return true;
        const std::size_t space = line.find(' ');
        return space != 0 && space != line.npos && is_condition(line.substr(space + 1));
    }
    // How many parentheses are open outside of strings.
    static int depth_of(std::string_view line) {
        int depth = 0;
        bool quoted = false;
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (quoted && line[i] == '\\') {
                ++i;
            } else if (line[i] == '"') {
                quoted = !quoted;
            } else if (!quoted) {
                depth += line[i] == '(' ? 1 : line[i] == ')' ? -1 : 0;
            }
        }
        require(!quoted, "a string that is not closed");
        return depth;
    }
    // literal = "{" number "}" CRLF *CHAR8   (RFC 9051, 4.3)
    static std::optional<std::size_t> announced(std::string_view line) {
        const std::size_t brace = line.rfind('{');
        if (!line.ends_with('}') || brace == line.npos) return std::nullopt;
        return text::parse_number<std::size_t>(line.substr(brace + 1, line.size() - brace - 2));
    }

    std::string_view rest_;
};

}  // namespace

// The socket is a connected pair's; the server's end may be closed at any time.
struct World::Client {
    explicit Client(FileDescriptor end) : socket(std::move(end)) {}

    // Moves bytes both ways; whether any moved.
    bool pump() {
        bool moved = false;
        while (!unsent.empty()) {
            const ssize_t n = ::send(socket.get(), unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n <= 0) break;
            unsent.remove_prefix(static_cast<std::size_t>(n));
            moved = true;
        }
        if (ended && unsent.empty() && !shut) {
            ::shutdown(socket.get(), SHUT_WR);
            shut = moved = true;
        }
        static char buffer[32768];
        for (;;) {
            const ssize_t n = ::recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (n <= 0) return moved;
            heard.append(buffer, static_cast<std::size_t>(n));
            moved = true;
        }
    }

    FileDescriptor socket;
    std::string_view unsent;
    std::string heard;
    bool ended = false;
    bool shut = false;
};

World::World() : tasks_(std::make_unique<net::TaskGroup>(context_, give_up)) {
    facts_.encryption = Encryption::none;
    facts_.hostname = "imap.example.org";
    backend_.account.must<store::Done>(store::CreateAccount());
    deliver_mail();
    backend_.account.keep_history = true;
}

World::~World() = default;

void World::deliver_mail() {
    // Parsed once for all worlds.
    static const std::vector<Mail> mail = {
        mail_of(kMixed, "INBOX", {}),
        mail_of(store::make_message("two"), "INBOX", store::flags_of({}, {"$Forwarded"})),
        mail_of(store::make_message("Re: two", "In-Reply-To: <1@example.org>\r\n"), "INBOX",
                store::flags_of(store::SystemFlag::deleted)),
        mail_of(store::make_message("four", "", "8bit \xFF\r\n"), "INBOX",
                store::flags_of(store::SystemFlag::seen)),
        mail_of("no header at all", "Archive/2024", {})};
    store::TestAccount& account = backend_.account;
    account.must<store::MailboxMade>(store::CreateMailbox{store::name("Archive/2024"), {}, true});
    account.must<store::MailboxMade>(store::CreateMailbox{store::name("\xC3\x84pfel & Birnen"), {}, false});
    account.must<store::Done>(store::SetQuota{100'000, 0});
    for (const Mail& one : mail) account.must<store::Appended>(one.change, one.files);
}

Heard World::converse(StartAt start, std::span<const Packet> packets) {
    for (const Packet& packet : packets) {
        auto& client = clients_[packet.client];
        if (client == nullptr) client = connect(start);
        client->unsent = packet.bytes;
        settle();
    }
    for (const auto& client : clients_) {
        if (client != nullptr) client->ended = true;
    }
    settle();
    require(tasks_->size() == 0, "a session goes on after the end of its stream");
    Heard heard;
    for (std::size_t n = 0; n < clients_.size(); ++n) {
        if (clients_[n] == nullptr) continue;
        heard[n] = std::move(clients_[n]->heard);
        Answers(heard[n]).check();
        clients_[n].reset();
    }
    return heard;
}

std::unique_ptr<World::Client> World::connect(StartAt start) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::runtime_error("socketpair");
    auto client = std::make_unique<Client>(FileDescriptor(ends[0]));
    const Services services{&backend_, &logins_, &facts_};
    tasks_->spawn(serve(services, net::Stream(context_, FileDescriptor(ends[1])), start));
    return client;
}

// Until nothing more happens without input: neither here nor on the pool's thread.
void World::settle() {
    do {
        while (exchange()) continue;
        wait_for_pool();
    } while (exchange());
}

bool World::exchange() {
    bool moved = false;
    for (const auto& client : clients_) {
        if (client != nullptr) moved = client->pump() || moved;
    }
    context_.restart();
    return context_.poll() != 0 || moved;
}

// The pool has one thread, which takes jobs in their order.
void World::wait_for_pool() {
    if (backend_.pool_uses == 0) return;
    std::binary_semaphore reached(0);
    std::unique_ptr<runtime::OffloadPool::Job> job = std::make_unique<Barrier>(reached);
    require(backend_.pool().submit(job), "the pool is full");
    reached.acquire();
    backend_.pool_uses = 0;
}

void World::check_index() {
    const store::Snapshot now = backend_.account.snapshot();
    for (const store::MailboxInfo& info : now.mailboxes().value()) {
        const store::UidSet uids = now.uids(info.id).value();
        require(uids.count() == info.messages, "the number of messages");
        std::uint32_t unseen = 0, deleted = 0;
        std::uint64_t octets = 0, found = 0;
        now.messages(info.id, uids,
                     [&](const store::MessageInfo& message) {
                         ++found;
                         octets += message.size;
                         unseen += message.flags.system.has(store::SystemFlag::seen) ? 0 : 1;
                         deleted += message.flags.system.has(store::SystemFlag::deleted) ? 1 : 0;
                         require(message.uid < info.uidnext, "a UID above UIDNEXT");
                         require(message.modseq <= info.highestmodseq, "a mod-sequence above HIGHESTMODSEQ");
                         require(now.open_message(info.id, message).has_value(),
                                 "a message without its file");
                         return true;
                     })
            .value();
        require(found == info.messages && octets == info.octets, "the size of a mailbox");
        require(unseen == info.unseen && deleted == info.deleted, "the count of flags");
    }
}

}  // namespace mailstead::imapd
