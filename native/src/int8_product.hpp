// The product of activations and an 8-bit matrix.
#pragma once

#include <cstdint>

#include "rows.hpp"
#include "scratch.hpp"

namespace voxgate {

// A matrix [outputs, inputs], inputs a multiple of 4, in the layout that oneDNN packs on processors with AVX-512:
// [panel][inputs / 4][64 outputs][4 inputs], then an int32 for each output: minus the sum of its weights. Outputs are padded with
// zeros to whole panels of 64. `scales` [outputs] are the outputs' steps, `bias` [outputs] may be null.
struct Int8Matrix {
  const std::int8_t *packed;
  const float *scales, *bias;
  long outputs, inputs;
};

}  // namespace voxgate

#ifdef VOXGATE_LEVEL
namespace voxgate::VOXGATE_LEVEL {

// out [rows, outputs] = x [rows, inputs] times the transposed matrix, plus bias, and with `gelu` its GELU by erf. Activations are
// quantized to eight bits with a scale for each row; sums are exact. A row does not depend on the others. `out` is contiguous, of
// floats (`wide`) or bf16.
void int8_product(const Int8Matrix &matrix, const Rows &x, bool gelu, void *out, bool wide, long rows, int threads, Scratch &scratch);

}  // namespace voxgate::VOXGATE_LEVEL
#endif
