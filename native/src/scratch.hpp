// Memory that a calling thread keeps between calls: fresh pages would cost more than many products.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace voxgate {

class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  ~Scratch() { std::free(data_); }

  // Return so many bytes, aligned to 64, with undefined content. Throws std::bad_alloc.
  std::byte *take(std::size_t bytes) {
    if (bytes > size_) {
      std::free(data_);
      size_ = 0;
      data_ = static_cast<std::byte *>(std::aligned_alloc(64, rounded(bytes)));
      if (data_ == nullptr) throw std::bad_alloc();
      size_ = rounded(bytes);
    }
    return data_;
  }

  static constexpr std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

 private:
  std::byte *data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace voxgate
