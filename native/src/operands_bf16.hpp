// Operands of bf16, two neighbours along the sum in each lane. Only for the level that multiplies them (AVX-512 BF16), so
// its own vectors are used.
// Included by operands.hpp alone, which has what both kinds share.
#pragma once

namespace voxgate::VOXGATE_LEVEL {
namespace {

using Operand = bf16;
using Packed = __m512bh;
constexpr long DEPTH = 2;

inline Packed packed(const bf16 *from) { return (__m512bh)_mm512_loadu_si512(from); }

inline Packed repeated(const bf16 *pair) {
  std::int32_t bits;
  std::memcpy(&bits, pair, sizeof bits);
  return (__m512bh)_mm512_set1_epi32(bits);
}

inline floats multiply_add(Packed a, Packed b, floats sum) { return (floats)_mm512_dpbf16_ps((__m512)sum, a, b); }

// Return the row as an operand: it is one.
inline const bf16 *operand(const bf16 *row, bf16 *, long) { return row; }

// Write 32 weights, where the scores were.
inline void store_weights(bf16 *to, floats low, floats high) {
  _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
}

inline __mmask16 mask_of(long count) {
  return count >= 16 ? 0xffff : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1);
}

// Transpose sixteen rows of sixteen lanes.
inline void transpose(__m512i (&rows)[16]) {
  __m512i once[16], twice[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    once[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    once[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      twice[i + 2 * j] = _mm512_unpacklo_epi64(once[i + j], once[i + j + 2]);
      twice[i + 2 * j + 1] = _mm512_unpackhi_epi64(once[i + j], once[i + j + 2]);
    }
  // Quarter c of twice[4 a + b] contains rows 4 a to 4 a + 3 of column 4 c + b.
#pragma GCC unroll 4
  for (int b = 0; b < 4; b++) {
    const __m512i low = _mm512_shuffle_i32x4(twice[b], twice[4 + b], 0x44), high = _mm512_shuffle_i32x4(twice[b], twice[4 + b], 0xee);
    const __m512i low2 = _mm512_shuffle_i32x4(twice[8 + b], twice[12 + b], 0x44),
                  high2 = _mm512_shuffle_i32x4(twice[8 + b], twice[12 + b], 0xee);
    rows[b] = _mm512_shuffle_i32x4(low, low2, 0x88);
    rows[4 + b] = _mm512_shuffle_i32x4(low, low2, 0xdd);
    rows[8 + b] = _mm512_shuffle_i32x4(high, high2, 0x88);
    rows[12 + b] = _mm512_shuffle_i32x4(high, high2, 0xdd);
  }
}

// Pack 32 dimensions of sixteen keys, or as many as exist, into lines of 16 positions.
inline void pack_key_block(const bf16 *from, long stride, bf16 *to, long count, long dims) {
  __m512i lanes[16];
  if (count >= 16 && dims >= 32) {
#pragma GCC unroll 16
    for (long i = 0; i < 16; i++) lanes[i] = _mm512_loadu_si512(from + i * stride);
    transpose(lanes);
#pragma GCC unroll 16
    for (long i = 0; i < 16; i++) _mm512_storeu_si512(to + i * 32, lanes[i]);
    return;
  }
  for (long i = 0; i < 16; i++)
    lanes[i] = i < count ? _mm512_maskz_loadu_epi32(mask_of(dims / 2), from + i * stride) : _mm512_setzero_si512();
  transpose(lanes);
  for (long i = 0; i < smaller(16, dims / 2); i++) _mm512_storeu_si512(to + i * 32, lanes[i]);
}

// Pack keys [count, head_dim], `stride` elements apart, into [padded / 16][head_dim / 2][16 positions][2]; positions past the
// count are 0.
inline void pack_keys(const bf16 *keys, long stride, bf16 *to, long count, long head_dim) {
  for (long j = 0; j < padded(count); j += 16)
    for (long d = 0; d < head_dim; d += 32)
      pack_key_block(keys + j * stride + d, stride, to + j * head_dim + d * 16, count - j, head_dim - d);
}

// Pack values [count, head_dim] into [padded / 2][head_dim][2 positions]; positions past the count are 0.
inline void pack_values(const bf16 *values, long stride, bf16 *to, long count, long head_dim) {
  alignas(64) std::uint16_t order[32];
  for (int i = 0; i < 32; i++) order[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * 32);
  const __m512i low = _mm512_load_si512(order), high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  for (long j = 0; j < padded(count); j += 2)
    for (long d = 0; d < head_dim; d += 32) {
      const __mmask16 dims = mask_of((head_dim - d) / 2);
      const bf16 *from = values + j * stride + d;
      const __m512i even = j < count ? _mm512_maskz_loadu_epi32(dims, from) : _mm512_setzero_si512();
      const __m512i odd = j + 1 < count ? _mm512_maskz_loadu_epi32(dims, from + stride) : _mm512_setzero_si512();
      bf16 *pairs = to + j * head_dim + 2 * d;
      _mm512_storeu_si512(pairs, _mm512_permutex2var_epi16(even, low, odd));
      if (d + 16 < head_dim) _mm512_storeu_si512(pairs + 32, _mm512_permutex2var_epi16(even, high, odd));
    }
}

// Without packing, for at most FEW rows. Keys are read in place, four at a time.

// Return the sums of four vectors for each of four rows, [row][vector].
inline __m512 sums(const __m512 (&of)[4][4]) {
  __m512 quarters[4];  // each 128 bits contain parts of a row's four sums
#pragma GCC unroll 4
  for (int r = 0; r < 4; r++) {
    const __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(of[0][r], of[1][r]), _mm512_unpackhi_ps(of[0][r], of[1][r]));
    const __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(of[2][r], of[3][r]), _mm512_unpackhi_ps(of[2][r], of[3][r]));
    const __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
    quarters[r] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(c, d)), _mm512_castpd_ps(_mm512_unpackhi_pd(c, d)));
  }
  const auto halved = [](__m512 x, __m512 y) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xdd));
  };
  return halved(halved(quarters[0], quarters[1]), halved(quarters[2], quarters[3]));
}

// Load 32 dimensions, or `left` if fewer.
inline __m512bh dims(const bf16 *from, long left) {
  return left >= 32 ? packed(from) : (__m512bh)_mm512_maskz_loadu_epi32(mask_of(left / 2), from);
}

// Compute the scores of `count` positions for FEW rows, as far from each other as `scores_stride`.
inline void score_few(const bf16 *const *q, const bf16 *keys, long stride, long count, long head_dim, float *scores,
                      long scores_stride) {
  for (long j = 0; j < count; j += 4) {
    const bf16 *key[4];
    for (long p = 0; p < 4; p++) {
      key[p] = keys + smaller(j + p, count - 1) * stride;
      prefetch_row(key[p] + AHEAD * stride, head_dim);
    }
    __m512 products[4][4] = {};
    for (long d = 0; d < head_dim; d += 32)
#pragma GCC unroll 4
      for (int r = 0; r < FEW; r++) {
        const __m512bh row = dims(q[r] + d, head_dim - d);
#pragma GCC unroll 4
        for (int p = 0; p < 4; p++) products[p][r] = _mm512_dpbf16_ps(products[p][r], dims(key[p] + d, head_dim - d), row);
      }
    const __m512 found = sums(products);
    _mm_storeu_ps(scores + j, _mm512_extractf32x4_ps(found, 0));
    _mm_storeu_ps(scores + 1 * scores_stride + j, _mm512_extractf32x4_ps(found, 1));
    _mm_storeu_ps(scores + 2 * scores_stride + j, _mm512_extractf32x4_ps(found, 2));
    _mm_storeu_ps(scores + 3 * scores_stride + j, _mm512_extractf32x4_ps(found, 3));
  }
}

// Add the weighted values of `count` positions: 64 dimensions at a time, two positions side by side as the product needs them.
inline void mix_few(const bf16 *const *weights, const bf16 *values, long stride, long count, long head_dim, float *to,
                    long to_stride) {
  alignas(64) std::uint16_t order[32];
  for (int i = 0; i < 32; i++) order[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * 32);
  const __m512i low = _mm512_load_si512(order), high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  for (long d = 0; d < head_dim; d += 64) {
    __m512 mixed[4][FEW];
    for (int c = 0; c < 4; c++)
      for (int r = 0; r < FEW; r++) mixed[c][r] = (__m512)load(to + r * to_stride + d + 16 * c);
    for (long j = 0; j < count; j += 2) {
      for (long p = 0; p < 2; p++) prefetch_row(values + (j + p + AHEAD) * stride + d, 64);
      __m512bh columns[4];
#pragma GCC unroll 2
      for (int half = 0; half < 2; half++) {
        const bf16 *from = values + j * stride + d + 32 * half;
        const long left = head_dim - d - 32 * half;
        const __m512i even = (__m512i)dims(from, left), odd = j + 1 < count ? (__m512i)dims(from + stride, left) : __m512i{};
        columns[2 * half] = (__m512bh)_mm512_permutex2var_epi16(even, low, odd);
        columns[2 * half + 1] = (__m512bh)_mm512_permutex2var_epi16(even, high, odd);
      }
#pragma GCC unroll 4
      for (int r = 0; r < FEW; r++) {
        const __m512bh weight = repeated(weights[r] + j);
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) mixed[c][r] = _mm512_dpbf16_ps(mixed[c][r], columns[c], weight);
      }
    }
    for (int c = 0; c < 4; c++)
      for (int r = 0; r < FEW; r++) store(to + r * to_stride + d + 16 * c, (floats)mixed[c][r]);
  }
}

}  // namespace
}  // namespace voxgate::VOXGATE_LEVEL
