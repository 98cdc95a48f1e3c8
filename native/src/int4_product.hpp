// The product of activations and a packed 4-bit matrix.
#pragma once

#include "int4_weight.hpp"
#include "scratch.hpp"

namespace voxgate {

// out [rows, outputs] = x [rows, inputs] times the transposed matrix of `pack`. The strides are from one row to the next, in
// elements. Activations are quantized to int8 with a scale for each row and group; sums are integers within a group and float32
// across groups.
template <class Element>
void product(const std::uint8_t *packed, const Element *x, long x_stride, Element *out, long out_stride, long rows, long outputs,
             long inputs, int threads, Scratch &scratch);

}  // namespace voxgate
