#include "common/ledger/ledger.h"

#include "common/base/bytes.h"
#include "common/kv/keys.h"

namespace mailstead::ledger {
namespace {

// lines: number (u64, rising) -> one LedgerLine.  by-id: id, a zero byte, number -> nothing.  meta: the
// format.
constexpr std::string_view kLines = "lines";
constexpr std::string_view kById = "by-id";
constexpr std::string_view kMeta = "meta";
constexpr std::string_view kFormatKey = "format";
constexpr std::uint64_t kFormat = 1;
constexpr std::size_t kMaxTraceId = 64;
// Each line makes room for itself and a little more, so that a lowered bound is reached without a long pause.
constexpr int kPrunePerLine = 3;

std::string id_prefix(std::string_view trace_id) {
    std::string key(trace_id.substr(0, kMaxTraceId));
    key += '\0';
    return key;
}

std::string id_key(std::string_view trace_id, std::uint64_t number) {
    return id_prefix(trace_id) + std::string(kv::Key().u64(number).view());
}

class LedgerEnvironment final : public commit::Environment {
public:
    LedgerEnvironment(std::shared_ptr<kv::Env> env, kv::Database lines, kv::Database by_id, Limits limits)
        : env_(std::move(env)), lines_(lines), by_id_(by_id), limits_(limits) {}

    Result<std::string> apply(kv::WriteTransaction& transaction, std::string_view change,
                              commit::ApplyContext&) override {
        ByteReader in(change);
        const std::size_t count = in.count();
        TRY(number, next_number(transaction));
        for (std::size_t i = 0; i < count; ++i) {
            const std::string_view bytes = in.string();
            const auto line = ipc::LedgerLine::decode(bytes);
            if (!line) return permanent_error("malformed ledger line: " + std::string(line.error().what));
            TRY_VOID(transaction.put(lines_, kv::Key().u64(number), bytes, kv::PutMode::append));
            TRY_VOID(transaction.put(by_id_, id_key(line->trace_id, number), {}));
            TRY_VOID(prune(transaction, line->time));
            ++number;
        }
        return std::string{};
    }

private:
    Result<std::uint64_t> next_number(kv::WriteTransaction& transaction) {
        TRY(cursor, kv::Cursor::open(transaction, lines_));
        TRY(any, cursor.last());
        return any ? kv::KeyReader(cursor.key()).u64() + 1 : std::uint64_t{1};
    }

    Result<void> prune(kv::WriteTransaction& transaction, Time at) {
        TRY(count, transaction.count(lines_));
        TRY(cursor, kv::Cursor::open(transaction, lines_));
        for (int i = 0; i < kPrunePerLine; ++i) {
            TRY(any, cursor.first());
            if (!any) break;
            const auto oldest = ipc::LedgerLine::decode(cursor.value());
            const bool old = !oldest || oldest->time + limits_.age < at;
            if (!old && count <= limits_.lines) break;
            const std::uint64_t number = kv::KeyReader(cursor.key()).u64();
            const std::string key = oldest ? id_key(oldest->trace_id, number) : std::string{};
            TRY_VOID(cursor.erase());
            if (!key.empty()) TRY_VOID(transaction.erase(by_id_, key));
            --count;
        }
        return {};
    }

    std::shared_ptr<kv::Env> env_;
    kv::Database lines_;
    kv::Database by_id_;
    Limits limits_;
};

Result<void> check_format(kv::Env& env, kv::Database meta) {
    return env.update([&](kv::WriteTransaction& transaction) -> Result<void> {
        TRY(found, transaction.get(meta, kFormatKey));
        if (found && ByteReader(*found).varint() > kFormat) {
            return permanent_error("the ledger was written by a newer version of Mailstead");
        }
        if (found) return {};
        ByteWriter format;
        format.varint(kFormat);
        if (!found || ByteReader(*found).varint() != kFormat)
            TRY_VOID(transaction.put(meta, kFormatKey, format.bytes()));
        return {};
    });
}

}  // namespace

commit::Part part(const std::vector<ipc::LedgerLine>& lines) {
    ByteWriter out;
    out.varint(lines.size());
    for (const auto& line : lines) out.string(line.encode());
    return commit::Part{std::string(kEnvironment), out.take(), {}};
}

Result<commit::EnvironmentPlace> LedgerParticipant::locate(std::string_view name) {
    if (!name.empty()) return permanent_error("there is one ledger");
    commit::EnvironmentPlace place;
    place.directory = "ledger";
    return place;
}

Result<std::unique_ptr<commit::Environment>> LedgerParticipant::attach(std::string_view,
                                                                       std::shared_ptr<kv::Env> env) {
    TRY(databases, env->open_databases({kLines, kById, kMeta}));
    TRY_VOID(check_format(*env, databases[2]));
    return std::unique_ptr<commit::Environment>(
        std::make_unique<LedgerEnvironment>(std::move(env), databases[0], databases[1], limits_));
}

Result<Reader> Reader::open(const std::filesystem::path& data_dir) {
    TRY(env, kv::Env::open(data_dir / "ledger", kv::EnvOptions{}));
    TRY(databases, env->open_databases({kLines, kById}));
    return Reader(std::move(env), databases[0], databases[1]);
}

Result<std::vector<ipc::LedgerLine>> Reader::find(std::string_view trace_id) const {
    std::vector<ipc::LedgerLine> lines;
    TRY(transaction, env_->read());
    TRY(cursor, kv::Cursor::open(transaction, by_id_));
    const std::string prefix = id_prefix(trace_id);
    TRY(first, cursor.seek(prefix));
    for (bool more = first; more && cursor.key().starts_with(prefix);) {
        TRY(bytes, transaction.get(lines_, cursor.key().substr(prefix.size())));
        auto line =
            bytes ? ipc::LedgerLine::decode(*bytes) : Parsed<ipc::LedgerLine>(ParseError{"missing", 0});
        if (line) lines.push_back(*std::move(line));
        TRY(next, cursor.next());
        more = next;
    }
    return lines;
}

Result<void> Reader::newest_first(const std::function<bool(const ipc::LedgerLine&)>& visit) const {
    TRY(transaction, env_->read());
    TRY(cursor, kv::Cursor::open(transaction, lines_));
    TRY(last, cursor.last());
    for (bool more = last; more;) {
        const auto line = ipc::LedgerLine::decode(cursor.value());
        if (line && !visit(*line)) break;
        TRY(previous, cursor.previous());
        more = previous;
    }
    return {};
}

}  // namespace mailstead::ledger
