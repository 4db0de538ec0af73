#include "admin/process.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mailstead::admin {
namespace {

std::vector<char*> argument_pointers(std::vector<std::string>& arguments) {
    std::vector<char*> out;
    out.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) out.push_back(argument.data());
    out.push_back(nullptr);
    return out;
}

// Between fork and exec: only what is safe after a fork.
[[noreturn]] void become_daemon(const char* program, char* const* arguments, int ready_fd, pid_t supervisor) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    // It may have died before the line above.
    if (::getppid() != supervisor) ::_exit(0);
    ::fcntl(ready_fd, F_SETFD, 0);
    ::execv(program, arguments);
    ::_exit(127);
}

}  // namespace

int run_program(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
    std::vector<std::string> all = {program.filename().string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const std::vector<char*> pointers = argument_pointers(all);
    const pid_t pid = ::fork();
    if (pid < 0) return 127;
    if (pid == 0) {
        ::execv(program.c_str(), pointers.data());
        ::_exit(127);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) return 127;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

Outcome<> run_as(const runtime::Identity& identity, const std::function<Outcome<>()>& work) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return Failure(EX_OSERR, std::string("pipe: ") + std::strerror(errno));
    const FileDescriptor read_end(ends[0]);
    FileDescriptor write_end(ends[1]);
    std::fflush(nullptr);  // or the child says it again
    const pid_t pid = ::fork();
    if (pid < 0) return Failure(EX_OSERR, std::string("fork: ") + std::strerror(errno));
    if (pid == 0) {
        Outcome<> done;
        if (const auto became = runtime::become(identity); !became)
            done = Failure(EX_OSERR, became.error().what);
        else
            done = work();
        std::fflush(stdout);
        if (done) ::_exit(EX_OK);
        const std::string& why = done.error().text;
        static_cast<void>(!::write(write_end.get(), why.data(), why.size()));
        ::_exit(done.error().exit_code);
    }
    write_end.reset();
    std::string why;
    char bytes[1024];
    ssize_t count = 0;
    while ((count = ::read(read_end.get(), bytes, sizeof bytes)) > 0 || (count < 0 && errno == EINTR))
        if (count > 0) why.append(bytes, static_cast<std::size_t>(count));
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) return Failure(EX_OSERR, std::string("waitpid: ") + std::strerror(errno));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK) return {};
    return Failure(WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE,
                   why.empty() ? std::string("a process ended badly") : why);
}

Result<Child> spawn_daemon(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return transient_error(std::string("pipe: ") + std::strerror(errno));
    FileDescriptor read_end(ends[0]);
    const FileDescriptor write_end(ends[1]);
    std::vector<std::string> all = {program.filename().string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const std::vector<char*> pointers = argument_pointers(all);
    // The environment is changed here, before the fork: setenv may allocate, which a child of a fork should
    // not.
    ::setenv("MAILSTEAD_READY_FD", std::to_string(write_end.get()).c_str(), 1);
    ::unsetenv("NOTIFY_SOCKET");
    const pid_t supervisor = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return transient_error(std::string("fork: ") + std::strerror(errno));
    if (pid == 0) become_daemon(program.c_str(), pointers.data(), write_end.get(), supervisor);
    return Child{pid, std::move(read_end)};
}

std::filesystem::path own_folder() {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? std::filesystem::path(".") : self.parent_path();
}

}  // namespace mailstead::admin
