// Rows of activations, and their quantization to eight bits.
#pragma once

#include <cstdint>

#include "element.hpp"

namespace voxgate {

constexpr long GROUP = 32;  // inputs that share a scale

// Activations as they come, `stride` elements from one row to the next.
struct Rows {
  const void *data;
  bool wide;  // float, otherwise bf16
  long stride;
};

// Activations in int8 with a scale for each group of 32 columns, as the four-bit product reads them. The last group is padded with
// zeros. A group's scale is a power of two, row * 2^(exponent / 2^23): a float is scaled by an integer addition, for which a
// processor has more capacity than for multiplications.
struct Groups {
  std::int8_t *q;          // [count, groups * 32]
  std::int32_t *exponent;  // [count, groups], 0 to DEEPEST, in the bits of a float's exponent
  std::int32_t *offset;    // [count, groups]: -8 times the group's sum of q, since int4 weights are stored as 0 to 15
  float *row;              // [count]: the scale of exponent 0; NaN for a row with a number that is not finite
};
constexpr int DEEPEST = 40;  // powers of two below the largest group's scale; anything smaller is lost in a float's rounding

}  // namespace voxgate

#ifdef VOXGATE_LEVEL
namespace voxgate::VOXGATE_LEVEL {

// Quantize x [count, width] to q [count, width] = round(x / scale) + 128. Each row has one scale: its largest magnitude / 127, so
// that q is 1 to 255. A row of zeros has scale 1; a row with a number that is not finite has scale NaN.
void quantise_rows(const Rows &x, std::uint8_t *q, float *scale, long count, long width, int threads);

void quantise_groups(const Rows &x, Groups to, long count, long width, int threads);

}  // namespace voxgate::VOXGATE_LEVEL
#endif
