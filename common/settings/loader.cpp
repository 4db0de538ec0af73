#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sys/stat.h>

// A few malformed files fail an assertion inside toml++ 3.3 instead of a parse error ("[[[" is one): a typing
// error must not end the program without a word.
#include <stdexcept>
namespace {
[[noreturn, maybe_unused]] void malformed_toml() {
    throw std::logic_error("malformed TOML");
}
}  // namespace
#define TOML_ASSERT(condition) ((condition) ? void() : malformed_toml())

#include <toml++/toml.h>

#include "common/base/text.h"
#include "common/settings/schema.h"
#include "common/settings/settings.h"
#include "common/settings/units.h"

namespace mailstead::settings {
namespace {

constexpr std::size_t kMaxFileSize = 1024 * 1024;
constexpr std::size_t kMaxListEntries = 256;
constexpr std::size_t kMaxTables = 1000;

// How many letters must change, go or come to turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
        }
    }
    return row[b.size()];
}

std::string full_name(std::string_view table, std::string_view key) {
    return table.empty() ? std::string(key) : std::string(table) + '.' + std::string(key);
}

// The known key or table that an unknown one most likely meant; empty when none is near.
std::string nearest_name(std::string_view table, std::string_view key) {
    constexpr std::size_t kMaxKey = 64;
    if (key.size() > kMaxKey) return {};
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(2, key.size() / 3) + 1;
    const auto offer = [&](std::string name, std::size_t distance) {
        if (distance >= best_distance) return;
        best_distance = distance;
        best = std::move(name);
    };
    for (const Table& other : schema()) {
        // A key of another table is worth naming only when it is spelled nearly the same.
        const std::size_t elsewhere = other.name == table ? 0 : 1;
        for (const Row& row : other.rows) {
            offer(full_name(other.name, row.key), edit_distance(key, row.key) + elsewhere);
        }
        const std::string name = full_name(table, key);
        if (!other.name.empty())
            offer('[' + std::string(other.name) + ']', edit_distance(name, other.name) + 1);
    }
    return best;
}

std::string show(const toml::node& node) {
    std::ostringstream out;
    out << toml::node_view<const toml::node>(&node);
    return out.str().substr(0, 80);
}

// The node as the row's type; nullopt when it is something else or out of bounds.
std::optional<Value> convert(const Row& row, const toml::node& node) {
    const auto bounded = [&](std::optional<std::uint64_t> n) -> std::optional<Value> {
        if (!n || *n < row.minimum || *n > row.maximum) return std::nullopt;
        return Value(*n);
    };
    const auto integer = [&]() -> std::optional<std::uint64_t> {
        const auto n = node.value_exact<std::int64_t>();
        if (!n || *n < 0) return std::nullopt;
        return static_cast<std::uint64_t>(*n);
    };
    const auto string = node.value_exact<std::string>();
    switch (row.type) {
        case Type::boolean:
            if (const auto b = node.value_exact<bool>()) return Value(*b);
            return std::nullopt;
        case Type::number:
            return bounded(integer());
        case Type::size:
            return bounded(string ? parse_size(*string) : integer());
        case Type::duration:
            return bounded(string ? parse_duration(*string) : integer());
        case Type::text:
            if (!string || string->find('\0') != std::string::npos) return std::nullopt;
            return Value(*string);
        case Type::texts:
            break;
    }
    const toml::array* list = node.as_array();
    if (list == nullptr || list->size() > kMaxListEntries) return std::nullopt;
    std::vector<std::string> out;
    for (const toml::node& entry : *list) {
        auto element = entry.value_exact<std::string>();
        if (!element) return std::nullopt;
        out.push_back(*std::move(element));
    }
    return Value(std::move(out));
}

const Table* find_table(std::string_view name) {
    for (const Table& table : schema()) {
        if (table.name == name) return &table;
    }
    return nullptr;
}

class Loader {
public:
    explicit Loader(const std::filesystem::path& file) : file_(file.string()) {
        draft_.folder = std::filesystem::absolute(file).parent_path();
    }

    Result<Settings, Problems> run(std::string_view text) {
        auto root = parse_toml(text);
        if (!root) return std::move(problems_);
        apply_defaults();
        read_table(*find_table(""), "", *root);
        finish();
        if (!problems_.list.empty()) return std::move(problems_);
        return std::move(draft_.settings);
    }

private:
    void problem(std::uint32_t line, std::string key, std::string what) {
        problems_.list.push_back({file_, line, std::move(key), std::move(what)});
    }

    std::optional<toml::table> parse_toml(std::string_view text) {
        try {
            return toml::parse(text, file_);
        } catch (const toml::parse_error& error) {
            problem(error.source().begin.line, "", std::string(error.description()));
            return std::nullopt;
        } catch (const std::logic_error& error) {
            problem(0, "", error.what());
            return std::nullopt;
        }
    }

    // The defaults go the same way as what the file says, so that `describe` cannot tell of others than those
    // that hold.
    void apply_defaults() {
        for (const Table& table : schema()) {
            if (table.kind == TableKind::array) {
                if (!table.sample_is_default) continue;
                const toml::table sample = toml::parse(table.sample);
                for (const toml::node& entry : *sample.get_as<toml::array>(table.name)) {
                    table.begin(draft_);
                    read_rows(table, table.name, *entry.as_table());
                }
            } else {
                for (const Row& row : table.rows) apply_default(row);
            }
        }
        draft_.listeners_given = false;
    }

    void apply_default(const Row& row) {
        if (row.default_toml.empty()) return;
        const toml::table holder = toml::parse("value = " + std::string(row.default_toml));
        row.apply(draft_, convert(row, *holder.get("value")).value());
    }

    // Reads one table of the file: its own keys, then the tables inside it.
    void read_table(const Table& table, const std::string& name, const toml::table& node) {
        read_rows(table, name, node);
        for (const auto& [key, child] : node) {
            const std::string inner = full_name(table.name, key.str());
            if (const Table* known = find_table(inner)) {
                read_child(*known, inner, child);
            } else if (!is_row(table, key.str())) {
                unknown_key(table.name, name, key.str(), line_of(child, key.source().begin.line));
            }
        }
    }

    void read_child(const Table& table, const std::string& name, const toml::node& node) {
        if (table.kind == TableKind::single) {
            if (node.is_table()) return read_table(table, name, *node.as_table());
            return problem(node.source().begin.line, name, "a table [" + name + "] is expected");
        }
        const toml::array* list = node.as_array();
        const auto is_table = [](const toml::node& entry) { return entry.is_table(); };
        if (list == nullptr || !std::all_of(list->begin(), list->end(), is_table)) {
            return problem(node.source().begin.line, name, "tables [[" + name + "]] are expected");
        }
        if (list->size() > kMaxTables) return problem(node.source().begin.line, name, "too many of them");
        std::size_t number = 0;
        for (const toml::node& entry : *list) {
            const std::string element = name + '[' + std::to_string(++number) + ']';
            table.begin(draft_);
            for (const Row& row : table.rows) apply_default(row);
            read_table(table, element, *entry.as_table());
            lines_[table.name].push_back(entry.source().begin.line);
        }
    }

    void read_rows(const Table& table, std::string_view name, const toml::table& node) {
        for (const Row& row : table.rows) {
            const std::string key = full_name(name, row.key);
            const toml::node* value = node.get(row.key);
            if (value == nullptr) {
                // The table at the top starts with the file; tables have a line of their own.
                const std::uint32_t line = table.name.empty() ? 1 : node.source().begin.line;
                if (row.default_toml.empty()) problem(line, key, "is missing: " + example_of(row));
                continue;
            }
            read_value(row, key, *value);
        }
    }

    static std::string example_of(const Row& row) {
        return "add a line " + std::string(row.key) + " = ... (" + std::string(row.help) + ')';
    }

    void read_value(const Row& row, const std::string& key, const toml::node& node) {
        const std::uint32_t line = node.source().begin.line;
        const auto value = convert(row, node);
        if (!value) return problem(line, key, expectation(row) + ", not " + show(node));
        if (const auto expected = row.apply(draft_, *value)) {
            problem(line, key, *expected + " is expected, not " + show(node));
        }
    }

    static bool is_row(const Table& table, std::string_view key) {
        return std::any_of(table.rows.begin(), table.rows.end(),
                           [&](const Row& row) { return row.key == key; });
    }

    static std::uint32_t line_of(const toml::node& node, std::uint32_t key_line) {
        return key_line != 0 ? key_line : node.source().begin.line;
    }

    void unknown_key(std::string_view table, const std::string& name, std::string_view key,
                     std::uint32_t line) {
        const std::string near = nearest_name(table, key);
        problem(line, full_name(name, key),
                near.empty() ? "is not a known key" : "is not a known key; did you mean " + near + '?');
    }

    // What needs more than one key to be seen.
    void finish() {
        finish_listeners();
        finish_certificates();
        if (auto smarthost = finish_smarthost(draft_.smarthost, "relay", 0)) {
            draft_.settings.relay.smarthost = std::move(smarthost);
        }
        finish_routes();
        if (draft_.settings.relay.delay_notice > draft_.settings.relay.retry_lifetime) {
            problem(0, "relay.delay_notice", "must not be later than relay.retry_lifetime");
        }
    }

    std::uint32_t line_of_element(std::string_view table, std::size_t index) const {
        const auto lines = lines_.find(table);
        return lines == lines_.end() || index >= lines->second.size() ? 0 : lines->second[index];
    }

    void finish_listeners() {
        const std::vector<Listener>& all = draft_.settings.listeners;
        for (std::size_t i = 0; i < all.size(); ++i) {
            const std::string name = "listener[" + std::to_string(i + 1) + ']';
            for (std::size_t j = 0; j < i; ++j) {
                if (all[i].address.port == 0 || !(all[i].address == all[j].address)) continue;
                problem(line_of_element("listener", i), name + ".address",
                        "is taken by listener[" + std::to_string(j + 1) + ']');
            }
            if (all[i].service == Service::web && all[i].tls == TlsMode::starttls) {
                problem(line_of_element("listener", i), name + ".tls",
                        "\"implicit\" or \"none\" is expected for the web");
            }
        }
    }

    void finish_certificates() {
        const CertificatePaths& main = draft_.main_certificate;
        if (main.certificate.empty() != main.key.empty()) {
            problem(0, main.key.empty() ? "tls.key" : "tls.certificate",
                    "certificate and key belong together: one is missing");
        }
        if (!main.certificate.empty()) draft_.settings.tls.certificates.push_back(main);
        for (CertificatePaths& more : draft_.more_certificates) {
            draft_.settings.tls.certificates.push_back(std::move(more));
        }
    }

    std::optional<Smarthost> finish_smarthost(SmarthostDraft& draft, const std::string& table,
                                              std::uint32_t line) {
        if (!draft.server) return std::nullopt;
        if (!draft.server->user.empty() && draft.password_file.empty()) {
            problem(line, table + ".smarthost_password_file",
                    "is missing: the smarthost has a user, so it needs a password");
        }
        draft.server->password_file = std::move(draft.password_file);
        return std::move(draft.server);
    }

    void finish_routes() {
        for (std::size_t i = 0; i < draft_.routes.size(); ++i) {
            RouteDraft& route = draft_.routes[i];
            const std::string name = "relay.route[" + std::to_string(i + 1) + ']';
            auto smarthost = finish_smarthost(route.smarthost, name, line_of_element("relay.route", i));
            if (!route.domain) continue;  // reported already
            draft_.settings.relay.routes.push_back(
                {*std::move(route.domain), route.with_subdomains, std::move(smarthost)});
        }
    }

    std::string file_;
    Draft draft_;
    Problems problems_;
    std::map<std::string_view, std::vector<std::uint32_t>>
        lines_;  // where each element of an array of tables starts
};

}  // namespace

Result<Settings, Problems> parse(std::string_view toml, const std::filesystem::path& file) {
    return Loader(file).run(toml);
}

Result<Settings, Problems> load(const std::filesystem::path& file) {
    const auto refused = [&](std::string what) {
        return Problems{{{file.string(), 0, "", std::move(what)}}};
    };
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) {
        return refused(std::string("cannot be read (") + std::strerror(errno) +
                       "); `mailstead init` writes one, `-c FILE` names another");
    }
    if (!S_ISREG(status.st_mode)) return refused("is not a regular file");
    if (static_cast<std::size_t>(status.st_size) > kMaxFileSize) return refused("is larger than 1 MiB");
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (!in && !in.eof()) return refused("cannot be read");
    if (in.bad() || !in.is_open())
        return refused(std::string("cannot be read (") + std::strerror(errno) + ')');
    auto settings = parse(text, file);
    if (!settings) return settings;
    // Where the folder lies is the administrator's to say, also by links; below it none are followed.
    std::error_code error;
    const auto real = std::filesystem::canonical(settings->data_dir, error);
    if (!error) settings->data_dir = real;
    return settings;
}

}  // namespace mailstead::settings
