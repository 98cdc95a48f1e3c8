#include "int4_product.hpp"

#include <algorithm>

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {
namespace {

inline __m512i line(const std::uint8_t *from) { return _mm512_loadu_si512(from); }

inline __m512i repeated(const std::int8_t *four) {
  std::int32_t bits;
  std::memcpy(&bits, four, sizeof bits);
  return _mm512_set1_epi32(bits);
}

inline __m512 scales(const std::uint8_t *from) { return load(reinterpret_cast<const bf16 *>(from)); }

// Add a group's products, 32 inputs times 32 outputs for ROWS rows, as integers: sum[half h][row m].
template <int ROWS>
inline void group_sums(const std::uint8_t *w, const std::int8_t *q, long q_stride, __m512i (&sum)[2][ROWS]) {
  const __m512i four_bits = _mm512_set1_epi8(15);
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    const __m512i one = line(w + 2 * j * 64), other = line(w + 2 * j * 64 + 64);
    const __m512i low[2] = {_mm512_and_si512(one, four_bits), _mm512_and_si512(other, four_bits)};
    const __m512i high[2] = {_mm512_and_si512(_mm512_srli_epi16(one, 4), four_bits),
                             _mm512_and_si512(_mm512_srli_epi16(other, 4), four_bits)};
#pragma GCC unroll 8
    for (int m = 0; m < ROWS; m++) {
      const std::int8_t *x = q + m * q_stride + 8 * j;
      const __m512i first_four = repeated(x), last_four = repeated(x + 4);
      for (int h = 0; h < 2; h++) sum[h][m] = _mm512_dpbusd_epi32(sum[h][m], low[h], first_four);
      for (int h = 0; h < 2; h++) sum[h][m] = _mm512_dpbusd_epi32(sum[h][m], high[h], last_four);
    }
  }
}

// One panel times ROWS rows. The memory `ahead` bytes after the weights in use is prefetched.
template <int ROWS, class Element>
void tile(const std::uint8_t *panel, long ahead, Groups x, long groups, Element *out, long out_stride, long outputs) {
  __m512 total[2][ROWS];
  for (auto &half : total)
    for (auto &value : half) value = _mm512_setzero_ps();
  for (long g = 0; g < groups; g++) {
    const std::uint8_t *w = panel + g * GROUP_BYTES;
    for (long at = 0; at < GROUP_BYTES; at += 64) _mm_prefetch(reinterpret_cast<const char *>(w + ahead + at), _MM_HINT_T0);
    __m512i sum[2][ROWS];
    for (int m = 0; m < ROWS; m++) sum[0][m] = sum[1][m] = _mm512_set1_epi32(x.offset[m * groups + g]);
    group_sums<ROWS>(w, x.q + g * GROUP, groups * GROUP, sum);
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
      const __m512 scale = scales(w + 512 + 32 * h);
#pragma GCC unroll 8
      for (int m = 0; m < ROWS; m++) {
        const __m512i wide = _mm512_castps_si512(_mm512_cvtepi32_ps(sum[h][m]));
        // A zero becomes 2^-127 or more by this, which is still negligible compared with the other groups.
        const __m512i scaled = _mm512_add_epi32(wide, _mm512_set1_epi32(x.exponent[m * groups + g]));
        total[h][m] = _mm512_fmadd_ps(_mm512_castsi512_ps(scaled), scale, total[h][m]);
      }
    }
  }
  for (int h = 0; h < 2; h++)
    for (int m = 0; m < ROWS; m++)
      store(out + m * out_stride + 16 * h, first(outputs - 16 * h), _mm512_mul_ps(total[h][m], _mm512_set1_ps(x.row[m])));
}

constexpr long TALLEST = 8;  // rows of a tile: their sums fill 16 of the 32 registers; totals are in the first-level cache

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
      case 8: tile<8>(panel, ahead, at, groups, to, out_stride, outputs); break;
      case 7: tile<7>(panel, ahead, at, groups, to, out_stride, outputs); break;
      case 6: tile<6>(panel, ahead, at, groups, to, out_stride, outputs); break;
      case 5: tile<5>(panel, ahead, at, groups, to, out_stride, outputs); break;
      case 4: tile<4>(panel, ahead, at, groups, to, out_stride, outputs); break;
      case 3: tile<3>(panel, ahead, at, groups, to, out_stride, outputs); break;
      case 2: tile<2>(panel, ahead, at, groups, to, out_stride, outputs); break;
      default: tile<1>(panel, ahead, at, groups, to, out_stride, outputs);
    }
  }
}

}  // namespace

template <class Element>
void product(const std::uint8_t *packed, const Element *x, long x_stride, Element *out, long out_stride, long rows, long outputs,
             long inputs, int threads, Scratch &scratch) {
  const long count = groups(inputs), many = rows * count;
  const std::size_t integers = Scratch::rounded(many * sizeof(std::int32_t)), bytes = Scratch::rounded(many * GROUP);
  std::byte *memory = scratch.take(bytes + 2 * integers + rows * sizeof(float));
  const Groups q{reinterpret_cast<std::int8_t *>(memory), reinterpret_cast<std::int32_t *>(memory + bytes),
                 reinterpret_cast<std::int32_t *>(memory + bytes + integers),
                 reinterpret_cast<float *>(memory + bytes + 2 * integers)};
  quantise_groups(x, x_stride, q, rows, inputs, threads);
  // A thread takes several panels at once, contiguous in memory, but so few that no thread waits long for another.
  const long all = panels(outputs), share = std::max(1L, all / (8 * threads));
  share_out((all + share - 1) / share, threads, [&](int, long index) {
    for (long panel = index * share; panel < std::min(all, (index + 1) * share); panel++)
      panel_times(packed + panel * count * GROUP_BYTES, q, count, out + panel * PANEL, out_stride, outputs - panel * PANEL, rows);
  });
}

template void product(const std::uint8_t *, const float *, long, float *, long, long, long, long, int, Scratch &);
template void product(const std::uint8_t *, const bf16 *, long, bf16 *, long, long, long, long, int, Scratch &);

}  // namespace voxgate
