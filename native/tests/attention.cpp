// Checks of attention.
#include <algorithm>

#include "material.hpp"

namespace voxgate {
namespace {

// Return one row of attention, computed by its definition.
std::vector<double> attended(const Attention &of, long s, long head, long row) {
  const long shared = head / (of.heads / of.kv_heads), slot = of.slots[s];
  const bf16 *q = of.q + s * of.q_strides.slot + head * of.q_strides.head + row * of.q_strides.row;
  const bf16 *keys = of.keys + slot * of.k_strides.slot + shared * of.k_strides.head;
  const bf16 *values = of.values + slot * of.v_strides.slot + shared * of.v_strides.head;
  double total = 0;
  std::vector<double> mixed(of.head_dim);
  for (long j = 0; j < (of.causal ? of.lengths[s] - of.rows + 1 + row : of.lengths[s]); j++) {
    double score = 0;
    for (long d = 0; d < of.head_dim; d++) score += widened(q[d]) * widened(keys[j * of.k_strides.row + d]);
    const double weight = std::exp(score * of.scale);
    total += weight;
    for (long d = 0; d < of.head_dim; d++) mixed[d] += weight * widened(values[j * of.v_strides.row + d]);
  }
  for (double &value : mixed) value /= total;
  return mixed;
}

void check_shape(long rows, long heads, long kv_heads, long head_dim, std::vector<long> lengths, bool causal,
                 int threads = THREADS) {
  const long sequences = static_cast<long>(lengths.size()), positions = *std::max_element(lengths.begin(), lengths.end());
  std::vector<long> slots;  // in reverse order
  for (long s = 0; s < sequences; s++) slots.push_back(sequences - 1 - s);
  const auto q = drawn<bf16>(sequences * heads * rows * head_dim), keys = drawn<bf16>(sequences * kv_heads * positions * head_dim),
             values = drawn<bf16>(sequences * kv_heads * positions * head_dim);
  std::vector<bf16> out(q.size());
  const Strides cache{kv_heads * positions * head_dim, positions * head_dim, head_dim};
  const Attention of{q.data(), {heads * rows * head_dim, rows * head_dim, head_dim}, keys.data(), values.data(), cache, cache,
                     out.data(), slots.data(), lengths.data(), sequences, rows, heads, kv_heads, head_dim, causal,
                     1 / std::sqrt(static_cast<float>(head_dim))};
  Scratch scratch;
  level.kernels->attend(of, threads, scratch);
  Error error;
  for (long s = 0; s < sequences; s++)
    for (long row = 0; row < rows; row++)
      for (long head = 0; head < heads; head++) {
        const std::vector<double> expected = attended(of, s, head, row);
        for (long d = 0; d < head_dim; d++)
          error.add(widened(out[((s * rows + row) * heads + head) * head_dim + d]), expected[d]);
      }
  expect(error.value() < 0.01, "attention " + shape({sequences, heads, rows, positions, head_dim}));
  if (rows > 16 || heads / kv_heads > 4 || !causal) return;
  // Each row as in a call of its own.
  std::vector<bf16> alone(sequences * heads * head_dim);
  for (long row = 0; row < rows; row++) {
    std::vector<long> seen;
    for (long length : lengths) seen.push_back(length - rows + 1 + row);
    Attention one = of;
    one.q = q.data() + row * head_dim;
    one.lengths = seen.data();
    one.rows = 1;
    one.out = alone.data();
    level.kernels->attend(one, THREADS, scratch);
    for (long s = 0; s < sequences; s++)
      expect(std::memcmp(alone.data() + s * heads * head_dim, out.data() + (s * rows + row) * heads * head_dim,
                         heads * head_dim * sizeof(bf16)) == 0,
             "attention, a row alone " + shape({sequences, heads, rows, positions, head_dim}));
  }
}

}  // namespace

void check_attention() {
  check_shape(37, 4, 4, 64, {37, 37}, false);
  check_shape(29, 6, 2, 48, {53, 29, 40}, true);
  check_shape(1, 8, 2, 128, {1, 600, 33, 17}, false);
  check_shape(1, 6, 2, 48, {35, 1}, true);
  check_shape(1, 2, 2, 16, {514}, true);
  check_shape(1, 4, 1, 208, {31}, true);
  check_shape(3, 4, 1, 16, {1100}, true);
  check_shape(16, 8, 2, 128, {700, 16}, true);
  check_shape(7, 6, 2, 48, {33, 520, 64}, true);
  check_shape(300, 1, 1, 256, {513}, false);
  for (long head_dim = 16; head_dim <= 256; head_dim += 16) {
    check_shape(2, 4, 2, head_dim, {35, 3}, true);
    check_shape(13, 2, 2, head_dim, {33}, false);
  }
  for (long group : {3, 5, 8, 13, 24}) {  // queries that share a key
    check_shape(1, 2 * group, 2, 64, {1, 70}, true);
    check_shape(5, group, 1, 48, {600}, true);
  }
  check_shape(1, 2, 1, 64, {5}, true, MANY_THREADS);
  check_shape(70, 1, 1, 32, {70}, true, MANY_THREADS);
}

}  // namespace voxgate
