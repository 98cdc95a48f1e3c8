#include "int8_product.hpp"

#include "bytes.hpp"
#include "functions.hpp"
#include "parallel.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

constexpr long OUTPUTS = 64;  // of a panel
constexpr long VECTORS = OUTPUTS / LANES;
constexpr long AHEAD = 4096;  // bytes: how far ahead weights are prefetched

// A tile is as tall and wide as its sums fit the registers, beside the weights in use.
constexpr long TALLEST = LANES == 16 ? 6 : 4;  // rows
constexpr long widest(long rows) {             // vectors of outputs
  constexpr long SUMS = MANY_REGISTERS ? 16 : 8;
  return LANES == 16 ? VECTORS : SUMS / (rows == 3 ? 4 : rows);
}

constexpr long panels(long outputs) { return (outputs + OUTPUTS - 1) / OUTPUTS; }

struct Quantised {
  const std::uint8_t *q;  // [rows, inputs], 128 means zero
  const float *scale;     // [rows]
};

// Where the results go.
template <class Element>
struct Results {
  Element *data;
  bool gelu;
};

// Some vectors of a panel's outputs, from `first_output` of all on, times ROWS rows. `cold`: the panel is read from memory, not from
// a cache.
template <long ROWS, long COLUMNS, class Element>
void multiply_tile(const Int8Matrix &matrix, long first_output, Quantised rows, Results<Element> out, bool cold) {
  const long panel = first_output / OUTPUTS, ahead = cold ? AHEAD : 0;
  const std::int8_t *w = matrix.packed + panel * OUTPUTS * matrix.inputs + 4 * (first_output - panel * OUTPUTS);
  const std::int8_t *sums = matrix.packed + panels(matrix.outputs) * OUTPUTS * matrix.inputs;
  ints sum[ROWS][COLUMNS];
#pragma GCC unroll 16
  for (long c = 0; c < COLUMNS; c++) {
    // Each sum starts from minus the part that the inputs' zero point adds.
    const ints zero = loaded<ints>(sums + 4 * (first_output + LANES * c)) * ZERO;
#pragma GCC unroll 6
    for (long m = 0; m < ROWS; m++) sum[m][c] = zero;
  }
  for (long k = 0; k < matrix.inputs; k += 4, w += 4 * OUTPUTS) {
    ints column[COLUMNS];
#pragma GCC unroll 16
    for (long c = 0; c < COLUMNS; c++) {
      column[c] = loaded<ints>(w + 4 * LANES * c);
      if (c * LANES % 16 == 0) prefetch(w + ahead + 4 * LANES * c);
    }
#pragma GCC unroll 6
    for (long m = 0; m < ROWS; m++) {
      const Inputs x(rows.q + m * matrix.inputs + k);
#pragma GCC unroll 16
      for (long c = 0; c < COLUMNS; c++) sum[m][c] = x.times(column[c], sum[m][c]);
    }
  }
  for (long c = 0; c < COLUMNS; c++) {
    const long output = first_output + LANES * c, left = matrix.outputs - output;
    if (left <= 0) return;
    const floats scale = load(matrix.scales + output, left), bias = matrix.bias ? load(matrix.bias + output, left) : floats{};
    for (long m = 0; m < ROWS; m++) {
      const floats value = in_float(sum[m][c]) * scale * rows.scale[m] + bias;
      store(out.data + m * matrix.outputs + output, left, out.gelu ? gelu(value) : value);
    }
  }
}

template <long ROWS, class Element>
void multiply_rows(const Int8Matrix &matrix, long panel, Quantised rows, Results<Element> out, bool cold) {
  constexpr long COLUMNS = widest(ROWS);
  for (long output = panel * OUTPUTS; output < (panel + 1) * OUTPUTS; output += COLUMNS * LANES)
    multiply_tile<ROWS, COLUMNS>(matrix, output, rows, out, cold);
}

template <class Element>
void panel_times(const Int8Matrix &matrix, long panel, Quantised rows, Results<Element> out, long count) {
  const long tiles = (count + TALLEST - 1) / TALLEST;  // of nearly equal heights
  for (long t = 0; t < tiles; t++) {
    const long m = count * t / tiles, height = count * (t + 1) / tiles - m;
    const Quantised at{rows.q + m * matrix.inputs, rows.scale + m};
    const Results<Element> to{out.data + m * matrix.outputs, out.gelu};
    switch (height) {
#if VOXGATE_REGISTER == 64
      case 6: multiply_rows<6>(matrix, panel, at, to, t == 0); break;
      case 5: multiply_rows<5>(matrix, panel, at, to, t == 0); break;
#endif
      case 4: multiply_rows<4>(matrix, panel, at, to, t == 0); break;
      case 3: multiply_rows<3>(matrix, panel, at, to, t == 0); break;
      case 2: multiply_rows<2>(matrix, panel, at, to, t == 0); break;
      default: multiply_rows<1>(matrix, panel, at, to, t == 0);
    }
  }
}

}  // namespace

void int8_product(const Int8Matrix &matrix, const Rows &x, bool gelu, void *out, bool wide, long rows, int threads, Scratch &scratch) {
  const std::size_t bytes = Scratch::rounded(rows * matrix.inputs);
  std::byte *memory = scratch.take(bytes + rows * sizeof(float));
  auto *q = reinterpret_cast<std::uint8_t *>(memory);
  auto *scale = reinterpret_cast<float *>(memory + bytes);
  quantise_rows(x, q, scale, rows, matrix.inputs, threads);
  share_panels(panels(matrix.outputs), rows, threads, [&](long panel, long first, long last) {
    const Quantised from{q + first * matrix.inputs, scale + first};
    const long at = first * matrix.outputs;
    if (wide)
      panel_times(matrix, panel, from, Results<float>{static_cast<float *>(out) + at, gelu}, last - first);
    else
      panel_times(matrix, panel, from, Results<bf16>{static_cast<bf16 *>(out) + at, gelu}, last - first);
  });
}

}  // namespace voxgate::VOXGATE_LEVEL
