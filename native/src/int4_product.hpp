// Activations times a packed matrix.
#pragma once

#include "int4_weight.hpp"
#include "scratch.hpp"

namespace voxgate {

// out [rows, outputs] = x [rows, inputs] times the transposed matrix of `pack`, both with rows so many elements apart. Activations
// become int8 with a scale for each row and group; sums are integers within a group and float32 across groups.
template <class Element>
void product(const std::uint8_t *packed, const Element *x, long x_stride, Element *out, long out_stride, long rows, long outputs,
             long inputs, int threads, Scratch &scratch);

}  // namespace voxgate
