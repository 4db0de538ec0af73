// `mailstead status`: does it run, and what does it do?
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/deliver_link.h"
#include "admin/json.h"
#include "admin/output.h"
#include "admin/workspace.h"
#include "common/base/clock.h"
#include "common/base/file_descriptor.h"
#include "common/runtime/ownership.h"

namespace mailstead::admin {
namespace {

constexpr int kConnectTimeoutMs = 1000;

// The address to try a listener at: a wildcard is tried on loopback.
socklen_t to_native(const settings::Endpoint& endpoint, sockaddr_storage& out) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
    if (inet_pton(AF_INET, endpoint.ip.c_str(), &v4->sin_addr) == 1) {
        if (v4->sin_addr.s_addr == htonl(INADDR_ANY)) v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(endpoint.port);
        return sizeof *v4;
    }
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
    inet_pton(AF_INET6, endpoint.ip.c_str(), &v6->sin6_addr);
    if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) v6->sin6_addr = in6addr_loopback;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    return sizeof *v6;
}

bool accepts(const settings::Endpoint& endpoint) {
    sockaddr_storage address{};
    const socklen_t size = to_native(endpoint, address);
    const FileDescriptor socket(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return false;
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0) return true;
    pollfd waiting{socket.get(), POLLOUT, 0};
    if (errno != EINPROGRESS || ::poll(&waiting, 1, kConnectTimeoutMs) != 1) return false;
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

struct ListenerState {
    settings::Listener listener;
    bool is_up;
};

// `under repair: account/7 you@example.org (37 %) since 2026-12-01T12:00:00Z: the index is cut short`
std::string describe(const ipc::Repair& repair) {
    std::string line = "under repair: " + repair.environment;
    if (!repair.address.empty()) line += ' ' + repair.address;
    line +=
        " (" + std::to_string(repair.percent) + " %) since " + to_rfc3339(repair.since) + ": " + repair.why;
    if (repair.failures != 0) {
        line += "\n  attempts that failed: " + std::to_string(repair.failures) +
                ", the last one: " + repair.last_failure;
    }
    return line;
}

void print_json(const Outcome<ipc::StatusAnswer>& deliver, const std::vector<ListenerState>& listeners) {
    JsonWriter json;
    json.object_begin().key("deliver").object_begin().member("running", deliver.has_value());
    if (deliver) {
        for (const auto& [name, number] : deliver->numbers) json.member(name, number);
        json.key("repairs").array_begin();
        for (const ipc::Repair& repair : deliver->repairs) {
            json.object_begin()
                .member("environment", repair.environment)
                .member("address", repair.address)
                .member("why", repair.why)
                .member("since", to_rfc3339(repair.since))
                .member("percent", std::uint64_t{repair.percent})
                .member("failures", std::uint64_t{repair.failures})
                .member("last_failure", repair.last_failure)
                .object_end();
        }
        json.array_end();
    }
    json.object_end().key("listeners").array_begin();
    for (const ListenerState& state : listeners) {
        json.object_begin()
            .member("service", to_string(state.listener.service))
            .member("address", state.listener.address.to_string())
            .member("tls", to_string(state.listener.tls))
            .member("accepting", state.is_up)
            .object_end();
    }
    json.array_end().object_end();
    print(json.text() + '\n');
}

void print_table(const Outcome<ipc::StatusAnswer>& deliver, const std::vector<ListenerState>& listeners) {
    print(deliver ? "deliver runs\n" : "deliver does not run\n");
    if (deliver) {
        for (const auto& [name, number] : deliver->numbers)
            print("  " + name + ": " + std::to_string(number) + '\n');
        for (const ipc::Repair& repair : deliver->repairs) print(describe(repair) + '\n');
    }
    std::vector<std::vector<Cell>> rows;
    rows.reserve(listeners.size());
    for (const ListenerState& state : listeners) {
        rows.push_back({std::string(to_string(state.listener.service)), state.listener.address.to_string(),
                        std::string(to_string(state.listener.tls)), state.is_up});
    }
    print_rows({"service", "address", "tls", "accepting"}, rows, Format::table, "no listeners");
}

// One way to start it: whoever follows two ends up with two owners, of which the second is turned away.
std::string how_to_mend(const Arguments& arguments, const settings::Settings& settings) {
    if (const auto owner = runtime::holder_of(runtime::owner_lock(settings.data_dir)))
        return (owner->program.empty() ? "another Mailstead" : owner->to_string()) +
               " has the data; what is missing starts with it, so look into its log";
    const bool is_default = arguments.settings_file == settings::kDefaultFile;
    if (is_default && ::access("/run/systemd/system", F_OK) == 0)
        return "`systemctl start mailstead.target` starts it";
    return is_default ? "`mailstead serve` starts it"
                      : "`mailstead -c " + arguments.settings_file.string() + " serve` starts it";
}

Outcome<> run_status(const Arguments& arguments) {
    TRY(format, format_of(arguments));
    TRY(settings, load_settings(arguments));
    const auto deliver = ask_status(settings);
    std::vector<ListenerState> listeners;
    bool all_up = deliver.has_value();
    for (const settings::Listener& listener : settings.listeners) {
        listeners.push_back({listener, accepts(listener.address)});
        all_up = all_up && listeners.back().is_up;
    }
    format == Format::json ? print_json(deliver, listeners) : print_table(deliver, listeners);
    if (!all_up) return Failure(EX_UNAVAILABLE, "not everything runs: " + how_to_mend(arguments, settings));
    return {};
}

}  // namespace

CommandGroup status_commands() {
    return {"", "", {{"status", "What runs, and how much it has to do", {kFormat}, &run_status}}};
}

}  // namespace mailstead::admin
