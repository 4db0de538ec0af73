// What a client calls itself (RFC 2971): for people to read, behaviour must not depend on it.
#pragma once

#include <string>

#include "common/base/text.h"
#include "imapd/proto/command.h"

namespace mailstead::imapd {

// `Thunderbird 128.0`, in printable ASCII; empty: it does not say.
inline std::string client_name(const proto::IdParameters& said) {
    constexpr std::size_t kMost = 64;  // of each part
    std::string name;
    std::string version;
    for (const auto& [field, value] : said.fields) {
        if (text::iequals(field, "name")) name = value.value_or("").substr(0, kMost);
        if (text::iequals(field, "version")) version = value.value_or("").substr(0, kMost);
    }
    if (!name.empty() && !version.empty()) name += ' ' + version;
    for (char& c : name) {
        if (c < ' ' || c > '~') c = '?';
    }
    return name;
}

}  // namespace mailstead::imapd
