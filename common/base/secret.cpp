#include "common/base/secret.h"

#include <utility>

#include <sodium.h>

namespace mailstead {

void wipe(std::string& bytes) {
    sodium_memzero(bytes.data(), bytes.size());
    bytes.clear();
}

void Secret::wipe() {
    mailstead::wipe(bytes_);
}

Secret Secret::take(std::string& bytes) {
    Secret secret{std::string_view(bytes)};
    mailstead::wipe(bytes);
    return secret;
}

Secret::Secret(Secret&& other) noexcept : bytes_(other.bytes_) {
    other.wipe();
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        wipe();
        bytes_ = other.bytes_;
        other.wipe();
    }
    return *this;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(std::size_t size) {
    std::string out(size, '\0');
    randombytes_buf(out.data(), out.size());
    return out;
}

}  // namespace mailstead
