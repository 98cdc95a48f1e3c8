#include "rows.hpp"

#include <cmath>
#include <limits>

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

// Magnitudes are compared as integers: as an integer, unlike as a float, NaN is the largest and is kept.
inline uints magnitude(floats x) { return (uints)x & 0x7fffffff; }

inline uints larger(uints a, uints b) { return a > b ? a : b; }

inline float largest(uints magnitudes) {
  std::uint32_t bits = 0;
  for (int i = 0; i < LANES; i++) bits = magnitudes[i] > bits ? magnitudes[i] : bits;
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

// The lowest eight bits, in two steps: compilers take one integer after the other for both at once. Numbers that are not finite become
// any integer: their row's scale says what they are.
inline quarters in_bytes(ints x) { return __builtin_convertvector(__builtin_convertvector((uints)x, halves), quarters); }

template <class Element>
void quantise_row(const Element *x, std::uint8_t *q, float *scale, long width) {
  uints most = {};
  each_vector(width, [&](long k, long count) { most = larger(most, magnitude(load(x + k, count))); });
  const Scale row = scale_of(largest(most));
  *scale = row.scale;
  each_vector(width, [&](long k, long count) {
    const quarters value = in_bytes(rounded(load(x + k, count) * row.inverse) + 128);
    std::memcpy(q + k, &value, count);
  });
}

// Return the least exponent e with 127 * 2^e >= the largest magnitude; -200 for zeros, and for numbers that are not finite.
inline int exponent_of(float largest) {
  if (largest == 0 || !(largest <= std::numeric_limits<float>::max())) return -200;
  const int exponent = std::ilogb(largest) - 6;  // 2^6 <= largest / 2^exponent < 2^7
  return largest > std::ldexp(127.f, exponent) ? exponent + 1 : exponent;
}

// Quantize one row in groups. The groups' exponents are relative to the row's scale, which is computed first.
template <class Element>
void quantise_row_in_groups(const Element *x, Groups to, long width) {
  const long groups = (width + GROUP - 1) / GROUP;
  uints most = {};
  for (long g = 0; g < groups; g++) {
    uints own = {};
    for (long k = g * GROUP; k < (g + 1) * GROUP; k += LANES) own = larger(own, magnitude(load(x + k, width - k)));
    most = larger(most, own);
    to.exponent[g] = exponent_of(largest(own));
  }
  const float whole = largest(most);
  const bool finite = whole <= std::numeric_limits<float>::max();
  const int deepest = exponent_of(finite ? whole : 1) - DEEPEST, least = deepest > -126 ? deepest : -126;
  *to.row = finite ? std::ldexp(1.f, least) : std::numeric_limits<float>::quiet_NaN();
  for (long g = 0; g < groups; g++) {
    const int relative = to.exponent[g] - least, exponent = finite && relative > 0 ? relative : 0;
    const float inverse = finite ? std::ldexp(1.f, -exponent - least) : 0;
    uints sum = {};  // unsigned, since the integers of numbers that are not finite overflow
    for (long k = g * GROUP; k < (g + 1) * GROUP; k += LANES) {
      const ints q = rounded(load(x + k, width - k) * inverse);
      put(to.q + k, in_bytes(q));
      sum += (uints)q;
    }
    std::uint32_t total = 0;
    for (int i = 0; i < LANES; i++) total += sum[i];
    to.exponent[g] = exponent << 23;
    to.offset[g] = finite ? -8 * static_cast<std::int32_t>(total) : 0;
  }
}

// Call body(rows of a type).
template <class Body>
void with_type(const Rows &x, const Body &body) {
  x.wide ? body(static_cast<const float *>(x.data)) : body(static_cast<const bf16 *>(x.data));
}

}  // namespace

void quantise_rows(const Rows &x, std::uint8_t *q, float *scale, long count, long width, int threads) {
  with_type(x, [&](const auto *from) {
    share_rows(count, width, threads, [&](long row) { quantise_row(from + row * x.stride, q + row * width, scale + row, width); });
  });
}

void quantise_groups(const Rows &x, Groups to, long count, long width, int threads) {
  const long groups = (width + GROUP - 1) / GROUP;
  with_type(x, [&](const auto *from) {
    share_rows(count, width, threads, [&](long row) {
      const Groups at{to.q + row * groups * GROUP, to.exponent + row * groups, to.offset + row * groups, to.row + row};
      quantise_row_in_groups(from + row * x.stride, at, width);
    });
  });
}

}  // namespace voxgate::VOXGATE_LEVEL
