// Products of bf16, and the layout of their operands: two neighbours along the sum side by side in a lane. Only for files that are
// compiled with AVX-512.
#pragma once

#include "vector.hpp"

namespace voxgate {
namespace {

constexpr long padded(long positions) { return (positions + 31) / 32 * 32; }

// Distances in the second operand, in elements: from one pair of the sum to the next, and from 16 columns to the next.
struct Steps {
  long pair, column;
};

template <long ROWS, long COLUMNS>
void multiply_tile(const bf16 *const *x, long pairs, const bf16 *y, Steps steps, float *out, long out_stride, bool add) {
  __m512 sum[ROWS][COLUMNS];
#pragma GCC unroll 6
  for (long r = 0; r < ROWS; r++)
#pragma GCC unroll 4
    for (long c = 0; c < COLUMNS; c++) sum[r][c] = add ? load(out + r * out_stride + 16 * c) : _mm512_setzero_ps();
  const bf16 *row[ROWS];
  for (long r = 0; r < ROWS; r++) row[r] = x[r];
  for (long p = 0; p < pairs; p++) {
    __m512bh column[COLUMNS];
    for (long c = 0; c < COLUMNS; c++) column[c] = (__m512bh)_mm512_loadu_si512(y + p * steps.pair + c * steps.column);
#pragma GCC unroll 6
    for (long r = 0; r < ROWS; r++) {
      const __m512bh value = repeated(row[r] + 2 * p);
#pragma GCC unroll 4
      for (long c = 0; c < COLUMNS; c++) sum[r][c] = _mm512_dpbf16_ps(sum[r][c], column[c], value);
    }
  }
#pragma GCC unroll 6
  for (long r = 0; r < ROWS; r++)
#pragma GCC unroll 4
    for (long c = 0; c < COLUMNS; c++) _mm512_storeu_ps(out + r * out_stride + 16 * c, sum[r][c]);
}

template <long ROWS>
void multiply_rows(const bf16 *const *x, long pairs, const bf16 *y, Steps steps, long columns, float *out, long out_stride,
                   bool add) {
  switch (columns) {
    case 4: return multiply_tile<ROWS, 4>(x, pairs, y, steps, out, out_stride, add);
    case 3: return multiply_tile<ROWS, 3>(x, pairs, y, steps, out, out_stride, add);
    case 2: return multiply_tile<ROWS, 2>(x, pairs, y, steps, out, out_stride, add);
    default: return multiply_tile<ROWS, 1>(x, pairs, y, steps, out, out_stride, add);
  }
}

// out [rows <= 6, 16 * columns <= 64] = x [rows, 2 * pairs] · y, or with `add` out += x · y.
inline void multiply(const bf16 *const *x, long rows, long pairs, const bf16 *y, Steps steps, long columns, float *out,
                     long out_stride, bool add) {
  switch (rows) {
    case 6: return multiply_rows<6>(x, pairs, y, steps, columns, out, out_stride, add);
    case 5: return multiply_rows<5>(x, pairs, y, steps, columns, out, out_stride, add);
    case 4: return multiply_rows<4>(x, pairs, y, steps, columns, out, out_stride, add);
    case 3: return multiply_rows<3>(x, pairs, y, steps, columns, out, out_stride, add);
    case 2: return multiply_rows<2>(x, pairs, y, steps, columns, out, out_stride, add);
    default: return multiply_rows<1>(x, pairs, y, steps, columns, out, out_stride, add);
  }
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
    lanes[i] = i < count ? _mm512_maskz_loadu_epi32(first(dims / 2), from + i * stride) : _mm512_setzero_si512();
  transpose(lanes);
  for (long i = 0; i < std::min(16L, dims / 2); i++) _mm512_storeu_si512(to + i * 32, lanes[i]);
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
      const __mmask16 dims = first((head_dim - d) / 2);
      const bf16 *from = values + j * stride + d;
      const __m512i even = j < count ? _mm512_maskz_loadu_epi32(dims, from) : _mm512_setzero_si512();
      const __m512i odd = j + 1 < count ? _mm512_maskz_loadu_epi32(dims, from + stride) : _mm512_setzero_si512();
      bf16 *pairs = to + j * head_dim + 2 * d;
      _mm512_storeu_si512(pairs, _mm512_permutex2var_epi16(even, low, odd));
      if (d + 16 < head_dim) _mm512_storeu_si512(pairs + 32, _mm512_permutex2var_epi16(even, high, odd));
    }
}

}  // namespace
}  // namespace voxgate
