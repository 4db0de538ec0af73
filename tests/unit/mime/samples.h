// The messages of tests/data/mime.
#pragma once

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace mailstead::mime {

inline std::string sample(const std::string& name) {
    std::ifstream in(std::string(MAILSTEAD_TEST_DATA) + "/mime/" + name, std::ios::binary);
    if (!in) throw std::runtime_error("no sample " + name);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace mailstead::mime
