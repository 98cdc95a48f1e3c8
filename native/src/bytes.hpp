// Products of bytes: four neighbours of a lane are multiplied and added to an integer. Every level gives the same integers.
//
// Without such an instruction (AVX2), bytes are multiplied to 16 bits, and two neighbours added there. Two products of 8 bits would
// overflow where one operand is unsigned and as large as 255, so both are signed there: the sign of one goes to the other.
#pragma once

#include "vector.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

inline ints repeated(const void *four) {
  std::int32_t bits;
  std::memcpy(&bits, four, sizeof bits);
  return spread(bits);
}

#if defined(__AVX512VNNI__)

inline ints dot(ints sum, ints w, ints x) { return (ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)x); }

#elif defined(__AVXVNNI__)

inline ints dot(ints sum, ints w, ints x) { return (ints)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)w, (__m256i)x); }

#elif defined(__ARM_FEATURE_DOTPROD)

inline ints dot(ints sum, ints w, ints x) { return (ints)vdotq_s32((int32x4_t)sum, (int8x16_t)w, (int8x16_t)x); }

#endif

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__) || defined(__ARM_FEATURE_DOTPROD)

// A start, and the sum of up to 32 products of a lane, of weights from 0 to 15 and inputs from -128 to 127.
struct GroupSum {
  ints sum;
  void begin(std::int32_t start) { sum = spread(start); }
  void add(ints w, ints x) { sum = dot(sum, w, x); }
  ints total() const { return sum; }
};

#else

struct GroupSum {
  ints start;
  __m256i pairs;  // 16 bits: at most 16 products of 15 * 128 are added in one
  void begin(std::int32_t from) {
    start = spread(from);
    pairs = _mm256_setzero_si256();
  }
  void add(ints w, ints x) { pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16((__m256i)w, (__m256i)x)); }
  ints total() const { return start + (ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }
};

#endif

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)

// Four inputs of a row, stored with 128 for zero, in every lane.
struct Inputs {
  ints x;
  explicit Inputs(const std::uint8_t *four) : x(repeated(four)) {}
  ints times(ints w, ints sum) const { return dot(sum, x, w); }
};
constexpr std::int32_t ZERO = 128;  // what `times` takes for zero

#else

struct Inputs {
  ints x;
  explicit Inputs(const std::uint8_t *four) : x(repeated(four) ^ static_cast<std::int32_t>(0x80808080)) {}
#if defined(__ARM_FEATURE_DOTPROD)
  ints times(ints w, ints sum) const { return dot(sum, w, x); }
#else
  ints times(ints w, ints sum) const {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)x), _mm256_sign_epi8((__m256i)w, (__m256i)x));
    return sum + (ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  }
#endif
};
constexpr std::int32_t ZERO = 0;

#endif

}  // namespace
}  // namespace voxgate::VOXGATE_LEVEL
