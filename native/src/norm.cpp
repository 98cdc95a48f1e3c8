#include "norm.hpp"

#include <cmath>

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {
namespace {

// Four sums, so that an addition does not wait for the previous one.
inline float sum_of_squares(const float *x, long width) {
  __m512 sum[4] = {};
  long k = 0;
  for (; k + 64 <= width; k += 64)
    for (long i = 0; i < 4; i++) {
      const __m512 value = load(x + k + 16 * i);
      sum[i] = _mm512_fmadd_ps(value, value, sum[i]);
    }
  for (; k < width; k += 16) {
    const __m512 value = load(x + k, first(width - k));
    sum[0] = _mm512_fmadd_ps(value, value, sum[0]);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

}  // namespace

void rms_norm(const float *x, long stride, const float *weight, float eps, float *out, long count, long width, int threads) {
  share_rows(count, width, threads, [&](long row) {
    const float *from = x + row * stride;
    const __m512 inverse = _mm512_set1_ps(1 / std::sqrt(sum_of_squares(from, width) / static_cast<float>(width) + eps));
    each_16(width, [&](long k, __mmask16 mask) {
      store(out + row * width + k, mask, _mm512_mul_ps(load(weight + k, mask), _mm512_mul_ps(load(from + k, mask), inverse)));
    });
  });
}

}  // namespace voxgate
