// The operands of attention's products, in the type that this level multiplies, and the products. Rows of the first are read one
// after the other; the second is packed, so that DEPTH neighbours along the sum lie side by side in each lane.
#pragma once

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

constexpr long padded(long positions) { return (positions + 31) / 32 * 32; }

// So few rows do not pay for packing keys and values: those of one token, where up to four heads of queries share a key.
constexpr long FEW = 4;

// How many positions ahead they are prefetched then: the processor by itself does not follow a cache beyond a page.
constexpr long AHEAD = 16;

}  // namespace
}  // namespace voxgate::VOXGATE_LEVEL

#if defined(__AVX512BF16__)
#include "operands_bf16.hpp"
#else
#include "operands_float.hpp"
#endif

namespace voxgate::VOXGATE_LEVEL {
namespace {

// Distances in the second operand, in elements: from one DEPTH of the sum to the next, and from LANES columns to the next.
struct Steps {
  long depth, column;
};

template <long ROWS, long COLUMNS>
void multiply_tile(const Operand *const *x, long depths, const Operand *y, Steps steps, float *out, long out_stride, bool add) {
  floats sum[ROWS][COLUMNS];
#pragma GCC unroll 6
  for (long r = 0; r < ROWS; r++)
#pragma GCC unroll 4
    for (long c = 0; c < COLUMNS; c++) sum[r][c] = add ? load(out + r * out_stride + LANES * c) : floats{};
  const Operand *row[ROWS];
  for (long r = 0; r < ROWS; r++) row[r] = x[r];
  for (long p = 0; p < depths; p++) {
    Packed column[COLUMNS];
    for (long c = 0; c < COLUMNS; c++) column[c] = packed(y + p * steps.depth + c * steps.column);
#pragma GCC unroll 6
    for (long r = 0; r < ROWS; r++) {
      const Packed value = repeated(row[r] + DEPTH * p);
#pragma GCC unroll 4
      for (long c = 0; c < COLUMNS; c++) sum[r][c] = multiply_add(column[c], value, sum[r][c]);
    }
  }
#pragma GCC unroll 6
  for (long r = 0; r < ROWS; r++)
#pragma GCC unroll 4
    for (long c = 0; c < COLUMNS; c++) store(out + r * out_stride + LANES * c, sum[r][c]);
}

template <long ROWS>
void multiply_rows(const Operand *const *x, long depths, const Operand *y, Steps steps, long columns, float *out, long out_stride,
                   bool add) {
  switch (columns) {
#if VOXGATE_REGISTER != 32
    case 4: return multiply_tile<ROWS, 4>(x, depths, y, steps, out, out_stride, add);
    case 3: return multiply_tile<ROWS, 3>(x, depths, y, steps, out, out_stride, add);
#endif
    case 2: return multiply_tile<ROWS, 2>(x, depths, y, steps, out, out_stride, add);
    default: return multiply_tile<ROWS, 1>(x, depths, y, steps, out, out_stride, add);
  }
}

// out [rows <= TALL, LANES * columns <= LANES * WIDE] = x [rows, DEPTH * depths] · y, or with `add` out += x · y.
inline void multiply(const Operand *const *x, long rows, long depths, const Operand *y, Steps steps, long columns, float *out,
                     long out_stride, bool add) {
  switch (rows) {
    case 6: return multiply_rows<6>(x, depths, y, steps, columns, out, out_stride, add);
    case 5: return multiply_rows<5>(x, depths, y, steps, columns, out, out_stride, add);
    case 4: return multiply_rows<4>(x, depths, y, steps, columns, out, out_stride, add);
    case 3: return multiply_rows<3>(x, depths, y, steps, columns, out, out_stride, add);
    case 2: return multiply_rows<2>(x, depths, y, steps, columns, out, out_stride, add);
    default: return multiply_rows<1>(x, depths, y, steps, columns, out, out_stride, add);
  }
}

}  // namespace
}  // namespace voxgate::VOXGATE_LEVEL
