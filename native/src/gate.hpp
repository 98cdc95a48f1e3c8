// The gate of SwiGLU.
#pragma once

namespace voxgate {

// out [count, width] = silu(gate) * up, of rows `stride` elements apart in both, as the halves of one product have them.
void silu_mul(const float *gate, const float *up, long stride, float *out, long count, long width, int threads);

}  // namespace voxgate
