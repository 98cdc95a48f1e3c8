#include "int4_product.hpp"

#include "bytes.hpp"
#include "parallel.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

// A tile is as tall as its sums and totals fit the registers, beside the weights in use.
constexpr long VECTORS = PANEL / LANES;
constexpr long TALLEST = LANES == 16 ? 5 : 4;  // rows
constexpr long widest(long rows) {             // vectors of outputs
  constexpr long MOST = VECTORS < 4 ? VECTORS : 4;
  return MANY_REGISTERS || rows <= 2 ? MOST : 2;
}

// Add a group's products, 32 inputs times so many vectors of outputs for ROWS rows, as integers.
template <long ROWS, long COLUMNS>
inline void add_group(const std::uint8_t *group, long output, const std::int8_t *q, long q_stride, GroupSum (&sum)[COLUMNS][ROWS]) {
  const ints four_bits = spread(0x0f0f0f0f);
#pragma GCC unroll 4
  for (long j = 0; j < 4; j++) {
    ints low[COLUMNS], high[COLUMNS];
#pragma GCC unroll 4
    for (long c = 0; c < COLUMNS; c++) {
      const ints both = loaded<ints>(group + place(j, output + c * LANES));
      low[c] = both & four_bits;
      high[c] = (both >> 4) & four_bits;
    }
#pragma GCC unroll 5
    for (long m = 0; m < ROWS; m++) {
      const std::int8_t *x = q + m * q_stride + 8 * j;
      const ints first_four = repeated(x), last_four = repeated(x + 4);
#pragma GCC unroll 4
      for (long c = 0; c < COLUMNS; c++) sum[c][m].add(low[c], first_four);
#pragma GCC unroll 4
      for (long c = 0; c < COLUMNS; c++) sum[c][m].add(high[c], last_four);
    }
  }
}

// Some vectors of a panel's outputs, from `output` on, times ROWS rows. The memory `ahead` bytes after the weights in use is
// prefetched.
template <long ROWS, long COLUMNS, class Element>
void multiply_tile(const std::uint8_t *panel, long output, long ahead, Groups x, long groups, Element *out, long out_stride,
                   long outputs) {
  floats total[COLUMNS][ROWS] = {};
  for (long g = 0; g < groups; g++) {
    const std::uint8_t *group = panel + g * GROUP_BYTES;
    if (output == 0)
      for (long at = 0; at < GROUP_BYTES; at += 64) prefetch(group + ahead + at);
    GroupSum sum[COLUMNS][ROWS];
#pragma GCC unroll 5
    for (long m = 0; m < ROWS; m++)
#pragma GCC unroll 4
      for (long c = 0; c < COLUMNS; c++) sum[c][m].begin(x.offset[m * groups + g]);
    add_group<ROWS, COLUMNS>(group, output, x.q + g * GROUP, groups * GROUP, sum);
#pragma GCC unroll 4
    for (long c = 0; c < COLUMNS; c++) {
      const floats scale = load(reinterpret_cast<const bf16 *>(group + scales_place(output + c * LANES)));
#pragma GCC unroll 5
      for (long m = 0; m < ROWS; m++) {
        const floats wide = in_float(sum[c][m].total());
        // A zero becomes 2^-127 or more by this, which is still negligible compared with the other groups.
        const floats scaled = (floats)((ints)wide + x.exponent[m * groups + g]);
        total[c][m] = scaled * scale + total[c][m];
      }
    }
  }
  for (long c = 0; c < COLUMNS; c++)
    for (long m = 0; m < ROWS; m++) {
      const long n = output + c * LANES;
      store(out + m * out_stride + n, outputs - n, total[c][m] * x.row[m]);
    }
}

template <long ROWS, class Element>
void multiply_rows(const std::uint8_t *panel, long ahead, Groups x, long groups, Element *out, long out_stride, long outputs) {
  constexpr long COLUMNS = widest(ROWS);
  for (long output = 0; output < PANEL; output += COLUMNS * LANES)
    multiply_tile<ROWS, COLUMNS>(panel, output, ahead, x, groups, out, out_stride, outputs);
}

template <class Element>
void panel_times(const std::uint8_t *panel, Groups x, long groups, Element *out, long out_stride, long outputs, long rows) {
  const long tiles = (rows + TALLEST - 1) / TALLEST;  // of nearly equal heights, since each tile unpacks all weights
  for (long t = 0; t < tiles; t++) {
    const long m = rows * t / tiles, height = rows * (t + 1) / tiles - m;
    // The first tile reads the panel from memory; during the last one the next panel is prefetched.
    const long ahead = t == 0 ? 4 * GROUP_BYTES : t == tiles - 1 ? groups * GROUP_BYTES : 0;
    const Groups at{x.q + m * groups * GROUP, x.exponent + m * groups, x.offset + m * groups, x.row + m};
    Element *to = out + m * out_stride;
    switch (height) {
#if VOXGATE_REGISTER == 64
      case 5: multiply_rows<5>(panel, ahead, at, groups, to, out_stride, outputs); break;
#endif
      case 4: multiply_rows<4>(panel, ahead, at, groups, to, out_stride, outputs); break;
      case 3: multiply_rows<3>(panel, ahead, at, groups, to, out_stride, outputs); break;
      case 2: multiply_rows<2>(panel, ahead, at, groups, to, out_stride, outputs); break;
      default: multiply_rows<1>(panel, ahead, at, groups, to, out_stride, outputs);
    }
  }
}

}  // namespace

void int4_product(const std::uint8_t *packed, const Rows &x, const Output &out, long rows, long outputs, long inputs, int threads,
                  Scratch &scratch) {
  const long count = groups(inputs), many = rows * count;
  const std::size_t integers = Scratch::rounded(many * sizeof(std::int32_t)), bytes = Scratch::rounded(many * GROUP);
  std::byte *memory = scratch.take(bytes + 2 * integers + rows * sizeof(float));
  const Groups q{reinterpret_cast<std::int8_t *>(memory), reinterpret_cast<std::int32_t *>(memory + bytes),
                 reinterpret_cast<std::int32_t *>(memory + bytes + integers),
                 reinterpret_cast<float *>(memory + bytes + 2 * integers)};
  quantise_groups(x, q, rows, inputs, threads);
  share_panels(panels(outputs), rows, threads, [&](long panel, long first, long last) {
    const std::uint8_t *w = packed + panel * count * GROUP_BYTES;
    const Groups from{q.q + first * count * GROUP, q.exponent + first * count, q.offset + first * count, q.row + first};
    const long n = panel * PANEL, at = first * out.stride + n;
    if (x.wide)
      panel_times(w, from, count, static_cast<float *>(out.data) + at, out.stride, outputs - n, last - first);
    else
      panel_times(w, from, count, static_cast<bf16 *>(out.data) + at, out.stride, outputs - n, last - first);
  });
}

}  // namespace voxgate::VOXGATE_LEVEL
