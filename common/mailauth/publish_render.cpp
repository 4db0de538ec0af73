#include <algorithm>

#include <boost/json.hpp>

#include "common/base/text.h"
#include "common/mailauth/publish.h"

namespace mailstead::mailauth {
namespace {

constexpr std::size_t kMaxString = 255;  // RFC 1035, 3.3

std::string absolute(std::string_view name) {
    return std::string(name) + ".";
}

// <character-string> in quotes (RFC 1035, 5.1).
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte > 0x7E) {
            const std::string code = std::to_string(byte);
            out += "\\" + std::string(3 - code.size(), '0') + code;
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string split_text(std::string_view text) {
    std::string out;
    do {
        if (!out.empty()) out += ' ';
        out += quoted(text.substr(0, kMaxString));
        text.remove_prefix(std::min(kMaxString, text.size()));
    } while (!text.empty());
    return out;
}

// One value in words, names ended as `name` makes them.
template <class Name>
std::string write_value(const dns::Record& value, Name&& name) {
    struct Writer {
        Name& name;
        std::string operator()(const dns::IpAddress& v) const { return v.to_string(); }
        std::string operator()(const dns::Mx& v) const {
            return std::to_string(v.preference) + " " + name(v.exchange);
        }
        std::string operator()(const dns::Txt& v) const { return v.text; }
        std::string operator()(const dns::Tlsa& v) const {
            return std::to_string(v.usage) + " " + std::to_string(v.selector) + " " +
                   std::to_string(v.matching_type) + " " + text::hex(v.data);
        }
        std::string operator()(const dns::Target& v) const { return name(v.name); }
        std::string operator()(const dns::Srv& v) const {
            return std::to_string(v.priority) + " " + std::to_string(v.weight) + " " +
                   std::to_string(v.port) + " " + name(v.target);
        }
    };
    return std::visit(Writer{name}, value);
}

std::string padded(std::string_view text, std::size_t width) {
    std::string out(text);
    if (out.size() < width) out.append(width - out.size(), ' ');
    return out;
}

}  // namespace

std::string value_text(const dns::Record& value) {
    return write_value(value, [](const std::string& name) { return name.empty() ? "." : name; });
}

std::string zone_value(const dns::Record& value) {
    if (const auto* txt = std::get_if<dns::Txt>(&value)) return split_text(txt->text);
    return write_value(value, [](const std::string& name) { return absolute(name); });
}

std::string render_table(const std::vector<PublishedRecord>& records) {
    std::size_t width = 0;
    for (const PublishedRecord& record : records) width = std::max(width, record.name.size());
    std::string out;
    for (const Severity severity : {Severity::required, Severity::recommended, Severity::optional}) {
        bool any = false;
        for (const PublishedRecord& record : records) {
            if (record.severity != severity) continue;
            if (!std::exchange(any, true)) {
                out += std::string(out.empty() ? "" : "\n") + text::upper(to_string(severity)) + "\n";
            }
            const std::string value = value_text(record.value);
            out += "  " + padded(record.name, width) + "  " + padded(dns::to_string(record.type), 5) + "  " +
                   value + "\n";
            out += "      " + record.why + "\n";
            if (record.type == dns::RecordType::txt && value.size() > kMaxString) {
                out += "      if the panel wants strings of at most 255 bytes:\n      " +
                       zone_value(record.value) + "\n";
            }
        }
    }
    return out;
}

std::string render_zone(const std::vector<PublishedRecord>& records) {
    std::string out;
    for (const PublishedRecord& record : records) {
        out += "; " + std::string(to_string(record.severity)) + ": " + record.why + "\n";
        out += absolute(record.name) + " " + std::to_string(record.ttl.count()) + " IN " +
               std::string(dns::to_string(record.type)) + " " + zone_value(record.value) + "\n";
    }
    return out;
}

std::string render_json(const std::vector<PublishedRecord>& records) {
    boost::json::array list;
    for (const PublishedRecord& record : records) {
        boost::json::object entry;
        entry["name"] = record.name;
        entry["type"] = std::string(dns::to_string(record.type));
        entry["ttl"] = record.ttl.count();
        entry["value"] = value_text(record.value);
        entry["zone_value"] = zone_value(record.value);
        entry["severity"] = std::string(to_string(record.severity));
        entry["purpose"] = std::string(to_string(record.purpose));
        entry["why"] = record.why;
        list.push_back(std::move(entry));
    }
    boost::json::object root;
    root["records"] = std::move(list);
    return boost::json::serialize(root);
}

}  // namespace mailstead::mailauth
