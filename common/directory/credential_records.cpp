#include "common/directory/credential_records.h"

#include "common/base/bytes.h"

namespace mailstead::directory {
namespace {

constexpr std::uint8_t kVersion = 1;
// Of an account: 1 had no time of last use in app passwords.
constexpr std::uint8_t kAccountVersion = 2;

Error damaged(const char* what) {
    return transient_error(std::string("the credentials hold a damaged record: ") + what);
}

void write_scram(ByteWriter& out, const sasl::ScramKeyPair& pair) {
    out.string(pair.stored_key);
    out.string(pair.server_key);
}
sasl::ScramKeyPair read_scram(ByteReader& in) {
    std::string stored_key(in.string());
    return {std::move(stored_key), std::string(in.string())};
}
void write_time(ByteWriter& out, Time time) {
    out.fixed64(static_cast<std::uint64_t>(time.time_since_epoch().count()));
}
Time read_time(ByteReader& in) {
    return Time(Milliseconds(static_cast<std::int64_t>(in.fixed64())));
}

}  // namespace

std::string encode(const AccountCredentials& credentials) {
    ByteWriter out;
    out.u8(kAccountVersion);
    out.varint(credentials.generation);
    out.string(credentials.password_hash);
    out.string(credentials.scram_salt);
    out.varint(credentials.scram_iterations);
    out.boolean(credentials.scram.has_value());
    if (credentials.scram) write_scram(out, *credentials.scram);
    out.varint(credentials.app_passwords.size());
    for (const AppPassword& app : credentials.app_passwords) {
        out.string(app.name);
        write_time(out, app.created);
        out.string(app.hash);
        write_scram(out, app.scram);
        out.boolean(app.last_used.has_value());
        if (app.last_used) write_time(out, *app.last_used);
    }
    return out.take();
}

Result<AccountCredentials> decode_credentials(std::string_view bytes) {
    ByteReader in(bytes);
    const std::uint8_t version = in.u8();
    if (version == 0 || version > kAccountVersion) return damaged("an account of unknown version");
    AccountCredentials credentials;
    credentials.generation = in.varint();
    credentials.password_hash = in.string();
    credentials.scram_salt = in.string();
    credentials.scram_iterations = in.varint32();
    if (in.boolean()) credentials.scram = read_scram(in);
    for (std::size_t n = in.count(); n > 0; --n) {
        AppPassword app;
        app.name = in.string();
        app.created = read_time(in);
        app.hash = in.string();
        app.scram = read_scram(in);
        if (version >= 2 && in.boolean()) app.last_used = read_time(in);
        credentials.app_passwords.push_back(std::move(app));
    }
    if (!in.ok() || !in.at_end()) return damaged("an account");
    return credentials;
}

std::string dkim_database_key(const Domain& domain, std::string_view selector) {
    return domain.ascii() + '\0' + std::string(selector);
}

std::string encode(const DkimKey& key) {
    ByteWriter out;
    out.u8(kVersion);
    out.u8(static_cast<std::uint8_t>(key.algorithm));
    out.u8(static_cast<std::uint8_t>(key.state));
    write_time(out, key.created);
    out.string(key.private_pem.reveal());
    return out.take();
}

Result<DkimKey> decode_dkim_key(std::string_view database_key, std::string_view bytes) {
    const std::size_t zero = database_key.find('\0');
    auto domain = Domain::parse(database_key.substr(0, zero));
    if (!domain || zero == std::string_view::npos) return damaged("a DKIM key's name");
    ByteReader in(bytes);
    if (in.u8() != kVersion) return damaged("a DKIM key of unknown version");
    const std::uint8_t algorithm = in.u8();
    const std::uint8_t state = in.u8();
    const Time created = read_time(in);
    const std::string_view pem = in.string();
    const bool known = algorithm <= static_cast<std::uint8_t>(DkimAlgorithm::ed25519_sha256) &&
                       state <= static_cast<std::uint8_t>(DkimState::retired);
    if (!in.ok() || !in.at_end() || !known) return damaged("a DKIM key");
    return DkimKey{*std::move(domain),
                   std::string(database_key.substr(zero + 1)),
                   static_cast<DkimAlgorithm>(algorithm),
                   static_cast<DkimState>(state),
                   created,
                   Secret(pem)};
}

}  // namespace mailstead::directory
