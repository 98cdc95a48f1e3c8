// Softmax attention over keys and values that may lie in a cache.
#pragma once

#include "element.hpp"
#include "scratch.hpp"

namespace voxgate {

// Distances between neighbours, in elements. The last dimension, head_dim, lies side by side.
struct Strides {
  long slot, head, row;
};

struct Attention {
  const bf16 *q;  // [sequences, heads, rows, head_dim]
  Strides q_strides;
  const bf16 *keys, *values;  // [slots, kv_heads, positions, head_dim]
  Strides k_strides, v_strides;
  bf16 *out;            // [sequences, rows, heads, head_dim], contiguous
  const long *slots;    // of each sequence: which of the slots is its own
  const long *lengths;  // of each sequence: how many of its slot's positions count
  long sequences, rows, heads, kv_heads, head_dim;
  bool causal;  // row r sees the first length - rows + 1 + r positions; else every row sees all
  float scale;  // of the products of queries and keys
};

// out = softmax(q · keys * scale) · values, with products of bf16 and sums in float32; weights are rounded to bf16 before they meet
// the values. heads is a multiple of kv_heads, head_dim of 16 and at most 256, and a length at least 1 (causal: at least rows).
void attend(const Attention &of, int threads, Scratch &scratch);

}  // namespace voxgate
