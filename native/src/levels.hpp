// The kernels of one level of the processor's instructions, and the levels that this build has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "attention.hpp"
#include "int4_product.hpp"
#include "int8_product.hpp"
#include "rope.hpp"
#include "rows.hpp"
#include "scratch.hpp"
#include "speech.hpp"

namespace voxgate {

// The functions of the headers that they are called after.
struct Kernels {
  void (*quantise_rows)(const Rows &x, std::uint8_t *q, float *scale, long count, long width, int threads);
  void (*pack)(const Rows &w, std::uint8_t *packed, long outputs, long inputs, int threads);
  void (*int4_product)(const std::uint8_t *packed, const Rows &x, const Output &out, long rows, long outputs, long inputs, int threads,
                       Scratch &scratch);
  void (*int8_product)(const Int8Matrix &matrix, const Rows &x, bool gelu, void *out, bool wide, long rows, int threads,
                       Scratch &scratch);
  void (*attend)(const Attention &of, int threads, Scratch &scratch);
  void (*finish)(const float *product, const float *scale, const float *bias, bool gelu, void *out, bool wide, long count, long width,
                 int threads);
  void (*rms_norm)(const float *x, long stride, const float *weight, float eps, float *out, long count, long width, int threads);
  void (*layer_norm)(float *x, const float *added, const float *weight, const float *bias, float eps, float *out, long count, long width,
                     int threads);
  void (*silu_mul)(const float *gate, const float *up, long stride, float *out, long count, long width, int threads);
  void (*turn)(const Turn &of, int threads);
  void (*hear_speech)(const SpeechNetwork &network, const float *chunks, long count, float *state, float *out, Scratch &scratch);
  double (*int8_operations)(int threads);
  double (*float_operations)(int threads);
  double (*bf16_operations)(int threads);
  double (*read_bytes)(const std::byte *data, std::size_t bytes, int threads);
};

struct Level {
  const char *name;
  const Kernels *kernels;
};

// The levels that the processor and the operating system support, the fastest last. None on an older processor.
const std::vector<Level> &levels();

}  // namespace voxgate
