#include "int4_weight.hpp"

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

constexpr int STEPS = 9;     // scales tried on either side of the plain one
constexpr float STEP = 0.1f;  // between their inverses, times the largest weight: the plain scale's is 8

// The weights of as many outputs as there are lanes, in one group.
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
inline floats extreme(const Block &block) {
  floats most = {};
  for (const auto &input : block.input) {
    const floats w = load(input), size = w < 0.f ? -w : w, largest = most < 0.f ? -most : most;
    most = size > largest ? w : most;
  }
  return most;
}

inline ints stored(floats w, floats inverse) {
  const floats near = lesser(greater(w * inverse, spread(-8.f)), spread(7.f));
  return rounded(near);
}

// Return the best scale of each lane, rounded to bf16. For integers q the best scale is (w·q)/(q·q); a scale s reduces the squared
// error by s (2 w·q - s q·q).
inline floats best_scale(const Block &block) {
  const floats most = extreme(block);
  floats best = {}, gained = {};
  for (int step = -STEPS; step <= STEPS; step++) {
    const floats inverse = (-8 - STEP * step) / most;
    floats wq = {}, qq = {};
    for (const auto &input : block.input) {
      const floats w = load(input), q = in_float(stored(w, inverse));
      wq = w * q + wq;
      qq = q * q + qq;
    }
    const floats scale = widened(narrowed(wq / qq)), gain = scale * (wq + wq - scale * qq);
    const ints better = gain > gained;  // false for 0 / 0
    best = better ? scale : best;
    gained = better ? gain : gained;
  }
  return best;
}

// Pack a block of the outputs from `output` on, below 32, into their places of the group's 576 bytes.
void pack_block(const Block &block, std::uint8_t *group, long output) {
  const floats scale = best_scale(block);
  const floats inverse = scale != 0.f ? 1.f / scale : floats{};
  for (long j = 0; j < 4; j++) {
    ints line = {};
    for (int i = 0; i < 8; i++) line |= (stored(load(block.input[8 * j + i]), inverse) + 8) << (i % 4 * 8 + i / 4 * 4);
    put(group + place(j, output), line);
  }
  put(group + scales_place(output), narrowed(scale));
}

}  // namespace

void pack(const Rows &w, std::uint8_t *packed, long outputs, long inputs, int threads) {
  const auto pack_panel = [&](const auto *from, long panel) {
    for (long g = 0; g < groups(inputs); g++)
      for (long output = 0; output < PANEL; output += LANES) {
        const long n = panel * PANEL + output, k = g * GROUP, left = outputs - n, lanes = left < 0 ? 0 : left < LANES ? left : LANES;
        const Block block = block_of(lanes ? from + n * w.stride + k : from, w.stride, lanes, inputs - k < GROUP ? inputs - k : GROUP);
        pack_block(block, packed + (panel * groups(inputs) + g) * GROUP_BYTES, output);
      }
  };
  share_out(panels(outputs), threads, [&](int, long panel) {
    w.wide ? pack_panel(static_cast<const float *>(w.data), panel) : pack_panel(static_cast<const bf16 *>(w.data), panel);
  });
}

}  // namespace voxgate::VOXGATE_LEVEL
