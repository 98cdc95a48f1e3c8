// The product of activations and a packed 4-bit matrix.
#pragma once

#include "int4_weight.hpp"
#include "scratch.hpp"

namespace voxgate {

// Where a product's rows go: of the type that the activations have, `stride` elements from one to the next.
struct Output {
  void *data;
  long stride;
};

}  // namespace voxgate

#ifdef VOXGATE_LEVEL
namespace voxgate::VOXGATE_LEVEL {

// out [rows, outputs] = x [rows, inputs] times the transposed matrix of `pack`. Activations are quantized to int8 with a scale for
// each row and group; sums are integers within a group and float32 across groups. A row does not depend on the others.
void int4_product(const std::uint8_t *packed, const Rows &x, const Output &out, long rows, long outputs, long inputs, int threads,
                  Scratch &scratch);

}  // namespace voxgate::VOXGATE_LEVEL
#endif
