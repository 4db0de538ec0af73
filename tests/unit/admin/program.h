// Runs the built `mailstead` in a folder of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace mailstead::admin {

struct Done {
    int exit_code = -1;
    std::string out;
    std::string err;
};

// Standard input is `input`; there is no terminal to ask for passwords.
Done run(const std::filesystem::path& program, const std::vector<std::string>& arguments,
         const std::string& input = {});

class Sandbox {
public:
    Sandbox();
    ~Sandbox();
    Sandbox(const Sandbox&) = delete;
    Sandbox& operator=(const Sandbox&) = delete;

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path config() const { return path_ / "mailstead.toml"; }
    // `init --local` for you@example.org.
    Done init();
    // With -c.
    Done operator()(std::vector<std::string> arguments, const std::string& input = {}) const;
    // The output of a command that must work.
    std::string ok(const std::vector<std::string>& arguments, const std::string& input = {}) const;

private:
    std::filesystem::path path_;
};

}  // namespace mailstead::admin
