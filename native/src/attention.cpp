#include "attention.hpp"

#include <cmath>
#include <limits>

#include "exponential.hpp"
#include "pairs.hpp"
#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {
namespace {

constexpr long TALL = 6;      // rows of a product's tile, with four columns of 16: 24 of the 32 registers
constexpr long BLOCK = 12;    // rows that share a pass over the keys
constexpr long CHUNK = 512;   // positions; a block's scores of so many fit the first-level cache
constexpr long WIDEST = 256;  // the largest head_dim

// The state of a block's rows: scores, which weights replace in place, and the running maxima and sums of an exact softmax chunk by
// chunk (Milakov and Gimelshein, 1805.02867).
struct Block {
  alignas(64) float scores[BLOCK][CHUNK];
  alignas(64) float mixed[BLOCK][WIDEST];
  float most[BLOCK], total[BLOCK];
  const bf16 *q[BLOCK];
  bf16 *out[BLOCK];
  long seen[BLOCK];  // number of positions that the row attends to
  long rows;
};

inline bf16 *weights(float *scores) { return reinterpret_cast<bf16 *>(scores); }

// Compute the scores of the chunk's first `count` positions, a multiple of 16.
void score(Block &block, const bf16 *keys, long count, long head_dim) {
  for (long j = 0; j < count; j += 64)
    for (long r = 0; r < block.rows; r += TALL)
      multiply(block.q + r, std::min(TALL, block.rows - r), head_dim / 2, keys + j * head_dim, {32, 16 * head_dim},
               std::min(4L, (count - j) / 16), block.scores[r] + j, CHUNK, false);
}

// Return the largest of the first `count` scores.
inline float largest(const float *scores, long count) {
  __m512 even = _mm512_set1_ps(-std::numeric_limits<float>::infinity()), odd = even;
  long j = 0;
  for (; j + 32 <= count; j += 32) {
    even = _mm512_max_ps(even, load(scores + j));
    odd = _mm512_max_ps(odd, load(scores + j + 16));
  }
  for (; j < count; j += 16) even = _mm512_mask_max_ps(even, first(count - j), even, load(scores + j));
  return _mm512_reduce_max_ps(_mm512_max_ps(even, odd));
}

// Replace the scores of `left` positions by weights in bf16, and rescale the sums so far to the new maximum.
void weigh(Block &block, long r, long left, long count, float scale, long head_dim) {
  float *scores = block.scores[r];
  const float before = block.most[r], now = std::max(before, largest(scores, std::min(left, count)) * scale);
  const __m512 to_base_2 = _mm512_set1_ps(scale * LOG2_E), shift = _mm512_set1_ps(-now * LOG2_E);
  __m512 total = _mm512_setzero_ps();
  const auto weight = [&](long j) { return power_of_2(_mm512_fmadd_ps(load(scores + j), to_base_2, shift)); };
  const auto keep = [&](long j, __m512 low, __m512 high) {
    total = _mm512_add_ps(total, _mm512_add_ps(low, high));
    _mm512_storeu_si512(weights(scores) + j, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  };
  long j = 0;
  for (; j + 32 <= std::min(left, count); j += 32) keep(j, weight(j), weight(j + 16));
  for (; j < count; j += 32)
    keep(j, _mm512_maskz_mov_ps(first(left - j), weight(j)), _mm512_maskz_mov_ps(first(left - j - 16), weight(j + 16)));
  const float kept = std::exp2((before - now) * LOG2_E);  // 0 for the first chunk
  block.most[r] = now;
  block.total[r] = block.total[r] * kept + _mm512_reduce_add_ps(total);
  if (kept != 1)
    for (long d = 0; d < head_dim; d += 16)
      _mm512_store_ps(block.mixed[r] + d, _mm512_mul_ps(load(block.mixed[r] + d), _mm512_set1_ps(kept)));
}

// Add the chunk's weighted values.
void mix(Block &block, const bf16 *values, long count, long head_dim) {
  const bf16 *rows[BLOCK];
  for (long r = 0; r < block.rows; r++) rows[r] = weights(block.scores[r]);
  for (long d = 0; d < head_dim; d += 64)
    for (long r = 0; r < block.rows; r += TALL)
      multiply(rows + r, std::min(TALL, block.rows - r), count / 2, values + 2 * d, {2 * head_dim, 32},
               std::min(4L, (head_dim - d) / 16), block.mixed[r] + d, WIDEST, true);
}

// The same without packing, for too few rows to pay for it: those of one token, where four heads of queries share a key. Keys are
// read in place, four at a time.
constexpr long FEW = 4;

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
  return left >= 32 ? pairs(from) : (__m512bh)_mm512_maskz_loadu_epi32(first(left / 2), from);
}

// Compute the scores of `count` positions. Missing rows repeat the first row.
void score_few(Block &block, const bf16 *keys, long stride, long count, long head_dim) {
  const bf16 *q[FEW];
  for (long r = 0; r < FEW; r++) q[r] = block.q[r < block.rows ? r : 0];
  for (long j = 0; j < count; j += 4) {
    const bf16 *key[4];
    for (long p = 0; p < 4; p++) key[p] = keys + std::min(j + p, count - 1) * stride;
    __m512 products[4][4] = {};
    for (long d = 0; d < head_dim; d += 32)
#pragma GCC unroll 4
      for (int r = 0; r < FEW; r++) {
        const __m512bh row = dims(q[r] + d, head_dim - d);
#pragma GCC unroll 4
        for (int p = 0; p < 4; p++) products[p][r] = _mm512_dpbf16_ps(products[p][r], dims(key[p] + d, head_dim - d), row);
      }
    const __m512 found = sums(products);
    _mm_storeu_ps(block.scores[0] + j, _mm512_extractf32x4_ps(found, 0));
    _mm_storeu_ps(block.scores[1] + j, _mm512_extractf32x4_ps(found, 1));
    _mm_storeu_ps(block.scores[2] + j, _mm512_extractf32x4_ps(found, 2));
    _mm_storeu_ps(block.scores[3] + j, _mm512_extractf32x4_ps(found, 3));
  }
}

// Add the weighted values of `count` positions: 64 dimensions at a time, two positions side by side as the product needs them.
void mix_few(Block &block, const bf16 *values, long stride, long count, long head_dim) {
  alignas(64) std::uint16_t order[32];
  for (int i = 0; i < 32; i++) order[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * 32);
  const __m512i low = _mm512_load_si512(order), high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  for (long d = 0; d < head_dim; d += 64) {
    __m512 mixed[4][FEW];
    for (int c = 0; c < 4; c++)
      for (int r = 0; r < FEW; r++) mixed[c][r] = load(block.mixed[r] + d + 16 * c);
    for (long j = 0; j < count; j += 2) {
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
        const __m512bh weight = repeated(weights(block.scores[r]) + j);
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) mixed[c][r] = _mm512_dpbf16_ps(mixed[c][r], columns[c], weight);
      }
    }
    for (int c = 0; c < 4; c++)
      for (int r = 0; r < FEW; r++) _mm512_store_ps(block.mixed[r] + d + 16 * c, mixed[c][r]);
  }
}

void write(Block &block, long head_dim) {
  for (long r = 0; r < block.rows; r++)
    for (long d = 0; d < head_dim; d += 16)
      store(block.out[r] + d, 0xffff, _mm512_mul_ps(load(block.mixed[r] + d), _mm512_set1_ps(1 / block.total[r])));
}

// Nothing seen yet; the positions that any row sees.
long begin(Block &block, long head_dim) {
  long most = 0;
  for (long r = 0; r < block.rows; r++) {
    most = std::max(most, block.seen[r]);
    block.most[r] = -std::numeric_limits<float>::infinity();
    block.total[r] = 0;
    std::fill_n(block.mixed[r], head_dim, 0.f);
  }
  return most;
}

void attend_block(Block &block, const bf16 *keys, const bf16 *values, float scale, long head_dim) {
  const long most = begin(block, head_dim);
  for (long start = 0; start < most; start += CHUNK) {
    const long count = padded(std::min(CHUNK, most - start));
    score(block, keys + start * head_dim, count, head_dim);
    for (long r = 0; r < block.rows; r++) weigh(block, r, block.seen[r] - start, count, scale, head_dim);
    mix(block, values + start * head_dim, count, head_dim);
  }
  write(block, head_dim);
}

void attend_few(Block &block, const bf16 *keys, long key_stride, const bf16 *values, long value_stride, float scale, long head_dim) {
  const long most = begin(block, head_dim);
  for (long start = 0; start < most; start += CHUNK) {
    const long count = std::min(CHUNK, most - start);
    score_few(block, keys + start * key_stride, key_stride, count, head_dim);
    for (long r = 0; r < block.rows; r++) weigh(block, r, block.seen[r] - start, padded(count), scale, head_dim);
    mix_few(block, values + start * value_stride, value_stride, count, head_dim);
  }
  write(block, head_dim);
}

// A part of the rows of one sequence that share a head of keys. Row i is query head i % group at position i / group, so that the
// rows of a block attend to nearly the same positions.
struct Task {
  long sequence, kv_head, from, to;
};

Block &filled(Block &block, const Attention &of, const Task &task, long from) {
  const long group = of.heads / of.kv_heads;
  block.rows = std::min(BLOCK, task.to - from);
  for (long r = 0; r < block.rows; r++) {
    const long row = (from + r) / group, head = task.kv_head * group + (from + r) % group;
    block.q[r] = of.q + task.sequence * of.q_strides.slot + head * of.q_strides.head + row * of.q_strides.row;
    block.out[r] = of.out + ((task.sequence * of.rows + row) * of.heads + head) * of.head_dim;
    const long length = of.lengths[task.sequence];
    block.seen[r] = of.causal ? length - of.rows + 1 + row : length;
  }
  return block;
}

void attend_task(const Attention &of, const Task &task, std::byte *memory) {
  Block &block = *new (memory) Block;
  const long length = of.lengths[task.sequence], slot = of.slots[task.sequence];
  const bf16 *their_keys = of.keys + slot * of.k_strides.slot + task.kv_head * of.k_strides.head;
  const bf16 *their_values = of.values + slot * of.v_strides.slot + task.kv_head * of.v_strides.head;
  if (task.to - task.from <= FEW) {
    attend_few(filled(block, of, task, task.from), their_keys, of.k_strides.row, their_values, of.v_strides.row, of.scale,
               of.head_dim);
    return;
  }
  bf16 *keys = reinterpret_cast<bf16 *>(memory + Scratch::rounded(sizeof(Block)));
  bf16 *values = keys + padded(length) * of.head_dim;
  pack_keys(their_keys, of.k_strides.row, keys, length, of.head_dim);
  pack_values(their_values, of.v_strides.row, values, length, of.head_dim);
  for (long row = task.from; row < task.to; row += BLOCK)
    attend_block(filled(block, of, task, row), keys, values, of.scale, of.head_dim);
}

}  // namespace

void attend(const Attention &of, int threads, Scratch &scratch) {
  long longest = 0;
  for (long s = 0; s < of.sequences; s++) longest = std::max(longest, of.lengths[s]);
  const std::size_t each =
      Scratch::rounded(sizeof(Block)) + Scratch::rounded(2 * padded(longest) * of.head_dim * sizeof(bf16));
  std::byte *memory = scratch.take(threads * each);
  // Each task packs its head's keys and values. Where there are more threads than heads, several tasks pack the same head.
  const long pairs = of.sequences * of.kv_heads, rows = of.rows * of.heads / of.kv_heads;
  const long parts = std::max(1L, std::min((2 * threads + pairs - 1) / pairs, rows / (4 * BLOCK)));
  share_out(pairs * parts, threads, [&](int worker, long index) {
    const long pair = index / parts, part = index % parts;
    attend_task(of, {pair / of.kv_heads, pair % of.kv_heads, rows * part / parts, rows * (part + 1) / parts},
                memory + worker * each);
  });
}

}  // namespace voxgate
