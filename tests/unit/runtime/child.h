// Runs a function in a child process.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace mailstead::runtime::test {

// The status as waitpid gives it.
template <class Function>
int status_of_child(const Function& function) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(function());
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
}

}  // namespace mailstead::runtime::test
