#include "common/net/https_request.h"

#include <algorithm>
#include <chrono>

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "common/base/text.h"
#include "common/net/connect.h"
#include "common/net/read_buffer.h"
#include "common/net/stream.h"

namespace mailstead::net {
namespace {

namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxUrl = 2'000;
constexpr std::uint32_t kMaxHeader = 16 * 1024;
constexpr Timeout kClose{500};
constexpr std::string_view kMarks = "-._";

Timeout left_until(Clock::time_point end) {
    return std::max(std::chrono::duration_cast<Timeout>(end - Clock::now()), Timeout(1));
}

bool is_host(std::string_view host) {
    return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || kMarks.find(c) != std::string_view::npos;
    });
}

std::string host_field(const HttpsUrl& url) {
    std::string host = url.host.find(':') == std::string::npos ? url.host : '[' + url.host + ']';
    if (url.port != 443) host += ':' + std::to_string(url.port);
    return host;
}

Secret write_request(const HttpsRequest& request) {
    std::string text;
    text.reserve(512 + request.url.target.size() + request.authorization.reveal().size() +
                 request.body.reveal().size());
    text += request.method + ' ' + request.url.target + " HTTP/1.1\r\nHost: " + host_field(request.url) +
            "\r\nUser-Agent: Mailstead\r\nAccept: application/json\r\nConnection: close\r\n";
    if (!request.authorization.empty()) {
        text += "Authorization: ";
        text += request.authorization.reveal();
        text += "\r\n";
    }
    if (!request.content_type.empty()) {
        text += "Content-Type: " + request.content_type +
                "\r\nContent-Length: " + std::to_string(request.body.reveal().size()) + "\r\n";
    }
    text += "\r\n";
    text += request.body.reveal();
    return Secret::take(text);
}

Task<Result<HttpsResponse>> read_response(Stream& stream, std::size_t limit, Clock::time_point end) {
    http::response_parser<http::string_body> parser;
    parser.header_limit(kMaxHeader);
    parser.body_limit(limit);
    parser.eager(true);
    ReadBuffer buffer;
    while (!parser.is_done()) {
        if (Clock::now() >= end) co_return transient_error("timed out");
        const auto filled = co_await stream.fill(buffer, left_until(end));
        boost::system::error_code error;
        if (!filled) {
            // A body without a length ends with the connection (RFC 9112, 6.3).
            const bool at_end = filled.error().kind == IoFailure::closed && parser.got_some();
            if (at_end) parser.put_eof(error);
            if (!at_end || error) co_return transient_error(describe(filled.error()));
            break;
        }
        const std::string_view view = buffer.view();
        const std::size_t taken = parser.put(boost::asio::buffer(view.data(), view.size()), error);
        buffer.consume(taken);
        if (error && error != http::error::need_more)
            co_return transient_error("not an HTTP answer: " + error.message());
        if (buffer.size() > kMaxHeader + limit) co_return transient_error("the answer is too long");
    }
    if (!parser.is_done()) co_return transient_error("the answer is cut off");
    const auto& message = parser.get();
    HttpsResponse response;
    response.status = message.result_int();
    response.content_type = std::string(message[http::field::content_type]);
    response.body = message.body();
    co_return response;
}

}  // namespace

// https-URI = "https" "://" authority path-abempty [ "?" query ]   (RFC 9110, 4.2.2)
Parsed<HttpsUrl> HttpsUrl::parse(std::string_view text) {
    constexpr std::string_view kScheme = "https://";
    if (text.size() > kMaxUrl) return ParseError("too long", kMaxUrl);
    const auto printable = [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\'; };
    if (!std::all_of(text.begin(), text.end(), printable)) return ParseError("not a URL", 0);
    if (!text::istarts_with(text, kScheme)) return ParseError("not an https URL", 0);
    if (text.find('#') != std::string_view::npos) return ParseError("a URL with a fragment", 0);
    std::string_view rest = text.substr(kScheme.size());
    const std::size_t slash = std::min(rest.find_first_of("/?"), rest.size());
    std::string_view authority = rest.substr(0, slash);
    rest.remove_prefix(slash);
    if (authority.find('@') != std::string_view::npos) return ParseError("a URL with a user", 0);

    HttpsUrl url;
    std::string_view port;
    if (authority.starts_with('[')) {
        const std::size_t bracket = authority.find(']');
        if (bracket == std::string_view::npos) return ParseError("not an address", 0);
        url.host = std::string(authority.substr(1, bracket - 1));
        if (!parse_ip(url.host)) return ParseError("not an address", 0);
        port = authority.substr(bracket + 1);
        if (!port.empty() && !port.starts_with(':')) return ParseError("not a port", 0);
    } else {
        const std::size_t colon = std::min(authority.find(':'), authority.size());
        url.host = text::lower(authority.substr(0, colon));
        if (!is_host(url.host)) return ParseError("not a host name", 0);
        port = authority.substr(colon);
    }
    if (!port.empty()) {
        const auto number = text::parse_number<std::uint16_t>(port.substr(1));
        if (!number || *number == 0) return ParseError("not a port", 0);
        url.port = *number;
    }
    if (!rest.empty()) url.target = rest.front() == '?' ? '/' + std::string(rest) : std::string(rest);
    return url;
}

Task<Result<HttpsResponse>> https_request(std::shared_ptr<TlsClientContext> tls, HttpsRequest request) {
    const auto end = Clock::now() + request.deadline;
    const std::string host = request.url.host;
    ConnectOptions options;
    options.timeout_each = std::max(
        request.deadline / static_cast<int>(std::max<std::size_t>(request.addresses.size(), 1)), Timeout(1));
    auto connected = co_await connect(std::move(request.addresses), options);
    if (!connected)
        co_return transient_error("cannot connect to " + host + ": " + describe(connected.error()));
    Stream stream = *std::move(connected);
    ReadBuffer nothing;
    TlsClientRequest handshake;
    handshake.server_name = host;
    handshake.verify = Verify::name;
    const auto secured = co_await stream.connect_tls(std::move(tls), handshake, nothing, left_until(end));
    if (!secured) co_return transient_error("TLS with " + host + ": " + describe(secured.error()));
    const Secret text = write_request(request);
    const auto sent = co_await stream.write_all(text.reveal(), left_until(end));
    if (!sent) co_return transient_error("sending to " + host + ": " + describe(sent.error()));
    auto response = co_await read_response(stream, request.max_response, end);
    co_await stream.shutdown(kClose);
    if (!response) co_return transient_error("answer of " + host + ": " + response.error().what);
    co_return response;
}

}  // namespace mailstead::net
