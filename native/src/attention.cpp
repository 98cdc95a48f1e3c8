#include "attention.hpp"

#include <cmath>
#include <limits>
#include <new>

#include "functions.hpp"
#include "operands.hpp"
#include "parallel.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

constexpr long BLOCK = 12;    // rows that share a pass over the keys
constexpr long CHUNK = 512;   // positions; a block's scores of so many fit the first-level cache
constexpr long WIDEST = 256;  // the largest head_dim

// The state of a block's rows: scores, which weights replace in place, and the running maxima and sums of an exact softmax chunk by
// chunk (Milakov and Gimelshein, 1805.02867).
struct Block {
  alignas(64) float scores[BLOCK][CHUNK];
  alignas(64) float mixed[BLOCK][WIDEST];
  float most[BLOCK], total[BLOCK];
  alignas(64) Operand widened[DEPTH == 1 ? BLOCK : 1][WIDEST];  // the queries, where bf16 is no operand
  const Operand *q[BLOCK];
  bf16 *out[BLOCK];
  long seen[BLOCK];  // number of positions that the row attends to
  long rows;
};

inline Operand *weights(float *scores) { return reinterpret_cast<Operand *>(scores); }

// Compute the scores of the chunk's first `count` positions, a multiple of 32.
void score(Block &block, const Operand *keys, long count, long head_dim) {
  for (long j = 0; j < count; j += WIDE * LANES)
    for (long r = 0; r < block.rows; r += TALL)
      multiply(block.q + r, smaller(TALL, block.rows - r), head_dim / DEPTH, keys + j * head_dim,
               {LANES * DEPTH, LANES * head_dim}, smaller(WIDE, (count - j) / LANES), block.scores[r] + j, CHUNK, false);
}

constexpr float LEAST = -std::numeric_limits<float>::infinity();

// Return the largest of the first `count` scores.
inline float largest(const float *scores, long count) {
  floats even = spread(LEAST), odd = even;
  long j = 0;
  for (; j + 2 * LANES <= count; j += 2 * LANES) {
    even = greater(even, load(scores + j));
    odd = greater(odd, load(scores + j + LANES));
  }
  for (; j < count; j += LANES) even = greater(even, first(count - j, load(scores + j), spread(LEAST)));
  return largest_of(greater(even, odd));
}

// Replace the scores of `left` positions by weights, those of the rest up to `count`, a multiple of 32, by 0, and rescale the sums so
// far to the new maximum.
void weigh(Block &block, long r, long left, long count, float scale, long head_dim) {
  float *scores = block.scores[r];
  const float here = largest(scores, smaller(left, count)) * scale, before = block.most[r], now = here > before ? here : before;
  const float to_base_2 = scale * LOG2_E, shift = -now * LOG2_E;
  floats total = {};
  const auto weight = [&](long j) { return power_of_2(load(scores + j) * to_base_2 + shift); };
  const auto keep = [&](long j, floats low, floats high) {
    total += low + high;
    store_weights(weights(scores) + j, low, high);
  };
  long j = 0;
  for (; j + 2 * LANES <= smaller(left, count); j += 2 * LANES) keep(j, weight(j), weight(j + LANES));
  for (; j < count; j += 2 * LANES)
    keep(j, first(left - j, weight(j), floats{}), first(left - j - LANES, weight(j + LANES), floats{}));
  const float kept = std::exp2((before - now) * LOG2_E);  // 0 for the first chunk
  block.most[r] = now;
  block.total[r] = block.total[r] * kept + sum_of(total);
  if (kept != 1)
    for (long d = 0; d < head_dim; d += LANES) store(block.mixed[r] + d, load(block.mixed[r] + d) * kept);
}

// Add the chunk's weighted values.
void mix(Block &block, const Operand *values, long count, long head_dim) {
  const Operand *rows[BLOCK];
  for (long r = 0; r < block.rows; r++) rows[r] = weights(block.scores[r]);
  for (long d = 0; d < head_dim; d += WIDE * LANES)
    for (long r = 0; r < block.rows; r += TALL)
      multiply(rows + r, smaller(TALL, block.rows - r), count / DEPTH, values + DEPTH * d, {DEPTH * head_dim, DEPTH * LANES},
               smaller(WIDE, (head_dim - d) / LANES), block.mixed[r] + d, WIDEST, true);
}

void write(Block &block, long head_dim) {
  for (long r = 0; r < block.rows; r++)
    for (long d = 0; d < head_dim; d += LANES) store(block.out[r] + d, load(block.mixed[r] + d) * (1 / block.total[r]));
}

// Nothing seen yet; the positions that any row sees.
long begin(Block &block, long head_dim) {
  long most = 0;
  for (long r = 0; r < block.rows; r++) {
    most = larger(most, block.seen[r]);
    block.most[r] = LEAST;
    block.total[r] = 0;
    std::memset(block.mixed[r], 0, head_dim * sizeof(float));
  }
  return most;
}

void attend_block(Block &block, const Operand *keys, const Operand *values, float scale, long head_dim) {
  const long most = begin(block, head_dim);
  for (long start = 0; start < most; start += CHUNK) {
    const long count = padded(smaller(CHUNK, most - start));
    score(block, keys + start * head_dim, count, head_dim);
    for (long r = 0; r < block.rows; r++) weigh(block, r, block.seen[r] - start, count, scale, head_dim);
    mix(block, values + start * head_dim, count, head_dim);
  }
  write(block, head_dim);
}

// The same for at most FEW rows, over keys and values as they are. Missing rows repeat the first.
void attend_few(Block &block, const bf16 *keys, long key_stride, const bf16 *values, long value_stride, float scale, long head_dim) {
  const long most = begin(block, head_dim);
  const Operand *q[FEW], *rows[FEW];
  for (long r = 0; r < FEW; r++) {
    q[r] = block.q[r < block.rows ? r : 0];
    rows[r] = weights(block.scores[r]);
    if (r >= block.rows) std::memset(block.mixed[r], 0, head_dim * sizeof(float));
  }
  for (long start = 0; start < most; start += CHUNK) {
    const long count = smaller(CHUNK, most - start);
    score_few(q, keys + start * key_stride, key_stride, count, head_dim, block.scores[0], CHUNK);
    for (long r = 0; r < FEW; r++)
      if (r < block.rows)
        weigh(block, r, block.seen[r] - start, padded(count), scale, head_dim);
      else
        std::memset(block.scores[r], 0, padded(count) * sizeof(float));
    mix_few(rows, values + start * value_stride, value_stride, count, head_dim, block.mixed[0], WIDEST);
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
  block.rows = smaller(BLOCK, task.to - from);
  for (long r = 0; r < block.rows; r++) {
    const long row = (from + r) / group, head = task.kv_head * group + (from + r) % group;
    const bf16 *q = of.q + task.sequence * of.q_strides.slot + head * of.q_strides.head + row * of.q_strides.row;
    block.q[r] = operand(q, block.widened[DEPTH == 1 ? r : 0], of.head_dim);
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
  auto *keys = reinterpret_cast<Operand *>(memory + Scratch::rounded(sizeof(Block)));
  Operand *values = keys + padded(length) * of.head_dim;
  pack_keys(their_keys, of.k_strides.row, keys, length, of.head_dim);
  pack_values(their_values, of.v_strides.row, values, length, of.head_dim);
  for (long row = task.from; row < task.to; row += BLOCK)
    attend_block(filled(block, of, task, row), keys, values, of.scale, of.head_dim);
}

// A pass of at most so many rows computes each as it would be computed alone, to the bit. So the tokens of a draft can be checked
// together: what is chosen does not depend on it.
constexpr long ALONE = 16;

}  // namespace

void attend(const Attention &of, int threads, Scratch &scratch) {
  if (of.sequences == 0 || of.rows == 0) return;
  long longest = 0;
  for (long s = 0; s < of.sequences; s++) longest = larger(longest, of.lengths[s]);
  const std::size_t each =
      Scratch::rounded(sizeof(Block)) + Scratch::rounded(2 * padded(longest) * of.head_dim * sizeof(Operand));
  std::byte *memory = scratch.take(threads * each);
  // Each task packs its head's keys and values. Where there are more threads than heads, several tasks pack the same head.
  const long group = of.heads / of.kv_heads, pairs = of.sequences * of.kv_heads, rows = of.rows * group;
  const bool alone = of.rows <= ALONE && group <= FEW;
  const long few = smaller((2 * threads + pairs - 1) / pairs, rows / (4 * BLOCK)), parts = alone ? of.rows : larger(1, few);
  share_out(pairs * parts, threads, [&](int worker, long index) {
    const long pair = index / parts, part = index % parts;
    attend_task(of, {pair / of.kv_heads, pair % of.kv_heads, rows * part / parts, rows * (part + 1) / parts},
                memory + worker * each);
  });
}

}  // namespace voxgate::VOXGATE_LEVEL
