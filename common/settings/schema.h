// The one declaration of mailstead.toml: a row per key, in the files of tables/. Parser, defaults, errors and
// `describe` all read it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/settings/settings.h"

namespace mailstead::settings {

enum class Type { boolean, number, size, duration, text, texts };

// What a key holds after its type was checked. number, size (bytes) and duration (seconds) share the integer.
using Value = std::variant<bool, std::uint64_t, std::string, std::vector<std::string>>;

// A smarthost takes two keys; they meet here.
struct SmarthostDraft {
    std::optional<Smarthost> server;
    std::filesystem::path password_file;
};
struct RouteDraft {
    std::optional<Domain> domain;
    bool with_subdomains = false;
    SmarthostDraft smarthost;
};

// The settings while the file is being read. In an array of tables the last element is the one being filled.
struct Draft {
    Settings settings;
    std::filesystem::path folder;
    CertificatePaths main_certificate;
    std::vector<CertificatePaths> more_certificates;
    SmarthostDraft smarthost;
    std::vector<RouteDraft> routes;
    bool listeners_given = false;

    // Relative paths count from the file's folder; an empty one stays empty.
    std::filesystem::path resolve(const std::string& path) const;
};

// Puts the value in its place, or says what was expected instead.
using Apply = std::optional<std::string> (*)(Draft& draft, const Value& value);

struct Row {
    std::string_view key;
    Type type;
    // As TOML; empty: the key must be given.
    std::string_view default_toml;
    std::uint64_t minimum = 0;
    std::uint64_t maximum = 0;
    std::string_view readers;
    std::string_view help;
    Apply apply = nullptr;
};

enum class TableKind { single, array };
struct Table {
    // `relay`, `relay.route`; empty for the keys at the top.
    std::string_view name;
    TableKind kind;
    std::string_view help;
    std::span<const Row> rows;
    // For an array: starts a new element.
    void (*begin)(Draft& draft) = nullptr;
    // For an array: the elements that `describe` shows; as a comment when they are an example, not the
    // default.
    std::string_view sample = {};
    bool sample_is_default = false;
};

// In the order in which a reader meets them.
std::span<const Table> schema();

// `number`: "a number from 1 to 65535"
std::string expectation(const Row& row);

}  // namespace mailstead::settings
