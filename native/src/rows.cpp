#include "rows.hpp"

#include <cmath>
#include <limits>

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {
namespace {

// Magnitudes are compared as integers: as an integer, unlike as a float, NaN is the largest and is kept.
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
  if (!(inverse <= std::numeric_limits<float>::max())) return {1, 0};  // zeros, or numbers too small to invert
  return {largest / 127, inverse};
}

inline __m512i quantised(__m512 x, __m512 inverse) { return _mm512_cvtps_epi32(_mm512_mul_ps(x, inverse)); }

template <class Element>
void quantise_row(const Element *x, std::uint8_t *q, float *scale, long width) {
  __m512i most = _mm512_setzero_si512();
  each_16(width, [&](long k, __mmask16 mask) { most = _mm512_max_epu32(most, magnitude(load(x + k, mask))); });
  const Scale row = scale_of(largest(most));
  *scale = row.scale;
  const __m512 inverse = _mm512_set1_ps(row.inverse);
  const __m512i zero = _mm512_set1_epi32(128);
  each_16(width, [&](long k, __mmask16 mask) {
    const __m512i value = _mm512_add_epi32(quantised(load(x + k, mask), inverse), zero);
    _mm512_mask_cvtepi32_storeu_epi8(q + k, mask, value);
  });
}

// Return the least exponent e with 127 * 2^e >= the largest magnitude; -200 for zeros.
inline int exponent_of(float largest) {
  if (largest == 0) return -200;
  const int exponent = std::ilogb(largest) - 6;  // 2^6 <= largest / 2^exponent < 2^7
  return largest > std::ldexp(127.f, exponent) ? exponent + 1 : exponent;
}

// Quantize one row in groups. The groups' exponents are relative to the row's scale, which is computed first.
template <class Element>
void quantise_row_in_groups(const Element *x, Groups to, long width) {
  const long groups = (width + GROUP - 1) / GROUP;
  __m512i most = _mm512_setzero_si512();
  for (long g = 0; g < groups; g++) {
    const long k = g * GROUP;
    const __m512i both =
        _mm512_max_epu32(magnitude(load(x + k, first(width - k))), magnitude(load(x + k + 16, first(width - k - 16))));
    most = _mm512_max_epu32(most, both);
    to.exponent[g] = exponent_of(largest(both));
  }
  const float whole = largest(most);
  const bool finite = whole <= std::numeric_limits<float>::max();
  const int least = std::max(exponent_of(finite ? whole : 1) - DEEPEST, -126);
  *to.row = finite ? std::ldexp(1.f, least) : std::numeric_limits<float>::quiet_NaN();
  for (long g = 0; g < groups; g++) {
    const long k = g * GROUP;
    const int exponent = finite ? std::max(to.exponent[g] - least, 0) : 0;
    const __m512 inverse = _mm512_set1_ps(finite ? std::ldexp(1.f, -exponent - least) : 0);
    const __m512i a = quantised(load(x + k, first(width - k)), inverse);
    const __m512i b = quantised(load(x + k + 16, first(width - k - 16)), inverse);
    _mm_storeu_si128(reinterpret_cast<__m128i *>(to.q + k), _mm512_cvtepi32_epi8(a));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(to.q + k + 16), _mm512_cvtepi32_epi8(b));
    to.exponent[g] = exponent << 23;
    to.offset[g] = finite ? -8 * _mm512_reduce_add_epi32(_mm512_add_epi32(a, b)) : 0;
  }
}

}  // namespace

template <class Element>
void quantise_rows(const Element *x, long stride, std::uint8_t *q, float *scale, long count, long width, int threads) {
  share_rows(count, width, threads,
             [&](long row) { quantise_row(x + row * stride, q + row * width, scale + row, width); });
}

template <class Element>
void quantise_groups(const Element *x, long stride, Groups to, long count, long width, int threads) {
  const long groups = (width + GROUP - 1) / GROUP;
  share_rows(count, width, threads, [&](long row) {
    const Groups at{to.q + row * groups * GROUP, to.exponent + row * groups, to.offset + row * groups, to.row + row};
    quantise_row_in_groups(x + row * stride, at, width);
  });
}

template void quantise_rows(const float *, long, std::uint8_t *, float *, long, long, int);
template void quantise_rows(const bf16 *, long, std::uint8_t *, float *, long, long, int);
template void quantise_groups(const float *, long, Groups, long, long, int);
template void quantise_groups(const bf16 *, long, Groups, long, long, int);

}  // namespace voxgate
