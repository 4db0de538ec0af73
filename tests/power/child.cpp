#include "tests/power/child.h"

#include <cstdio>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/power/server.h"
#include "tests/power/steps.h"

namespace mailstead::power {

pid_t run_in_child(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work());
    return child;
}

int wait_for_child(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int recover_in_child(const std::filesystem::path& tree, const std::string& boot, std::uint64_t killed_at,
                     std::int64_t killed_after_us) {
    const pid_t child = run_in_child([&] {
        Steps steps;
        SteppedFiles files(steps, boot);
        steps.on_call = [&](std::uint64_t call, const char*) {
            if (call == killed_at) ::kill(::getpid(), SIGKILL);
            return 0;
        };
        Server server(tree, &files);
        const auto report = server.start();
        if (!report) std::fprintf(stderr, "%s\n", report.error().what.c_str());
        server.stop();
        return report ? 0 : 1;
    });
    if (killed_after_us > 0) {
        // The moment of death is what is tried here, not a wait for something.
        ::usleep(static_cast<useconds_t>(killed_after_us));
        ::kill(child, SIGKILL);
    }
    return wait_for_child(child);
}

}  // namespace mailstead::power
