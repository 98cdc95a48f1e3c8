// Softmax attention over keys and values that may be in a KV cache.
#pragma once

#include "element.hpp"
#include "scratch.hpp"

namespace voxgate {

// Distances between neighbours, in elements. The last dimension, head_dim, is contiguous.
struct Strides {
  long slot, head, row;
};

struct Attention {
  const bf16 *q;  // [sequences, heads, rows, head_dim]
  Strides q_strides;
  const bf16 *keys, *values;  // [slots, kv_heads, positions, head_dim]
  Strides k_strides, v_strides;
  bf16 *out;            // [sequences, rows, heads, head_dim], contiguous
  const long *slots;    // the slot of each sequence
  const long *lengths;  // the number of valid positions in each sequence's slot
  long sequences, rows, heads, kv_heads, head_dim;
  bool causal;  // row r attends to the first length - rows + 1 + r positions; otherwise every row to all
  float scale;  // factor of the products of queries and keys
};

}  // namespace voxgate

#ifdef VOXGATE_LEVEL
namespace voxgate::VOXGATE_LEVEL {

// out = softmax(q · keys * scale) · values, with sums in float32. Where the level multiplies bf16, weights are rounded to it before
// they are multiplied by the values. heads is a multiple of kv_heads, head_dim of 16 and at most 256, and a length at least 1
// (causal: at least rows).
void attend(const Attention &of, int threads, Scratch &scratch);

}  // namespace voxgate::VOXGATE_LEVEL
#endif
