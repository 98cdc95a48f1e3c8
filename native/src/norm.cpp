#include "norm.hpp"

#include <cmath>

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

// The sum of term(k, count) over the vectors of a row, `count` columns from k on each. Four sums, so that an addition does not wait
// for the previous one.
template <class Term>
inline float sum_of_terms(long width, const Term &term) {
  floats sum[4] = {};
  long k = 0;
  for (; k + 4 * LANES <= width; k += 4 * LANES)
    for (long i = 0; i < 4; i++) sum[i] += term(k + LANES * i, LANES);
  for (; k < width; k += LANES) sum[0] += term(k, width - k);
  return sum_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

inline float sum_of_squares(const float *x, long width) {
  return sum_of_terms(width, [&](long k, long lanes) {
    const floats value = load(x + k, lanes);
    return value * value;
  });
}

void normalise(float *x, const float *added, const float *weight, const float *bias, float eps, float *out, long width) {
  const float mean = sum_of_terms(width, [&](long k, long lanes) {
    floats value = load(x + k, lanes);
    if (added) store(x + k, lanes, value += load(added + k, lanes));
    return value;
  }) / static_cast<float>(width);
  const float squares = sum_of_terms(width, [&](long k, long lanes) {
    const floats apart = first(lanes, load(x + k, lanes) - mean, floats{});
    return apart * apart;
  });
  const float inverse = 1 / std::sqrt(squares / static_cast<float>(width) + eps);
  each_vector(width, [&](long k, long lanes) {
    store(out + k, lanes, (load(x + k, lanes) - mean) * inverse * load(weight + k, lanes) + load(bias + k, lanes));
  });
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

void layer_norm(float *x, const float *added, const float *weight, const float *bias, float eps, float *out, long count, long width,
                int threads) {
  share_rows(count, width, threads, [&](long row) {
    const long at = row * width;
    normalise(x + at, added ? added + at : nullptr, weight, bias, eps, out + at, width);
  });
}

}  // namespace voxgate::VOXGATE_LEVEL
