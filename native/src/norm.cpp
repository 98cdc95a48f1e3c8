#include "norm.hpp"

#include <cmath>

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

// Four sums, so that an addition does not wait for the previous one.
inline float sum_of_squares(const float *x, long width) {
  floats sum[4] = {};
  long k = 0;
  for (; k + 4 * LANES <= width; k += 4 * LANES)
    for (long i = 0; i < 4; i++) {
      const floats value = load(x + k + LANES * i);
      sum[i] = value * value + sum[i];
    }
  for (; k < width; k += LANES) {
    const floats value = load(x + k, width - k);
    sum[0] = value * value + sum[0];
  }
  return sum_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

}  // namespace

void rms_norm(const float *x, long stride, const float *weight, float eps, float *out, long count, long width, int threads) {
  share_rows(count, width, threads, [&](long row) {
    const float *from = x + row * stride;
    const float inverse = 1 / std::sqrt(sum_of_squares(from, width) / static_cast<float>(width) + eps);
    each_vector(width, [&](long k, long lanes) {
      store(out + row * width + k, lanes, load(weight + k, lanes) * (load(from + k, lanes) * inverse));
    });
  });
}

}  // namespace voxgate::VOXGATE_LEVEL
