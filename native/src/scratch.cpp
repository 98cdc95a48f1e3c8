// Not in the header: a copy that is compiled for a level's instructions would be used by all.
#include "scratch.hpp"

#include <cstdlib>
#include <new>

namespace voxgate {

Scratch::~Scratch() { std::free(data_); }

std::byte *Scratch::take(std::size_t bytes) {
  if (bytes > size_) {
    std::free(data_);
    size_ = 0;
    data_ = static_cast<std::byte *>(std::aligned_alloc(64, rounded(bytes)));
    if (data_ == nullptr) throw std::bad_alloc();
    size_ = rounded(bytes);
  }
  return data_;
}

}  // namespace voxgate
