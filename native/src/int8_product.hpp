// The product of activations and an 8-bit matrix, in the layout in which oneDNN has packed it.
//
// oneDNN's own product is as fast as the processor for many rows, and reads memory at a third of its speed for few. So both work on
// one copy of the weights: int8 in panels of 64 outputs, [outputs / 64][inputs / 4][64 outputs][4 inputs], padded with zeros, and
// after them an int32 for each output, minus the sum of its weights. oneDNN documents no layout: the caller has compared the bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "element.hpp"
#include "scratch.hpp"

namespace voxgate {

struct Int8Matrix {
  const std::int8_t *packed;
  const float *scales;  // [outputs]
  const float *bias;    // [outputs], or null
  long outputs, inputs;  // inputs are a multiple of 64
};

// out [rows, outputs] = x [rows, inputs] times the transposed matrix, with rows of x `stride` elements apart. Activations are
// quantized to eight bits with a scale for each row; sums are integers.
template <class Element>
void product(const Int8Matrix &matrix, const Element *x, long stride, float *out, long rows, int threads, Scratch &scratch);

}  // namespace voxgate
