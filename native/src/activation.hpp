// Activation functions of sixteen numbers at once, to the accuracy of float. Only for files that are compiled with AVX-512.
#pragma once

#include <immintrin.h>

namespace voxgate {
namespace {

// The polynomial with these coefficients, from the highest power to the lowest.
template <class... Coefficients>
inline __m512 polynomial(__m512 x, float highest, Coefficients... lower) {
  __m512 y = _mm512_set1_ps(highest);
  ((y = _mm512_fmadd_ps(y, x, _mm512_set1_ps(lower))), ...);
  return y;
}

// x Φ(x), where Φ is the normal distribution function, as in the GELU by erf. Φ - 1/2 is odd: x P(x²) / Q(x²), fitted to minimize
// the largest error of the product (1.8e-8 max(1, |x|); rounding makes it 2.0e-7, measured on 1.6 million numbers up to ±8).
inline __m512 gelu(__m512 x) {
  constexpr float FAR = 5.5f;  // where the fit reaches one half; beyond it Φ is 0 or 1 in float
  const __m512 near = _mm512_max_ps(_mm512_set1_ps(-FAR), _mm512_min_ps(_mm512_set1_ps(FAR), x));  // in this order NaN stays NaN
  const __m512 square = _mm512_mul_ps(near, near);
  const __m512 above = polynomial(square, 1.11913374e-10f, -2.23208989e-08f, 3.32648096e-06f, 0.000176642236f, 0.00454631913f,
                                  0.0364912488f, 0.398941994f);
  const __m512 below = polynomial(square, 6.45862383e-05f, 0.00186511758f, 0.0294237509f, 0.258133203f, 1.f);
  const __m512 odd = _mm512_div_ps(_mm512_mul_ps(near, above), below);
  // Far below zero, Φ would be a rounding error, which a large x multiplies.
  const __mmask16 counts = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-FAR), _CMP_NLE_UQ);
  return _mm512_maskz_mul_ps(counts, x, _mm512_add_ps(odd, _mm512_set1_ps(0.5f)));
}

// e^x with a relative error of 1e-7; 0 and infinity outside the range of float.
inline __m512 exponential(__m512 x) {
  constexpr float LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;  // the first has 10 bits: times an exponent it is exact
  x = _mm512_max_ps(_mm512_set1_ps(-110.f), _mm512_min_ps(_mm512_set1_ps(110.f), x));
  const __m512 exponent = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
  __m512 part = _mm512_fnmadd_ps(exponent, _mm512_set1_ps(LN2_HIGH), x);
  part = _mm512_fnmadd_ps(exponent, _mm512_set1_ps(LN2_LOW), part);
  const __m512 y = polynomial(part, 0.00138368458f, 0.00837481581f, 0.0416682251f, 0.166664198f, 0.499999911f, 1.f, 1.f);
  return _mm512_scalef_ps(y, exponent);
}

// x / (1 + e^-x).
inline __m512 silu(__m512 x) {
  const __m512 e = exponential(_mm512_sub_ps(_mm512_setzero_ps(), x));
  return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1), e));
}

}  // namespace
}  // namespace voxgate
