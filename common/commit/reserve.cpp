#include "common/commit/reserve.h"

#include <algorithm>
#include <fcntl.h>

namespace mailstead::commit {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{4} << 20;

}  // namespace

void Reserve::open() {
    left_ = 0;
    if (size_ == 0) return;
    const int rc = files_.open(path_, O_RDWR | O_CREAT, 0600, file_);
    if (rc != 0 || files_.size_of(file_.get(), left_) != 0) left_ = 0;
}

void Reserve::refill(std::uint64_t free_space, std::uint64_t spare) {
    if (left_ >= size_ || !file_ || free_space < size_ - left_ + spare) return;
    if (files_.allocate(file_.get(), size_) == 0) {
        left_ = size_;
    } else {
        files_.truncate(file_.get(), left_);  // half of it would not be counted
    }
}

bool Reserve::release() {
    if (left_ == 0) return false;
    const std::uint64_t next = left_ - std::min(left_, kPiece);
    if (files_.truncate(file_.get(), next) != 0) return false;
    left_ = next;
    return true;
}

}  // namespace mailstead::commit
