// Addresses and networks as text.
#include <cstdlib>
#include <string_view>

#include "common/dns/records.h"

using namespace mailstead;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto address = dns::IpAddress::parse(text)) {
        if (dns::IpAddress::parse(address->to_string()) != address) std::abort();
        if (!dns::is_askable(address->reverse_name())) std::abort();
        (void)address->is_private();
    }
    if (const auto network = dns::IpNetwork::parse(text)) {
        if (!network->contains(network->address)) std::abort();
        if (dns::IpNetwork::parse(network->to_string()) != network) std::abort();
    }
    (void)dns::is_askable(text);
    return 0;
}
