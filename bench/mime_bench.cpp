// What a delivery pays for parsing: the tree, ENVELOPE and BODYSTRUCTURE of a message of 10 KiB, and the
// decoders.
#include <string>

#include <benchmark/benchmark.h>

#include "common/mime/charset.h"
#include "common/mime/message.h"
#include "common/mime/message_text.h"
#include "common/mime/structure.h"
#include "common/mime/transfer_encoding.h"

namespace {

using namespace mailstead::mime;

std::string lines(std::size_t bytes) {
    std::string out;
    while (out.size() < bytes)
        out += "The quick brown fox jumps over the lazy dog, and does so again and again.\r\n";
    return out;
}

// Trace fields, a DKIM signature, text and HTML: what most mail between people looks like.
std::string typical_message() {
    std::string m;
    for (int i = 0; i < 4; ++i) {
        m += "Received: from mail.example.org (mail.example.org [192.0.2.1])\r\n\tby mx.example.net "
             "(Mailstead) with ESMTPS id "
             "4XyZabc123\r\n\tfor <ann@example.net>; Sun, 22 Nov 2026 04:05:06 +0000 (UTC)\r\n";
    }
    m += "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; "
         "s=sel;\r\n\th=from:to:subject:date:message-id;\r\n"
         "\tbh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\r\n\tb=";
    for (int i = 0; i < 5; ++i)
        m += "Vm9uIGRlbSBCYXVtIGRlciBFcmtlbm50bmlzIGFzc2VuIHdpciBhbGxlIHNjaG9u\r\n\t ";
    m += "\r\nFrom: \"Bob B. Example\" <bob@example.org>\r\nTo: Ann Example <ann@example.net>, \"Carl, jr.\" "
         "<carl@example.net>\r\n"
         "Cc: list@lists.example.com\r\nSubject: Re: [list] The minutes of last week\r\n"
         "Date: Sun, 22 Nov 2026 04:05:00 +0000\r\nMessage-ID: <20261122040500.12345@mail.example.org>\r\n"
         "In-Reply-To: <abc@example.net>\r\nReferences: <1@example.net> <2@example.net>\r\n "
         "<abc@example.net>\r\n"
         "MIME-Version: 1.0\r\nUser-Agent: Example 1.0\r\nX-Mailer: Example\r\n"
         "Content-Type: multipart/alternative; boundary=\"------------0123456789abcdef\"\r\n\r\n"
         "This is a multi-part message in MIME format.\r\n--------------0123456789abcdef\r\n"
         "Content-Type: text/plain; charset=UTF-8; format=flowed\r\nContent-Transfer-Encoding: 7bit\r\n\r\n";
    m += lines(3 * 1024);
    m += "\r\n--------------0123456789abcdef\r\nContent-Type: text/html; charset=UTF-8\r\n"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\n";
    m += lines(4 * 1024 + 512);
    m += "\r\n--------------0123456789abcdef--\r\n";
    return m;
}

void set_bytes(benchmark::State& state, std::size_t size) {
    state.SetBytesProcessed(static_cast<std::int64_t>(size) * state.iterations());
}

void Parse(benchmark::State& state) {
    const std::string bytes = typical_message();
    for (auto _ : state) benchmark::DoNotOptimize(Message::parse(bytes).size());
    set_bytes(state, bytes.size());
    state.counters["message_bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK(Parse);

void ParseEnvelopeStructure(benchmark::State& state) {
    const std::string bytes = typical_message();
    for (auto _ : state) {
        const Message message = Message::parse(bytes);
        std::string out;
        write_envelope(out, message, ClientText::ascii);
        write_bodystructure(out, message, ClientText::ascii);
        benchmark::DoNotOptimize(out.data());
    }
    set_bytes(state, bytes.size());
}
BENCHMARK(ParseEnvelopeStructure);

void ParseManyParts(benchmark::State& state) {
    std::string bytes = "Content-Type: multipart/mixed; boundary=x\r\n\r\n";
    for (int i = 0; i < state.range(0); ++i) bytes += "--x\r\nContent-Type: text/plain\r\n\r\nsome text\r\n";
    for (auto _ : state) benchmark::DoNotOptimize(Message::parse(bytes).size());
    set_bytes(state, bytes.size());
}
BENCHMARK(ParseManyParts)->Arg(100)->Arg(9000);

void ParseLargeAttachment(benchmark::State& state) {
    const std::string bytes =
        "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: image/png\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n" +
        encode_base64(std::string(6 << 20, 'q')) + "--x--\r\n";
    for (auto _ : state) benchmark::DoNotOptimize(Message::parse(bytes).size());
    set_bytes(state, bytes.size());
}
BENCHMARK(ParseLargeAttachment);

void DecodeBase64(benchmark::State& state) {
    const std::string bytes = encode_base64(std::string(1 << 20, 'q'));
    for (auto _ : state) benchmark::DoNotOptimize(decode_transfer(bytes, TransferEncoding::base64).size());
    set_bytes(state, bytes.size());
}
BENCHMARK(DecodeBase64);

void DecodeQuotedPrintable(benchmark::State& state) {
    const std::string bytes = encode_quoted_printable(lines(1 << 20));
    for (auto _ : state)
        benchmark::DoNotOptimize(decode_transfer(bytes, TransferEncoding::quoted_printable).size());
    set_bytes(state, bytes.size());
}
BENCHMARK(DecodeQuotedPrintable);

void SearchText(benchmark::State& state) {
    const std::string bytes = typical_message();
    const std::string pattern = fold_for_search("not in there");
    for (auto _ : state) {
        benchmark::DoNotOptimize(message_contains(Message::parse(bytes), TextScope::whole, pattern));
    }
    set_bytes(state, bytes.size());
}
BENCHMARK(SearchText);

}  // namespace
