// A zone given as text, and files from tests/data.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "common/dns/fake_resolver.h"
#include "common/mailauth/inquiry.h"

namespace mailstead::mailauth {

inline dns::FakeResolver zone(std::string_view text) {
    auto resolver = dns::FakeResolver::parse(text);
    EXPECT_TRUE(resolver) << (resolver ? ""
                                       : std::string(resolver.error().what) + " at " +
                                             std::to_string(resolver.error().offset));
    return resolver ? std::move(*resolver) : dns::FakeResolver();
}

template <Inquiring Machine>
void drive_with(Machine& machine, const dns::FakeResolver& resolver) {
    drive(machine, [&](const dns::Question& question) { return resolver.answer(question); });
}

inline std::string read_data(const std::string& name) {
    std::ifstream in(std::string(MAILSTEAD_TEST_DATA) + "/" + name, std::ios::binary);
    EXPECT_TRUE(in) << name;
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline Time at(std::int64_t seconds) {
    return Time(std::chrono::seconds(seconds));
}

}  // namespace mailstead::mailauth
