// What the runners of tests/dialogs share.
#pragma once

#include <string>
#include <string_view>

#include "common/base/text.h"

namespace mailstead::dialogs {

// \r \n \t \0 \xHH; any other character after a backslash stands for itself.
inline std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        switch (text[++i]) {
            case 'r':
                out += '\r';
                break;
            case 'n':
                out += '\n';
                break;
            case 't':
                out += '\t';
                break;
            case '0':
                out += '\0';
                break;
            case 'x':
                out += text::unhex(text.substr(i + 1, 2)).value();
                i += 2;
                break;
            default:
                out += text[i];
        }
    }
    return out;
}

}  // namespace mailstead::dialogs
