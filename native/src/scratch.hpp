// Memory that a calling thread keeps between calls: fresh pages would cost more than many products.
#pragma once

#include <cstddef>

namespace voxgate {

class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  ~Scratch();

  // Return so many bytes, aligned to 64, with undefined content. Throws std::bad_alloc.
  std::byte *take(std::size_t bytes);

  static constexpr std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

 private:
  std::byte *data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace voxgate
