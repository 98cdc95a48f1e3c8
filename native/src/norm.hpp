// RMSNorm and LayerNorm of rows.
#pragma once

namespace voxgate::VOXGATE_LEVEL {

// out [count, width] = x / sqrt(mean(x²) + eps) * weight [width], with rows of x `stride` elements apart.
void rms_norm(const float *x, long stride, const float *weight, float eps, float *out, long count, long width, int threads);

// x [count, width] += added, which may be null; out = (x - mean) / sqrt(variance + eps) * weight [width] + bias [width]. All are
// contiguous.
void layer_norm(float *x, const float *added, const float *weight, const float *bias, float eps, float *out, long count, long width,
                int threads);

}  // namespace voxgate::VOXGATE_LEVEL
