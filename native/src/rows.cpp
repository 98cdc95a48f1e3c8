#include "rows.hpp"

#include <cmath>
#include <limits>

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {
namespace {

// Magnitudes are compared as integers: there, unlike among floats, NaN is the largest and survives.
inline __m512i magnitude(__m512 x) { return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff)); }

inline float largest(__m512i magnitudes) {
  const std::uint32_t bits = _mm512_reduce_max_epu32(magnitudes);
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

struct Scale {
  float scale, inverse;
};

inline Scale scale_of(float largest) {
  if (!(largest <= std::numeric_limits<float>::max())) return {std::numeric_limits<float>::quiet_NaN(), 0};
  const float inverse = 127 / largest;
  if (!(inverse <= std::numeric_limits<float>::max())) return {1, 0};  // zeros, or as good as zero
  return {largest / 127, inverse};
}

inline __m512i quantised(__m512 x, __m512 inverse) { return _mm512_cvtps_epi32(_mm512_mul_ps(x, inverse)); }

template <class Element>
void quantise_row(const Element *x, std::uint8_t *q, float *scale, long width) {
  __m512i most = _mm512_setzero_si512();
  for (long k = 0; k < width; k += 16) most = _mm512_max_epu32(most, magnitude(load(x + k, first(width - k))));
  const Scale row = scale_of(largest(most));
  *scale = row.scale;
  const __m512 inverse = _mm512_set1_ps(row.inverse);
  const __m512i zero = _mm512_set1_epi32(128);
  for (long k = 0; k < width; k += 16) {
    const __mmask16 mask = first(width - k);
    const __m512i value = _mm512_add_epi32(quantised(load(x + k, mask), inverse), zero);
    _mm512_mask_cvtepi32_storeu_epi8(q + k, mask, value);
  }
}

template <class Element>
void quantise_group(const Element *x, long left, std::int8_t *q, float *scale, std::int32_t *offset) {
  const __m512 low = load(x, first(left)), high = left > 16 ? load(x + 16, first(left - 16)) : _mm512_setzero_ps();
  const Scale group = scale_of(largest(_mm512_max_epu32(magnitude(low), magnitude(high))));
  const __m512 inverse = _mm512_set1_ps(group.inverse);
  // NaN times nothing would not be nothing.
  const __mmask16 finite = group.inverse == 0 ? 0 : 0xffff;
  const __m512i a = _mm512_maskz_mov_epi32(finite, quantised(low, inverse));
  const __m512i b = _mm512_maskz_mov_epi32(finite, quantised(high, inverse));
  _mm_storeu_si128(reinterpret_cast<__m128i *>(q), _mm512_cvtepi32_epi8(a));
  _mm_storeu_si128(reinterpret_cast<__m128i *>(q + 16), _mm512_cvtepi32_epi8(b));
  *scale = group.scale;
  *offset = -8 * _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
}

// A few rows are done before another thread has woken up.
int useful(int threads, long count, long width) { return count * width < 32768 ? 1 : threads; }

}  // namespace

template <class Element>
void quantise_rows(const Element *x, long stride, std::uint8_t *q, float *scale, long count, long width, int threads) {
  share_out(count, useful(threads, count, width),
            [&](int, long row) { quantise_row(x + row * stride, q + row * width, scale + row, width); });
}

template <class Element>
void quantise_groups(const Element *x, long stride, Groups to, long count, long width, int threads) {
  const long groups = (width + GROUP - 1) / GROUP;
  share_out(count, useful(threads, count, width), [&](int, long row) {
    for (long g = 0; g < groups; g++) {
      const long at = row * groups + g;
      quantise_group(x + row * stride + g * GROUP, width - g * GROUP, to.q + at * GROUP, to.scale + at, to.offset + at);
    }
  });
}

template void quantise_rows(const float *, long, std::uint8_t *, float *, long, long, int);
template void quantise_rows(const bf16 *, long, std::uint8_t *, float *, long, long, int);
template void quantise_groups(const float *, long, Groups, long, long, int);
template void quantise_groups(const bf16 *, long, Groups, long, long, int);

}  // namespace voxgate
