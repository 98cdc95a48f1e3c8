// The gate of SwiGLU.
#pragma once

namespace voxgate::VOXGATE_LEVEL {

// out [count, width] = silu(gate) * up. In both inputs rows are `stride` elements apart, as in the two halves of one product.
void silu_mul(const float *gate, const float *up, long stride, float *out, long count, long width, int threads);

}  // namespace voxgate::VOXGATE_LEVEL
