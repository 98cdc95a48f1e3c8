// Functions of as many numbers as a register has.
#pragma once

#include <cmath>

#include "vector.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

constexpr float LOG2_E = 1.44269504f;

// The polynomial with these coefficients, from the highest power to the lowest.
template <class... Coefficients>
inline floats polynomial(floats x, float highest, Coefficients... lower) {
  floats y = spread(highest);
  ((y = y * x + lower), ...);
  return y;
}

// y * 2^exponent, for a y near 1. An exponent is the integer in the lowest bits of a number that SHIFTER was added to.
inline floats scaled(floats y, floats shifted) { return (floats)((ints)y + ((ints)shifted << 23)); }

// 2^x for x <= 0, with a relative error below 8e-5. That suffices: the result is rounded to bf16, which has 2e-3, or multiplied by
// one. A cubic on [-0.5, 0.5], fitted to minimize the largest relative error.
inline floats power_of_2(floats x) {
  x = greater(spread(-126.f), x);
  const floats shifted = x + SHIFTER, part = x - (shifted - SHIFTER);
  return scaled(polynomial(part, 0.0551716691f, 0.242611123f, 0.693260986f, 0.999928073f), shifted);
}

// e^x with a relative error of 1e-7; 0 below -87, and infinity above 88.3, where 2^127 no longer suffices.
inline floats exponential(floats x) {
  constexpr float LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f, MOST = 88.37f;  // the first has 10 bits: times an exponent it is exact
  const floats near = greater(spread(-87.f), lesser(spread(MOST), x));
  const floats shifted = near * LOG2_E + SHIFTER, exponent = shifted - SHIFTER;
  const floats part = (near - exponent * LN2_HIGH) - exponent * LN2_LOW;
  const floats y = scaled(polynomial(part, 0.00138368458f, 0.00837481581f, 0.0416682251f, 0.166664198f, 0.499999911f, 1.f, 1.f), shifted);
  return x < -87.f ? floats{} : x > MOST ? spread(INFINITY) : y;
}

inline floats root(floats x) {
#if VOXGATE_REGISTER == 64
  return (floats)_mm512_sqrt_ps((__m512)x);
#elif VOXGATE_REGISTER == 32
  return (floats)_mm256_sqrt_ps((__m256)x);
#else
  return (floats)vsqrtq_f32((float32x4_t)x);
#endif
}

// x / (1 + e^-x).
inline floats silu(floats x) { return x / (1.f + exponential(-x)); }

// x Φ(x), where Φ is the normal distribution function, as in the GELU by erf. Φ - 1/2 is odd: x P(x²) / Q(x²), fitted to minimize
// the largest error of the product (1.8e-8 max(1, |x|); rounding makes it 2.0e-7, measured on 1.6 million numbers up to ±8).
inline floats gelu(floats x) {
  constexpr float FAR = 5.5f;  // where the fit reaches one half; beyond it Φ is 0 or 1 in float
  const floats near = greater(spread(-FAR), lesser(spread(FAR), x)), square = near * near;
  const floats above = polynomial(square, 1.11913374e-10f, -2.23208989e-08f, 3.32648096e-06f, 0.000176642236f, 0.00454631913f,
                                  0.0364912488f, 0.398941994f);
  const floats below = polynomial(square, 6.45862383e-05f, 0.00186511758f, 0.0294237509f, 0.258133203f, 1.f);
  // Far below zero, Φ would be a rounding error, which a large x multiplies.
  return x <= -FAR ? floats{} : x * (near * above / below + 0.5f);
}

}  // namespace
}  // namespace voxgate::VOXGATE_LEVEL
