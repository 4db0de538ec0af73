#include "tests/unit/deliver/world.h"

#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include "common/queue/change.h"
#include "deliver/local/sharing.h"

namespace mailstead::deliver::testing {

World::World() {
    for (const char* folder : {"accounts", "queue", "ledger", "spool", "journal", "run"})
        std::filesystem::create_directories(root() / folder);
    directory = directory::edit_directory(root()).value();
    credentials = directory::edit_credentials(root()).value();
    recorder_ = directory::open_credentials_recorder(root()).value();
    EXPECT_TRUE(directory->add_domain(*Domain::parse("example.org"), {}));
    pool_.emplace(2, 100);
    authenticator_.emplace(*directory, *credentials);
    auth_pool_.emplace(runtime::FairPool::Options{.threads = 2});
    sessions_.emplace(*authenticator_, *pool_);
    auth_.emplace(*authenticator_, *auth_pool_);
    open_engine();
}

World::~World() {
    if (engine_) engine_->stop();
}

AccountId World::add_account(std::string_view login, std::uint64_t quota) {
    return directory->add_account({*Address::parse(login), "", {quota, 0, 0}, {}}).value();
}

void World::open_engine(std::uint64_t reserved_space) {
    intake_.reset();
    backup_.reset();
    housekeeper_.reset();
    removals_.reset();
    reporter_.reset();
    quotas_.reset();
    queue_reader_.reset();
    reader_.reset();
    shares_.reset();
    engine_.reset();
    accounts_.emplace();
    commit::EngineOptions options;
    options.root = root();
    options.segment_size = 4u << 20;
    options.reserved_space = reserved_space;
    engine_.emplace(options);
    engine_->add("account", *accounts_);
    engine_->add("queue", queue_participant_);
    engine_->add("ledger", ledger_participant_);
    engine_->add("shares", shares_participant_);
    ASSERT_TRUE(engine_->start());
    reader_.emplace(store::ReaderOptions{.root = root(), .beside_engine = true});
    // The queue and the ledger exist from the first start on, as in the daemon.
    commit::Transaction touch;
    touch.parts.push_back(
        {std::string(queue::kQueueEnvironment), queue::encode(queue::QueueChange(queue::Record{})), {}});
    touch.parts.push_back(ledger::part({}));
    touch.parts.push_back(part(store::NoteShare{}));
    engine_->submit_and_wait(std::move(touch));
    queue_reader_.emplace(root());
    shares_.emplace(root());
    make_intake({});
}

void World::make_intake(const QueueLimits& limits) {
    const auto deposit = [](const ipc::Recipient& recipient, const std::string& cache, std::uint64_t size,
                            std::uint32_t file, Time at, bool ignore_quota) {
        return deposit_part(std::get<ipc::Local>(recipient.target).account,
                            {cache, size, file, at, false, ignore_quota});
    };
    quotas_.emplace(*directory, *reader_);
    reporter_.emplace(ReporterParts{root(), "mx.example.org", directory.get(), deposit, limits});
    removals_.emplace(Removals::Parts{&*engine_, &*reader_, directory.get(), recorder_.get(), root()});
    housekeeper_.emplace(root(), *engine_, *reader_, HousekeeperOptions{});
    backup_.emplace(
        BackupHold::Parts{&*engine_, directory.get(), recorder_.get(), &*housekeeper_, &*removals_});
    IntakeParts parts;
    parts.backup = &*backup_;
    parts.engine = &*engine_;
    parts.auth = &*auth_;
    parts.sessions = &*sessions_;
    parts.quotas = &*quotas_;
    parts.directory = directory.get();
    parts.reporter = &*reporter_;
    parts.removals = &*removals_;
    parts.data_dir = root();
    parts.shares = &*shares_;
    parts.queue = &*queue_reader_;
    parts.pool = &*pool_;
    parts.limits = limits;
    parts.refusals = [] { return std::uint64_t{0}; };
    auto places = MessageBytes::Places::open(root(), std::uint64_t{1} << 30);
    intake_.emplace(std::move(parts), std::move(places).value());
}

FileDescriptor World::file_of(std::string_view bytes) const {
    FileDescriptor file(::open((root() / "spool").c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    return file;
}

ipc::Message World::ask(ipc::Message request) {
    ipc::PeerInfo peer;
    peer.connection = 1;
    // Whoever may.
    for (const ipc::Role role : ipc::kRoles) {
        if (ipc::may_send(role, request.type)) peer.role = role;
    }
    return wait_for(loop_, intake_->handle(std::move(request), peer));
}

ipc::DeliverAnswer World::deliver(ipc::DeliverMessage message, std::string_view bytes) {
    message.size = bytes.size();
    ipc::Descriptors files;
    files.push_back(file_of(bytes));
    return ask(message, std::move(files));
}

std::vector<std::string> World::mail_of(AccountId account, std::string_view mailbox) {
    std::vector<std::string> found;
    const auto opened = reader_->open(account);
    if (!opened) return found;
    const auto snapshot = opened->snapshot().value();
    const auto info = snapshot.find(MailboxName::parse(mailbox).value());
    if (!info) return found;
    const auto uids = snapshot.uids(info->id).value();
    EXPECT_TRUE(snapshot.messages(info->id, uids, [&](const store::MessageInfo& message) {
        const auto file = snapshot.open_message(info->id, message).value();
        std::string bytes(file.size, '\0');
        EXPECT_EQ(::pread(file.descriptor.get(), bytes.data(), bytes.size(), 0),
                  static_cast<ssize_t>(bytes.size()));
        found.push_back(std::move(bytes));
        return true;
    }));
    return found;
}

std::vector<queue::QueueEntry> World::queued() const {
    std::vector<queue::QueueEntry> entries;
    EXPECT_TRUE(queue_reader_->for_each([&](const queue::QueueEntry& entry) {
        entries.push_back(entry);
        return true;
    }));
    return entries;
}

std::string World::stages(std::string_view trace_id) const {
    std::string text;
    const auto reader = ledger::Reader::open(root()).value();
    for (const auto& line : reader.find(trace_id).value()) text += (text.empty() ? "" : " ") + line.stage;
    return text;
}

std::size_t World::spooled() const {
    std::size_t files = 0;
    for (const auto& each : std::filesystem::recursive_directory_iterator(root() / "spool"))
        files += each.is_regular_file() ? 1 : 0;
    return files;
}

std::string World::bytes_of(const std::filesystem::path& file) {
    std::ostringstream bytes;
    bytes << std::ifstream(file, std::ios::binary).rdbuf();
    return bytes.str();
}

ipc::Recipient local(AccountId account, std::string_view address) {
    return {*Address::parse(address), 0, {}, ipc::Local{account, {}}};
}
ipc::Recipient remote(std::string_view address) {
    return {*Address::parse(address), 0, {}, ipc::Remote{*Address::parse(address)}};
}

ipc::DeliverMessage message_to(std::vector<ipc::Recipient> recipients, std::string_view trace_id) {
    ipc::DeliverMessage message;
    message.trace_id = trace_id;
    message.envelope.reverse_path = Address::parse("you@elsewhere.test").value();
    message.envelope.recipients = std::move(recipients);
    message.origin.client = net::SocketAddress::parse("192.0.2.1:1234").value();
    message.origin.helo = "elsewhere.test";
    message.received = kNow;
    return message;
}

std::string mail(std::string_view subject) {
    return "From: you@elsewhere.test\r\nMessage-ID: <1@elsewhere.test>\r\nSubject: " + std::string(subject) +
           "\r\n\r\nHello\r\n";
}

}  // namespace mailstead::deliver::testing
