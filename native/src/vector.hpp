// Loads and stores of sixteen numbers at once. Only for files that are compiled with AVX-512. Everything is in an unnamed
// namespace, so that no other file can be linked to these copies.
#pragma once

#include <immintrin.h>

#include "element.hpp"

namespace voxgate {
namespace {

inline __mmask16 first(long count) {
  return count >= 16 ? 0xffff : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1);
}

// Call body(k, mask) for every 16 of `width` columns. The compiler knows the mask of all but the last.
template <class Body>
inline void each_16(long width, const Body &body) {
  long k = 0;
  for (; k + 16 <= width; k += 16) body(k, __mmask16{0xffff});
  if (k < width) body(k, first(width - k));
}

inline __m512 widened(__m256i bits) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)); }

inline __m512 load(const float *from) { return _mm512_loadu_ps(from); }
inline __m512 load(const bf16 *from) { return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from))); }

// Lanes outside the mask are zero, and their memory is not touched.
inline __m512 load(const float *from, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, from); }
inline __m512 load(const bf16 *from, __mmask16 mask) { return widened(_mm256_maskz_loadu_epi16(mask, from)); }

inline void store(float *to, __mmask16 mask, __m512 value) { _mm512_mask_storeu_ps(to, mask, value); }
inline void store(bf16 *to, __mmask16 mask, __m512 value) {
  _mm256_mask_storeu_epi16(to, mask, (__m256i)_mm512_cvtneps_pbh(value));
}

// Two neighbouring bf16 in every lane: one operand of a bf16 product.
inline __m512bh repeated(const bf16 *pair) {
  std::int32_t bits;
  std::memcpy(&bits, pair, sizeof bits);
  return (__m512bh)_mm512_set1_epi32(bits);
}

inline __m512bh pairs(const bf16 *from) { return (__m512bh)_mm512_loadu_si512(from); }

}  // namespace
}  // namespace voxgate
