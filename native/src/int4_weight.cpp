#include "int4_weight.hpp"

#include <cmath>

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {
namespace {

constexpr long LANES = 16;   // outputs that are packed at once
constexpr int STEPS = 9;     // scales tried on either side of the plain one
constexpr float STEP = 0.1f;  // between their inverses, times the largest weight: the plain scale's is 8

// The weights of 16 outputs in one group, one output in each lane.
struct Block {
  float input[GROUP][LANES];
};

inline float number(float value) { return value; }
inline float number(bf16 value) { return widened(value); }

template <class Element>
Block block_of(const Element *w, long stride, long outputs, long inputs) {
  Block block{};
  for (long n = 0; n < outputs; n++)
    for (long k = 0; k < inputs; k++) block.input[k][n] = number(w[n * stride + k]);
  return block;
}

// Return the weight of largest magnitude in each lane, with its sign. It becomes -8, the integer furthest from 0.
inline __m512 extreme(const Block &block) {
  __m512 most = _mm512_setzero_ps();
  for (const auto &input : block.input) {
    const __m512 w = load(input);
    most = _mm512_mask_mov_ps(most, _mm512_cmp_ps_mask(_mm512_abs_ps(w), _mm512_abs_ps(most), _CMP_GT_OQ), w);
  }
  return most;
}

inline __m512 rounded(__m512 w, __m512 inverse) {
  const __m512 near = _mm512_roundscale_ps(_mm512_mul_ps(w, inverse), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm512_max_ps(_mm512_min_ps(near, _mm512_set1_ps(7)), _mm512_set1_ps(-8));
}

inline __m512 in_bf16(__m512 x) { return widened((__m256i)_mm512_cvtneps_pbh(x)); }

// Return the best scale of each lane, rounded to bf16. For integers q the best scale is (w·q)/(q·q); a scale s reduces the squared
// error by s (2 w·q - s q·q).
inline __m512 best_scale(const Block &block) {
  const __m512 most = extreme(block);
  __m512 best = _mm512_setzero_ps(), gained = _mm512_setzero_ps();
  for (int step = -STEPS; step <= STEPS; step++) {
    const __m512 inverse = _mm512_div_ps(_mm512_set1_ps(-8 - STEP * step), most);
    __m512 wq = _mm512_setzero_ps(), qq = _mm512_setzero_ps();
    for (const auto &input : block.input) {
      const __m512 w = load(input), q = rounded(w, inverse);
      wq = _mm512_fmadd_ps(w, q, wq);
      qq = _mm512_fmadd_ps(q, q, qq);
    }
    const __m512 scale = in_bf16(_mm512_div_ps(wq, qq));
    const __m512 gain = _mm512_mul_ps(scale, _mm512_fnmadd_ps(scale, qq, _mm512_add_ps(wq, wq)));
    const __mmask16 better = _mm512_cmp_ps_mask(gain, gained, _CMP_GT_OQ);  // false for 0 / 0
    best = _mm512_mask_mov_ps(best, better, scale);
    gained = _mm512_mask_mov_ps(gained, better, gain);
  }
  return best;
}

// Pack a block into half h of the group's 576 bytes.
void pack_block(const Block &block, std::uint8_t *group, long h) {
  const __m512 scale = best_scale(block);
  const __mmask16 any = _mm512_cmp_ps_mask(scale, _mm512_setzero_ps(), _CMP_NEQ_OQ);
  const __m512 inverse = _mm512_maskz_div_ps(any, _mm512_set1_ps(1), scale);
  for (long j = 0; j < 4; j++) {
    __m512i line = _mm512_setzero_si512();
    for (unsigned i = 0; i < 8; i++) {
      const __m512i q = _mm512_cvtps_epi32(rounded(load(block.input[8 * j + i]), inverse));
      const __m512i stored = _mm512_add_epi32(q, _mm512_set1_epi32(8));
      line = _mm512_or_si512(line, _mm512_slli_epi32(stored, i % 4 * 8 + i / 4 * 4));
    }
    _mm512_storeu_si512(group + (2 * j + h) * 64, line);
  }
  store(reinterpret_cast<bf16 *>(group + 512 + h * 32), 0xffff, scale);
}

}  // namespace

template <class Element>
void pack(const Element *w, long stride, std::uint8_t *packed, long outputs, long inputs, int threads) {
  share_out(panels(outputs), threads, [&](int, long panel) {
    for (long g = 0; g < groups(inputs); g++)
      for (long h = 0; h < 2; h++) {
        const long n = panel * PANEL + h * LANES, k = g * GROUP;
        const long lanes = std::max(0L, std::min(LANES, outputs - n)), columns = std::min(GROUP, inputs - k);
        const Block block = block_of(lanes ? w + n * stride + k : w, stride, lanes, columns);
        pack_block(block, packed + (panel * groups(inputs) + g) * GROUP_BYTES, h);
      }
  });
}

template void pack(const float *, long, std::uint8_t *, long, long, int);
template void pack(const bf16 *, long, std::uint8_t *, long, long, int);

}  // namespace voxgate
