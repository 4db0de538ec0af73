// A password, key or proof: zeroed when it goes, not copyable, with no way into a log.
#pragma once

#include <string>
#include <string_view>

namespace mailstead {

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string_view bytes) : bytes_(bytes) {}
    // Takes the bytes over and leaves none behind in `bytes`.
    static Secret take(std::string& bytes);
    ~Secret() { wipe(); }
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;

    // The bytes, for the function that needs them; the view ends with this object.
    std::string_view reveal() const { return bytes_; }
    bool empty() const { return bytes_.empty(); }

private:
    void wipe();
    std::string bytes_;
};

// Equality in a time that depends on the length of `a` alone.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// `size` bytes from the operating system's generator.
std::string random_bytes(std::size_t size);

// Overwrites the bytes with zeros in a way the compiler keeps.
void wipe(std::string& bytes);

}  // namespace mailstead
