// The steps after a product of eight-bit integers, in one pass.
#pragma once

namespace voxgate::VOXGATE_LEVEL {

// out [count, width] = product [count, width] * scale [count] + bias [width], and with `gelu` its GELU by erf. The bias may be
// null, and out may be the same memory as product. `out` is of floats (`wide`) or bf16.
void finish(const float *product, const float *scale, const float *bias, bool gelu, void *out, bool wide, long count, long width,
            int threads);

}  // namespace voxgate::VOXGATE_LEVEL
