// Powers of two, sixteen at once. Only for files that are compiled with AVX-512.
#pragma once

#include <immintrin.h>

namespace voxgate {
namespace {

constexpr float LOG2_E = 1.44269504f;

// 2^x for x <= 0, with a relative error below 8e-5. That suffices: the result is rounded to bf16, which has 2e-3. A cubic on
// [-0.5, 0.5], fitted to minimize the largest relative error.
inline __m512 power_of_2(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-126), x);  // in this order NaN stays NaN
  // Adding 1.5 * 2^23 rounds a small number to an integer, which is then in the lowest bits.
  const __m512 shifter = _mm512_set1_ps(12582912.f);
  const __m512 shifted = _mm512_add_ps(x, shifter);
  const __m512 part = _mm512_sub_ps(x, _mm512_sub_ps(shifted, shifter));
  __m512 y = _mm512_fmadd_ps(part, _mm512_set1_ps(0.0551716691f), _mm512_set1_ps(0.242611123f));
  y = _mm512_fmadd_ps(part, y, _mm512_set1_ps(0.693260986f));
  y = _mm512_fmadd_ps(part, y, _mm512_set1_ps(0.999928073f));
  const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(y), exponent));
}

}  // namespace
}  // namespace voxgate
