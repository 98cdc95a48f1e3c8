// The two types of inputs and outputs: float, and bf16, its upper sixteen bits.
#pragma once

#include <cstdint>
#include <cstring>

namespace voxgate {

struct bf16 {
  std::uint16_t bits;
};
static_assert(sizeof(bf16) == 2);

static inline float widened(bf16 value) {
  const std::uint32_t bits = std::uint32_t{value.bits} << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof wide);
  return wide;
}

// Round a finite number to the nearest bf16, ties to even, as PyTorch does.
static inline bf16 narrowed(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return {static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

}  // namespace voxgate
