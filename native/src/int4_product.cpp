#include "int4_product.hpp"

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {
namespace {

constexpr long AHEAD = 4 * GROUP_BYTES;  // how far ahead of the weights in use memory is asked for more

inline __m512i line(const std::uint8_t *from) { return _mm512_loadu_si512(from); }

inline __m512i repeated(const std::int8_t *four) {
  std::int32_t bits;
  std::memcpy(&bits, four, sizeof bits);
  return _mm512_set1_epi32(bits);
}

inline __m512 scales(const std::uint8_t *from) { return load(reinterpret_cast<const bf16 *>(from)); }

// A group's 32 inputs times 32 outputs for so many rows, as integers: sum[h][m].
template <int ROWS>
inline void group_sums(const std::uint8_t *w, const std::int8_t *q, long q_stride, __m512i (&sum)[2][ROWS]) {
  const __m512i four_bits = _mm512_set1_epi8(15);
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++)
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
      const __m512i both = line(w + (2 * j + h) * 64);
      const __m512i low = _mm512_and_si512(both, four_bits), high = _mm512_and_si512(_mm512_srli_epi16(both, 4), four_bits);
#pragma GCC unroll 8
      for (int m = 0; m < ROWS; m++) {
        const std::int8_t *x = q + m * q_stride + 8 * j;
        sum[h][m] = _mm512_dpbusd_epi32(sum[h][m], low, repeated(x));
        sum[h][m] = _mm512_dpbusd_epi32(sum[h][m], high, repeated(x + 4));
      }
    }
}

// One panel times so many rows.
template <int ROWS, bool FROM_MEMORY, class Element>
void tile(const std::uint8_t *panel, Groups x, long groups, Element *out, long out_stride, long outputs) {
  __m512 total[2][ROWS];
  for (auto &half : total)
    for (auto &value : half) value = _mm512_setzero_ps();
  for (long g = 0; g < groups; g++) {
    const std::uint8_t *w = panel + g * GROUP_BYTES;
    if (FROM_MEMORY)
      for (long at = 0; at < GROUP_BYTES; at += 64) _mm_prefetch(reinterpret_cast<const char *>(w + AHEAD + at), _MM_HINT_T0);
    __m512i sum[2][ROWS];
    for (int m = 0; m < ROWS; m++) sum[0][m] = sum[1][m] = _mm512_set1_epi32(x.offset[m * groups + g]);
    group_sums<ROWS>(w, x.q + g * GROUP, groups * GROUP, sum);
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
      const __m512 scale = scales(w + 512 + 32 * h);
#pragma GCC unroll 8
      for (int m = 0; m < ROWS; m++) {
        const __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(x.scale[m * groups + g]));
        total[h][m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[h][m]), both, total[h][m]);
      }
    }
  }
  for (int h = 0; h < 2; h++)
    for (int m = 0; m < ROWS; m++) store(out + m * out_stride + 16 * h, first(outputs - 16 * h), total[h][m]);
}

constexpr long TALLEST = 6;  // rows of a tile: sums and totals of 6 fill 24 of the 32 registers

template <class Element>
void panel_times(const std::uint8_t *panel, Groups x, long groups, Element *out, long out_stride, long outputs, long rows) {
  for (long m = 0; m < rows; m += TALLEST) {
    const Groups at{x.q + m * groups * GROUP, x.scale + m * groups, x.offset + m * groups};
    Element *to = out + m * out_stride;
    const auto run = m == 0 ? 1 : 0;
    switch (std::min(TALLEST, rows - m)) {
#define TILE(n)                                                                     \
  case n:                                                                           \
    run ? tile<n, true>(panel, at, groups, to, out_stride, outputs)                 \
        : tile<n, false>(panel, at, groups, to, out_stride, outputs);               \
    break;
      TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#undef TILE
    }
  }
}

}  // namespace

template <class Element>
void product(const std::uint8_t *packed, const Element *x, long x_stride, Element *out, long out_stride, long rows, long outputs,
             long inputs, int threads, Scratch &scratch) {
  const long count = groups(inputs), many = rows * count;
  std::byte *memory = scratch.take(Scratch::rounded(many * GROUP) + 2 * Scratch::rounded(many * 4));
  const Groups q{reinterpret_cast<std::int8_t *>(memory),
                 reinterpret_cast<float *>(memory + Scratch::rounded(many * GROUP)),
                 reinterpret_cast<std::int32_t *>(memory + Scratch::rounded(many * GROUP) + Scratch::rounded(many * 4))};
  quantise_groups(x, x_stride, q, rows, inputs, threads);
  share_out(panels(outputs), threads, [&](int, long panel) {
    panel_times(packed + panel * count * GROUP_BYTES, q, count, out + panel * PANEL, out_stride, outputs - panel * PANEL, rows);
  });
}

template void product(const std::uint8_t *, const float *, long, float *, long, long, long, long, int, Scratch &);
template void product(const std::uint8_t *, const bf16 *, long, bf16 *, long, long, long, long, int, Scratch &);

}  // namespace voxgate
