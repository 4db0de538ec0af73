// Messages of many shapes, the same in every run, and patterns that are in some of them.
#pragma once

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/mime/charset.h"
#include "common/mime/encoded_word.h"
#include "common/mime/message_text.h"
#include "common/mime/transfer_encoding.h"

namespace mailstead::mime {

class RandomMail {
public:
    explicit RandomMail(std::uint32_t seed) : engine_(seed) {}

    std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_()) % n; }

    std::string word() {
        static const std::vector<std::string> kWords = {"meeting",
                                                        "Meet",
                                                        "meets",
                                                        "report",
                                                        "quarterly",
                                                        "re-port",
                                                        "a",
                                                        "INVOICE",
                                                        "invoices",
                                                        "x86_64",
                                                        "2023-11-14",
                                                        "caf\u00e9",
                                                        "CAFE",
                                                        "na\u00efve",
                                                        "Stra\u00dfe",
                                                        "strasse",
                                                        "\u041f\u0440\u0438\u0432\u0435\u0442",
                                                        "\u6771\u4eac\u90fd",
                                                        "\u4eac\u90fd",
                                                        "\u3053\u3093\u306b\u3061\u306f",
                                                        "\ud55c\uad6d\uc5b4",
                                                        "\u6771",
                                                        "caf\u00e9\u6771\u4eac",
                                                        "e\u0301t\u00e9",
                                                        "\uff21\uff22\uff23",
                                                        "foo.bar@example.org",
                                                        "https://example.org/path?q=1",
                                                        "\u2014",
                                                        "\U0001F600",
                                                        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35"};
        if (below(40) == 0) return long_word();
        return kWords[below(kWords.size())];
    }

    std::string text(std::size_t words) {
        std::string out;
        for (std::size_t i = 0; i < words; ++i) {
            out += word();
            const std::size_t after = below(12);
            out += after == 0 ? "\r\n" : after == 1 ? "" : after == 2 ? ", " : " ";
        }
        return out + "\r\n";
    }

    std::string message() {
        std::string out = "From: " + encode_words(word(), WordPlace::phrase) + " <ann@example.org>\r\n";
        out += "Subject: " + (below(4) == 0 ? text_in_header() : encode_words(one_line(4), WordPlace::text)) +
               "\r\n";
        out += "Received: from a by b with ESMTP id AbC" + std::to_string(below(1000)) +
               "xyz;\r\n\tsome day\r\n";
        return out + "MIME-Version: 1.0\r\n" + entity(0);
    }

    // Cut out of what the message says, at any characters; or words that nobody wrote.
    std::string pattern(std::string_view message) {
        if (below(8) == 0) return word() + word();
        std::string all;
        text_of_message(Message::parse(message), TextScope::whole, [&](std::string_view piece) {
            if (all.empty() || below(3) == 0) all = piece;
            return true;
        });
        std::size_t begin = below(all.size());
        std::size_t end = std::min(all.size(), begin + 1 + below(below(4) == 0 ? 60 : 12));
        const auto inside = [&](std::size_t at) {
            return at < all.size() && (static_cast<unsigned char>(all[at]) & 0xC0) == 0x80;
        };
        while (inside(begin)) --begin;
        while (inside(end)) ++end;
        return all.substr(begin, end - begin);
    }

private:
    std::string one_line(std::size_t words) {
        std::string out = word();
        for (std::size_t i = 1; i < words; ++i) out += ' ' + word();
        return out;
    }
    std::string text_in_header() { return one_line(2) + "\r\n " + one_line(2); }
    std::string long_word() {
        std::string out;
        for (std::size_t n = 30 + below(200); n > 0; --n)
            out += "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij0123456789"[below(46)];
        return out;
    }

    std::string text_part() {
        const std::string body = text(5 + below(40));
        std::string html = below(5) == 0 ? "text/html" : "text/plain";
        switch (below(7)) {
            case 0:
                return "Content-Type: " + html +
                       "; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encode_base64(body);
            case 1:
                return "Content-Type: " + html +
                       "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
                       encode_quoted_printable(body);
            case 2:
                return "\r\n" + body;  // no type: 8-bit text that names no charset
            case 3:
                return "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nCaf\xE9 M\xFCller meeting "
                       "\xDF\r\n";
            case 4:
                return "Content-Type: text/plain; charset=shift_jis\r\nContent-Transfer-Encoding: "
                       "base64\r\n\r\n" +
                       encode_base64("\x93\x8C\x8B\x9E meeting \x83\x5C\x83\x5C");
            case 5:
                return "Content-Type: text/plain; charset=us-ascii\r\n\r\nonly plain meeting words here\r\n" +
                       std::to_string(below(100)) + "\r\n";
            default:
                return "Content-Type: " + html +
                       "; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + body;
        }
    }

    std::string entity(int depth) {
        const std::size_t kind = depth > 2 ? 0 : below(6);
        if (kind < 3) return text_part() + "\r\n";
        if (kind == 3)
            return "Content-Type: message/rfc822\r\n\r\nSubject: " + one_line(2) + "\r\n" + entity(depth + 1);
        const std::string boundary = "b" + std::to_string(depth) + "x" + std::to_string(below(1000));
        std::string out =
            "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\npreamble meeting\r\n";
        for (std::size_t n = 1 + below(3); n > 0; --n)
            out += "--" + boundary + "\r\n" + entity(depth + 1) + "\r\n";
        out += "--" + boundary + "\r\nContent-Type: application/pdf; name=\"" + "invoice report.pdf" +
               "\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encode_base64("meeting in an attachment") +
               "\r\n";
        return out + "--" + boundary + "--\r\n";
    }

    std::mt19937 engine_;
};

}  // namespace mailstead::mime
