// As many float32 as a register of this level has, and what is done with them. GNU vectors: the same source is compiled for each
// level, with other flags and in a namespace of its own. Everything is in an unnamed namespace besides, so that the linker never
// takes a copy that another level was compiled to.
#pragma once

#include <cstdint>
#include <cstring>

#include "element.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define VOXGATE_REGISTER 64
#elif defined(__AVX2__)
#define VOXGATE_REGISTER 32
#else
#define VOXGATE_REGISTER 16
#endif

namespace voxgate::VOXGATE_LEVEL {
namespace {

constexpr long LANES = VOXGATE_REGISTER / 4;
constexpr bool MANY_REGISTERS = VOXGATE_REGISTER != 32;  // 32 of them; AVX2 has 16

// A tile of a product, rows and vectors of columns: its sums fit the registers.
constexpr long TALL = 6, WIDE = MANY_REGISTERS ? 4 : 2;

typedef float floats __attribute__((vector_size(VOXGATE_REGISTER)));
typedef std::int32_t ints __attribute__((vector_size(VOXGATE_REGISTER)));
typedef std::uint32_t uints __attribute__((vector_size(VOXGATE_REGISTER)));
typedef std::uint16_t halves __attribute__((vector_size(VOXGATE_REGISTER / 2)));
typedef std::uint8_t quarters __attribute__((vector_size(VOXGATE_REGISTER / 4)));
typedef float quad __attribute__((vector_size(16)));

inline floats spread(float value) { return value - floats{}; }  // not `+`: that would change -0
inline ints spread(std::int32_t value) { return value - ints{}; }

template <class Vector>
inline Vector loaded(const void *from) {
  Vector value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class Vector>
inline void put(void *to, Vector value) {
  std::memcpy(to, &value, sizeof value);
}

inline floats widened(halves bits) { return (floats)(__builtin_convertvector(bits, uints) << 16); }

// Round to bf16, ties to even. NaN stays NaN.
inline halves narrowed(floats x) {
#if defined(__AVX512BF16__)
  return (halves)_mm512_cvtneps_pbh((__m512)x);
#else
  const uints bits = (uints)x, nearest = bits + 0x7fff + ((bits >> 16) & 1);
  return __builtin_convertvector((x == x ? nearest : bits | 0x400000) >> 16, halves);
#endif
}

inline floats load(const float *from) { return loaded<floats>(from); }
inline floats load(const bf16 *from) { return widened(loaded<halves>(from)); }
inline void store(float *to, floats value) { put(to, value); }
inline void store(bf16 *to, floats value) { put(to, narrowed(value)); }

// The first `count` numbers, the rest 0. Memory after them is not touched.
template <class Element>
inline floats load(const Element *from, long count) {
  if (count >= LANES) return load(from);
  Element part[LANES] = {};
  if (count > 0) std::memcpy(part, from, count * sizeof(Element));
  return load(part);
}

template <class Element>
inline void store(Element *to, long count, floats value) {
  if (count >= LANES) return store(to, value);
  Element part[LANES];
  store(part, value);
  if (count > 0) std::memcpy(to, part, count * sizeof(Element));
}

// Call body(k, count) for every LANES of `width` columns. The compiler knows the count of all but the last.
template <class Body>
inline void each_vector(long width, const Body &body) {
  long k = 0;
  for (; k + LANES <= width; k += LANES) body(k, LANES);
  if (k < width) body(k, width - k);
}

// In this order the second is returned where one of both is NaN.
inline floats greater(floats a, floats b) { return a > b ? a : b; }
inline floats lesser(floats a, floats b) { return a < b ? a : b; }

constexpr float SHIFTER = 12582912.f;  // 1.5 * 2^23: added to a smaller number, it leaves an integer in the lowest bits

// The nearest integer, ties to even, of numbers up to 2^22.
inline ints rounded(floats x) { return (ints)(x + SHIFTER) - (ints)spread(SHIFTER); }

inline floats in_float(ints x) { return __builtin_convertvector(x, floats); }

// Lanes before `count` as they are, the rest `other`.
inline floats first(long count, floats x, floats other) {
  ints lane;
  for (int i = 0; i < LANES; i++) lane[i] = i;
  return lane < static_cast<std::int32_t>(count) ? x : other;
}

// Four numbers, each the result of four neighbours of another quarter.
template <class Combine>
inline quad folded(floats x, const Combine &combine) {
#if VOXGATE_REGISTER == 64
  typedef float octet __attribute__((vector_size(32)));
  const octet y = combine(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7), __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15));
  return combine(__builtin_shufflevector(y, y, 0, 1, 2, 3), __builtin_shufflevector(y, y, 4, 5, 6, 7));
#elif VOXGATE_REGISTER == 32
  return combine(__builtin_shufflevector(x, x, 0, 1, 2, 3), __builtin_shufflevector(x, x, 4, 5, 6, 7));
#else
  return combine.one(x);
#endif
}

struct Add {
  template <class Vector>
  Vector operator()(Vector a, Vector b) const { return a + b; }
  quad one(quad x) const { return x; }
};

struct Greater {
  template <class Vector>
  Vector operator()(Vector a, Vector b) const { return a > b ? a : b; }
  quad one(quad x) const { return x; }
};

inline float sum_of(floats x) {
  const quad y = folded(x, Add());
  return (y[0] + y[2]) + (y[1] + y[3]);
}

inline float largest_of(floats x) {
  const quad y = folded(x, Greater());
  const float even = y[0] > y[2] ? y[0] : y[2], odd = y[1] > y[3] ? y[1] : y[3];
  return even > odd ? even : odd;
}

// The sums of four vectors.
inline quad sums_of(floats a, floats b, floats c, floats d) {
  const quad w = folded(a, Add()), x = folded(b, Add()), y = folded(c, Add()), z = folded(d, Add());
  const quad wx = __builtin_shufflevector(w, x, 0, 4, 1, 5) + __builtin_shufflevector(w, x, 2, 6, 3, 7);
  const quad yz = __builtin_shufflevector(y, z, 0, 4, 1, 5) + __builtin_shufflevector(y, z, 2, 6, 3, 7);
  return __builtin_shufflevector(wx, yz, 0, 1, 4, 5) + __builtin_shufflevector(wx, yz, 2, 3, 6, 7);
}

inline void prefetch(const void *from) { __builtin_prefetch(from); }

inline void prefetch_row(const bf16 *row, long width) {
  for (long k = 0; k < width; k += 32) prefetch(row + k);
}

}  // namespace
}  // namespace voxgate::VOXGATE_LEVEL
