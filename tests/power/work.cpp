#include "tests/power/work.h"

#include <iterator>

#include "common/queue/change.h"
#include "common/store/store.h"

namespace mailstead::power {
namespace {

constexpr Time kTime{Milliseconds(1'700'000'000'000)};

commit::Part part_of(std::uint32_t account, store::Action action) {
    return {store::environment_of(AccountId(account)),
            store::encode(store::Change{kTime, std::move(action)}),
            {}};
}

store::Append append_to(const MailboxName& mailbox, const std::string& bytes) {
    store::Append append;
    append.to.name = mailbox;
    append.to.create = true;
    store::NewMessage message;
    message.internal_date = kTime;
    message.size = bytes.size();
    message.cache = store::build_fetch_cache(bytes);
    append.messages.push_back(std::move(message));
    return append;
}

template <class Kind>
std::optional<Kind> answer(const commit::PartOutcome& outcome) {
    if (!outcome.result) return std::nullopt;
    auto result = store::decode_result(*outcome.result);
    if (!result) return std::nullopt;
    return std::get<Kind>(std::move(*result));
}

MailboxName mailbox_name(std::uint64_t dice) {
    constexpr const char* names[] = {"Work", "Archive", "Trash"};
    return MailboxName::parse(names[dice % 3]).value();
}

}  // namespace

void Work::run(int count, const std::function<bool()>& is_dead) {
    for (int n = 0; n < count && !is_dead(); ++n) {
        wait_until_at_most(static_cast<int>(random_() % 5));
        one();
    }
    wait_until_at_most(0);
}

void Work::one() {
    const auto dice = random_() % 100;
    if (dice < 34) return deliver();
    if (dice < 44) return append();
    if (dice < 56) return store();
    if (dice < 64) return move();
    if (dice < 70) return expunge();
    if (dice < 80) return enqueue();
    if (dice < 88) return record();
    if (dice < 90) return share();
    if (dice < 96) return server_.follow(static_cast<std::uint32_t>(1 + random_() % kAccounts));
    server_.checkpoint();
}

void Work::wait_until_at_most(int waiting) {
    std::unique_lock lock(mutex_);
    answered_.wait(lock, [&] { return waiting_ <= waiting; });
}

void Work::submit(commit::Transaction transaction, std::function<void(const commit::Outcome&)> answered) {
    {
        const std::lock_guard lock(mutex_);
        ++waiting_;
    }
    server_.engine().submit(std::move(transaction), [this, done = std::move(answered)](const auto& outcome) {
        const std::lock_guard lock(mutex_);
        done(outcome);
        --waiting_;
        answered_.notify_all();
    });
}

Books Work::books_now() {
    const std::lock_guard lock(mutex_);
    return books_;
}

void Work::hold_still(const std::function<void(const Books&)>& look) {
    const std::lock_guard lock(mutex_);
    look(books_);
}

std::string Work::next_token() {
    return salt_ + "." + std::to_string(++number_);
}

std::size_t Work::random_size() {
    constexpr std::size_t sizes[] = {10, 300, 300, 3'000, 3'000, 20'000};
    return random_() % 25 == 0 ? 300'000 : sizes[random_() % 6];
}

std::shared_ptr<const std::string> Work::message(const std::string& token, std::size_t size) {
    std::string bytes =
        "From: a@example.org\r\nSubject: " + token + "\r\nMessage-ID: <" + token + "@x>\r\n\r\n";
    while (bytes.size() < size) bytes += token + " all work and no play\r\n";
    return std::make_shared<const std::string>(std::move(bytes));
}

void Work::deliver() {
    const std::string token = next_token();
    const auto bytes = message(token, random_size());
    std::vector<std::uint32_t> accounts{static_cast<std::uint32_t>(1 + random_() % kAccounts)};
    if (random_() % 3 == 0) accounts = {1, 2, 3};
    commit::Transaction transaction;
    transaction.files.push_back(server_.message_file(*bytes));
    {
        const std::lock_guard lock(mutex_);
        for (const auto account : accounts) {
            transaction.parts.push_back(part_of(account, append_to(MailboxName::inbox(), *bytes)));
            // The first mailbox of an account is its INBOX.
            books_.letters[{account, token}] = {bytes, std::nullopt,
                                                Place{MailboxId(1), 0, 0, 0, false, false}};
        }
        books_.lines[token];
    }
    ipc::LedgerLine line;
    line.trace_id = token;
    line.time = kTime;
    line.stage = "delivered";
    transaction.parts.push_back(ledger::part({line}));
    submit(std::move(transaction), [this, token, accounts](const commit::Outcome& outcome) {
        for (std::size_t i = 0; i < accounts.size(); ++i) {
            const auto appended = answer<store::Appended>(outcome[i]);
            if (!appended) continue;
            Place place{appended->mailbox,
                        appended->uidvalidity.value,
                        appended->uids.first().value,
                        0,
                        false,
                        false};
            books_.saw_uid(accounts[i], place, token, figures_);
            Letter& letter = books_.letters[{accounts[i], token}];
            letter.certain = place;
            letter.asked.reset();
        }
        if (outcome[accounts.size()].result) books_.lines[token].certain = true;
    });
}

void Work::deliver_unanswered() {
    wait_until_at_most(0);
    const std::string token = salt_ + "." + std::to_string(number_ + 1);
    deliver();
    wait_until_at_most(0);
    const std::lock_guard lock(mutex_);
    for (auto& [key, letter] : books_.letters) {
        if (key.second == token) letter.asked = std::exchange(letter.certain, std::nullopt);
    }
    std::erase_if(books_.uids, [&](const auto& each) { return each.second == token; });
    books_.lines[token].certain = false;
}

void Work::append() {
    const std::string token = next_token();
    const auto bytes = message(token, random_size());
    const auto account = static_cast<std::uint32_t>(1 + random_() % kAccounts);
    const auto flags = static_cast<std::uint8_t>(random_() % 32);
    const bool keyword = random_() % 2 == 0;
    commit::Transaction transaction;
    transaction.files.push_back(server_.message_file(*bytes));
    store::Append append = append_to(MailboxName::inbox(), *bytes);
    append.messages[0].flags.system = store::SystemFlags::from_bits(flags);
    if (keyword) append.messages[0].flags.keywords = {"$Later"};
    transaction.parts.push_back(part_of(account, std::move(append)));
    {
        const std::lock_guard lock(mutex_);
        books_.letters[{account, token}] = {bytes, std::nullopt,
                                            Place{MailboxId(1), 0, 0, flags, keyword, false}};
    }
    submit(std::move(transaction), [this, token, account, flags, keyword](const commit::Outcome& outcome) {
        const auto appended = answer<store::Appended>(outcome[0]);
        if (!appended) return;
        Place place{appended->mailbox,
                    appended->uidvalidity.value,
                    appended->uids.first().value,
                    flags,
                    keyword,
                    false};
        books_.saw_uid(account, place, token, figures_);
        Letter& letter = books_.letters[{account, token}];
        letter.certain = place;
        letter.asked.reset();
    });
}

std::map<Books::LetterKey, Letter>::iterator Work::any_letter() {
    if (books_.letters.empty()) return books_.letters.end();
    auto at =
        std::next(books_.letters.begin(), static_cast<std::ptrdiff_t>(random_() % books_.letters.size()));
    for (int tries = 0; tries < 8 && at != books_.letters.end(); ++tries, ++at) {
        if (at->second.certain && !at->second.certain->gone && !at->second.asked) return at;
    }
    return books_.letters.end();
}

void Work::store() {
    commit::Transaction transaction;
    Books::LetterKey key;
    Place place;
    {
        const std::lock_guard lock(mutex_);
        const auto letter = any_letter();
        if (letter == books_.letters.end()) return;
        key = letter->first;
        place = *letter->second.certain;
        place.flags = static_cast<std::uint8_t>(random_() % 32);
        place.keyword = random_() % 2 == 0;
        letter->second.asked = place;
    }
    store::StoreFlags change{
        place.mailbox, store::UidSet::of({place.uid}), store::StoreFlags::How::replace, {}, {}};
    change.flags.system = store::SystemFlags::from_bits(place.flags);
    if (place.keyword) change.flags.keywords = {"$Later"};
    transaction.parts.push_back(part_of(key.first, std::move(change)));
    submit(std::move(transaction), [this, key, place](const commit::Outcome& outcome) {
        if (!outcome[0].result) return;
        Letter& letter = books_.letters[key];
        letter.certain = place;
        letter.asked.reset();
    });
}

void Work::move() {
    commit::Transaction transaction;
    Books::LetterKey key;
    Place place;
    const MailboxName to = mailbox_name(random_());
    {
        const std::lock_guard lock(mutex_);
        const auto letter = any_letter();
        if (letter == books_.letters.end() || letter->second.certain->mailbox != MailboxId(1)) return;
        key = letter->first;
        place = *letter->second.certain;
        letter->second.asked = place;
        letter->second.asked->mailbox = MailboxId(0);  // neither is known yet
        letter->second.asked->uid = letter->second.asked->uidvalidity = 0;
    }
    store::Copy change{place.mailbox, store::UidSet::of({place.uid}), {to, true}, true};
    transaction.parts.push_back(part_of(key.first, std::move(change)));
    submit(std::move(transaction), [this, key, place](const commit::Outcome& outcome) {
        const auto moved = answer<store::Copied>(outcome[0]);
        if (!moved) return;
        Letter& letter = books_.letters[key];
        Place now = place;
        now.mailbox = moved->mailbox;
        now.uidvalidity = moved->uidvalidity.value;
        now.uid = moved->destination.first().value;
        books_.saw_uid(key.first, now, key.second, figures_);
        letter.certain = now;
        letter.asked.reset();
    });
}

void Work::expunge() {
    commit::Transaction transaction;
    Books::LetterKey key;
    Place place;
    {
        const std::lock_guard lock(mutex_);
        const auto letter = any_letter();
        if (letter == books_.letters.end()) return;
        key = letter->first;
        place = *letter->second.certain;
        letter->second.asked = place;
        letter->second.asked->gone = true;
    }
    transaction.parts.push_back(
        part_of(key.first, store::Expunge{place.mailbox, store::UidSet::of({place.uid}), false}));
    submit(std::move(transaction), [this, key](const commit::Outcome& outcome) {
        if (!outcome[0].result) return;
        Letter& letter = books_.letters[key];
        letter.certain->gone = true;
        letter.asked.reset();
    });
}

void Work::enqueue() {
    const std::string token = next_token();
    const auto bytes = message(token, random_size());
    queue::QueueEntry entry;
    entry.trace_id = token;
    entry.envelope.reverse_path = Address::parse("you@example.org").value();
    entry.size = bytes->size();
    entry.received = kTime;
    entry.expires = kTime + std::chrono::days(5);
    const Address to = Address::parse("friend@example.net").value();
    entry.recipients.push_back({{to, 0, {}, ipc::Remote{to}}, {}});
    commit::Transaction transaction;
    transaction.files.push_back(server_.message_file(*bytes));
    transaction.parts.push_back({std::string(queue::kQueueEnvironment),
                                 queue::encode(queue::QueueChange(queue::Enqueue{entry, 0, 0})),
                                 {}});
    ipc::LedgerLine line;
    line.trace_id = token;
    line.time = kTime;
    line.stage = "queued";
    transaction.parts.push_back(ledger::part({line}));
    {
        const std::lock_guard lock(mutex_);
        books_.queue[token] = {bytes, 0, std::nullopt, 0};
        books_.lines[token];
    }
    submit(std::move(transaction), [this, token](const commit::Outcome& outcome) {
        if (!outcome[0].result) return;
        Outbound& outbound = books_.queue[token];
        outbound.id = queue::decode_number(*outcome[0].result).value();
        const auto [id, is_new] = books_.queue_ids.emplace(outbound.id, token);
        if (!is_new && id->second != token)
            figures_.found(&Figures::uids_reused,
                           "queue: " + id->second + " and " + token + " have one number");
        outbound.certain = 0;
        outbound.asked.reset();
        if (outcome[1].result) books_.lines[token].certain = true;
    });
}

// An attempt failed for now, or the next server took the message.
void Work::record() {
    std::string token;
    queue::Record change;
    int attempts = 0;
    {
        const std::lock_guard lock(mutex_);
        for (auto& [each, outbound] : books_.queue) {
            if (outbound.certain.value_or(-1) < 0 || outbound.asked || outbound.id == 0 || random_() % 3 == 0)
                continue;
            token = each;
            attempts = random_() % 2 == 0 ? -1 : *outbound.certain + 1;
            change.id = QueueId(outbound.id);
            outbound.asked = attempts;
            break;
        }
    }
    if (token.empty()) return;
    queue::Progress progress;
    progress.state = attempts < 0 ? queue::RecipientState::delivered : queue::RecipientState::waiting;
    progress.attempts = static_cast<std::uint32_t>(attempts < 0 ? 1 : attempts);
    change.recipients = {{0, progress}};
    commit::Transaction transaction;
    transaction.parts.push_back(
        {std::string(queue::kQueueEnvironment), queue::encode(queue::QueueChange(std::move(change))), {}});
    submit(std::move(transaction), [this, token, attempts](const commit::Outcome& outcome) {
        if (!outcome[0].result) return;
        books_.queue[token].certain = attempts;
        books_.queue[token].asked.reset();
    });
}

void Work::share() {
    const auto owner = static_cast<std::uint32_t>(1 + random_() % kAccounts);
    const auto with = static_cast<std::uint32_t>(10 + ++number_);
    commit::Transaction transaction;
    transaction.parts.push_back(
        {std::string(store::kSharesEnvironment),
         store::encode(store::ShareChange(store::NoteShare{AccountId(owner), AccountId(with)})),
         {}});
    {
        const std::lock_guard lock(mutex_);
        books_.shares[{owner, with}];
    }
    submit(std::move(transaction), [this, owner, with](const commit::Outcome& outcome) {
        if (outcome[0].result) books_.shares[{owner, with}].certain = true;
    });
}

}  // namespace mailstead::power
