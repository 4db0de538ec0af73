// A piece of a message's header section.
#pragma once

#include <cstddef>

namespace mailstead::smtpd {

struct Cut {
    std::size_t offset = 0;
    std::size_t size = 0;
};

}  // namespace mailstead::smtpd
