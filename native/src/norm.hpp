// RMSNorm of rows.
#pragma once

namespace voxgate::VOXGATE_LEVEL {

// out [count, width] = x / sqrt(mean(x²) + eps) * weight [width], with rows of x `stride` elements apart.
void rms_norm(const float *x, long stride, const float *weight, float eps, float *out, long count, long width, int threads);

}  // namespace voxgate::VOXGATE_LEVEL
