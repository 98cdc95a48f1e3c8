// Operands of float, for levels that do not multiply bf16: it is widened, once for all rows that use it.
// Included by operands.hpp alone, which has what both kinds share.
#pragma once

namespace voxgate::VOXGATE_LEVEL {
namespace {

using Operand = float;
using Packed = floats;
constexpr long DEPTH = 1;

inline Packed packed(const float *from) { return load(from); }
inline Packed repeated(const float *one) { return spread(*one); }
inline floats multiply_add(Packed a, Packed b, floats sum) { return a * b + sum; }

// Return the row, widened into `to`.
inline const float *operand(const bf16 *row, float *to, long width) {
  for (long d = 0; d < width; d += LANES) store(to + d, load(row + d));
  return to;
}

// Write two vectors of weights, where the scores were.
inline void store_weights(float *to, floats low, floats high) {
  store(to, low);
  store(to + LANES, high);
}

// Pack keys [count, head_dim], `stride` elements apart, into [padded / LANES][head_dim][LANES positions]; positions past the count
// are 0.
inline void pack_keys(const bf16 *keys, long stride, float *to, long count, long head_dim) {
  for (long j = 0; j < padded(count); j += LANES) {
    float *lines = to + j * head_dim;
    for (long p = 0; p < LANES; p++) {
      const bf16 *key = keys + smaller(j + p, count - 1) * stride;
      for (long d = 0; d < head_dim; d++) lines[d * LANES + p] = j + p < count ? widened(key[d]) : 0.f;
    }
  }
}

// Pack values [count, head_dim] into [padded][head_dim]; positions past the count are 0.
inline void pack_values(const bf16 *values, long stride, float *to, long count, long head_dim) {
  for (long j = 0; j < padded(count); j++)
    for (long d = 0; d < head_dim; d += LANES) store(to + j * head_dim + d, j < count ? load(values + j * stride + d) : floats{});
}

// Without packing, for at most FEW rows. Keys are read in place.

// Compute the scores of `count` positions for FEW rows, as far from each other as `scores_stride`.
inline void score_few(const float *const *q, const bf16 *keys, long stride, long count, long head_dim, float *scores,
                      long scores_stride) {
  for (long j = 0; j < count; j++) {
    const bf16 *key = keys + j * stride;
    prefetch_row(key + AHEAD * stride, head_dim);
    floats products[FEW] = {};
    for (long d = 0; d < head_dim; d += LANES) {
      const floats wide = load(key + d);
#pragma GCC unroll 4
      for (long r = 0; r < FEW; r++) products[r] = load(q[r] + d) * wide + products[r];
    }
    const quad found = sums_of(products[0], products[1], products[2], products[3]);
#pragma GCC unroll 4
    for (long r = 0; r < FEW; r++) scores[r * scores_stride + j] = found[r];
  }
}

template <long COLUMNS>
inline void mix_columns(const float *const *weights, const bf16 *values, long stride, long count, float *to, long to_stride) {
  floats mixed[FEW][COLUMNS];
  for (long r = 0; r < FEW; r++)
    for (long c = 0; c < COLUMNS; c++) mixed[r][c] = load(to + r * to_stride + LANES * c);
  for (long j = 0; j < count; j++) {
    prefetch_row(values + (j + AHEAD) * stride, COLUMNS * LANES);
    floats wide[COLUMNS];
#pragma GCC unroll 4
    for (long c = 0; c < COLUMNS; c++) wide[c] = load(values + j * stride + LANES * c);
#pragma GCC unroll 4
    for (long r = 0; r < FEW; r++) {
      const floats weight = spread(weights[r][j]);
#pragma GCC unroll 4
      for (long c = 0; c < COLUMNS; c++) mixed[r][c] = weight * wide[c] + mixed[r][c];
    }
  }
  for (long r = 0; r < FEW; r++)
    for (long c = 0; c < COLUMNS; c++) store(to + r * to_stride + LANES * c, mixed[r][c]);
}

// Add the weighted values of `count` positions to FEW rows.
inline void mix_few(const float *const *weights, const bf16 *values, long stride, long count, long head_dim, float *to,
                    long to_stride) {
  long d = 0;
  for (; d + WIDE * LANES <= head_dim; d += WIDE * LANES)
    mix_columns<WIDE>(weights, values + d, stride, count, to + d, to_stride);
  for (; d < head_dim; d += LANES) mix_columns<1>(weights, values + d, stride, count, to + d, to_stride);
}

}  // namespace
}  // namespace voxgate::VOXGATE_LEVEL
