#include "int8_product.hpp"

#include <algorithm>

#include "parallel.hpp"
#include "rows.hpp"
#include "vector.hpp"

namespace voxgate {
namespace {

constexpr long PANEL = 64;    // outputs
constexpr long TALLEST = 6;   // rows of a tile: their sums fill 24 of the 32 registers
constexpr long AHEAD = 4096;  // bytes: how far ahead weights are prefetched

constexpr long panels(long outputs) { return (outputs + PANEL - 1) / PANEL; }

struct Rows {
  const std::uint8_t *q;  // [rows, inputs], 128 means zero
  const float *scale;     // [rows]
};

inline __m512i repeated(const std::uint8_t *four) {
  std::int32_t bits;
  std::memcpy(&bits, four, sizeof bits);
  return _mm512_set1_epi32(bits);
}

// One panel times ROWS rows. `cold`: the panel is read from memory, not from a cache.
template <int ROWS>
void tile(const Int8Matrix &matrix, long panel, Rows rows, float *out, bool cold) {
  const long output = panel * PANEL, ahead = cold ? AHEAD : 0;
  const std::int8_t *w = matrix.packed + output * matrix.inputs;
  const auto *sums = reinterpret_cast<const std::int32_t *>(matrix.packed + panels(matrix.outputs) * PANEL * matrix.inputs);
  __m512i sum[ROWS][4];
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) {
    // Each sum starts from minus the part that the inputs' zero point of 128 adds.
    const __m512i zero = _mm512_slli_epi32(_mm512_loadu_si512(sums + output + 16 * c), 7);
#pragma GCC unroll 6
    for (int m = 0; m < ROWS; m++) sum[m][c] = zero;
  }
  for (long k = 0; k < matrix.inputs; k += 4, w += 4 * PANEL) {
    __m512i column[4];
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
      column[c] = _mm512_loadu_si512(w + 64 * c);
      _mm_prefetch(reinterpret_cast<const char *>(w + ahead + 64 * c), _MM_HINT_T0);
    }
#pragma GCC unroll 6
    for (int m = 0; m < ROWS; m++) {
      const __m512i x = repeated(rows.q + m * matrix.inputs + k);
#pragma GCC unroll 4
      for (int c = 0; c < 4; c++) sum[m][c] = _mm512_dpbusd_epi32(sum[m][c], x, column[c]);
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) {
    const __mmask16 mask = first(matrix.outputs - output - 16 * c);
    const __m512 scale = load(matrix.scales + output + 16 * c, mask);
    const __m512 bias = matrix.bias ? load(matrix.bias + output + 16 * c, mask) : _mm512_setzero_ps();
#pragma GCC unroll 6
    for (int m = 0; m < ROWS; m++) {
      const __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[m][c]), scale);
      store(out + m * matrix.outputs + output + 16 * c, mask, _mm512_fmadd_ps(value, _mm512_set1_ps(rows.scale[m]), bias));
    }
  }
}

void panel_times(const Int8Matrix &matrix, long panel, Rows rows, float *out, long count) {
  const long tiles = (count + TALLEST - 1) / TALLEST;  // of nearly equal heights
  for (long t = 0; t < tiles; t++) {
    const long m = count * t / tiles, height = count * (t + 1) / tiles - m;
    const Rows at{rows.q + m * matrix.inputs, rows.scale + m};
    float *to = out + m * matrix.outputs;
    switch (height) {
      case 6: tile<6>(matrix, panel, at, to, t == 0); break;
      case 5: tile<5>(matrix, panel, at, to, t == 0); break;
      case 4: tile<4>(matrix, panel, at, to, t == 0); break;
      case 3: tile<3>(matrix, panel, at, to, t == 0); break;
      case 2: tile<2>(matrix, panel, at, to, t == 0); break;
      default: tile<1>(matrix, panel, at, to, t == 0);
    }
  }
}

}  // namespace

template <class Element>
void product(const Int8Matrix &matrix, const Element *x, long stride, float *out, long rows, int threads, Scratch &scratch) {
  const std::size_t bytes = Scratch::rounded(rows * matrix.inputs);
  std::byte *memory = scratch.take(bytes + rows * sizeof(float));
  auto *q = reinterpret_cast<std::uint8_t *>(memory);
  auto *scale = reinterpret_cast<float *>(memory + bytes);
  quantise_rows(x, stride, q, scale, rows, matrix.inputs, threads);
  // A thread takes several panels at once, contiguous in memory, but so few that no thread waits long for another.
  const long all = panels(matrix.outputs), share = std::max(1L, all / (8 * threads));
  share_out((all + share - 1) / share, threads, [&](int, long index) {
    for (long panel = index * share; panel < std::min(all, (index + 1) * share); panel++)
      panel_times(matrix, panel, {q, scale}, out, rows);
  });
}

template void product(const Int8Matrix &, const float *, long, float *, long, int, Scratch &);
template void product(const Int8Matrix &, const bf16 *, long, float *, long, int, Scratch &);

}  // namespace voxgate
