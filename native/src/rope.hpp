// Rotary position embeddings.
#pragma once

#include "element.hpp"

namespace voxgate {

// The heads of one sequence's rows: channels j and j + half of each head are rotated by the angle of the row and j.
struct Turn {
  const float *x;           // [rows, heads, 2 * half], heads contiguous
  long stride;              // from one row to the next, in elements
  const float *cos, *sin;   // [rows, half]
  bf16 *out;                // [rows, heads, 2 * half], contiguous
  long rows, heads, half;
};

}  // namespace voxgate

#ifdef VOXGATE_LEVEL
namespace voxgate::VOXGATE_LEVEL {

void turn(const Turn &of, int threads);

}  // namespace voxgate::VOXGATE_LEVEL
#endif
