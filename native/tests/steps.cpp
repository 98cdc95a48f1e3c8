// Checks of the steps between products.
#include "material.hpp"

namespace voxgate {
namespace {

template <class Element>
void check_epilogue(long count, long width, bool biased, bool gelu) {
  const auto product = drawn<float>(count * width), scale = drawn<float>(count), bias = drawn<float>(width);
  std::vector<Element> out(count * width);
  level.kernels->finish(product.data(), scale.data(), biased ? bias.data() : nullptr, gelu, out.data(), sizeof(Element) == 4, count,
                        width, THREADS);
  Error error;
  for (long r = 0; r < count; r++)
    for (long k = 0; k < width; k++) {
      const double x = double{product[r * width + k]} * scale[r] + (biased ? bias[k] : 0);
      error.add(number(out[r * width + k]), gelu ? gelu_of(x) : x);
    }
  expect(error.value() < (sizeof(Element) == 2 ? 3e-3 : 1e-6), "epilogue " + shape({count, width, biased, gelu}));
}

void check_norm(long count, long width, long stride) {
  const auto x = drawn<float>((count - 1) * stride + width), weight = drawn<float>(width);
  std::vector<float> out(count * width);
  level.kernels->rms_norm(x.data(), stride, weight.data(), 1e-5f, out.data(), count, width, THREADS);
  Error error;
  for (long r = 0; r < count; r++) {
    double squares = 0;
    for (long k = 0; k < width; k++) squares += double{x[r * stride + k]} * x[r * stride + k];
    for (long k = 0; k < width; k++)
      error.add(out[r * width + k], x[r * stride + k] / std::sqrt(squares / width + 1e-5) * weight[k]);
  }
  expect(error.value() < 1e-6, "norm " + shape({count, width, stride}));
}

void check_layer_norm(long count, long width, bool adds) {
  const auto before = drawn<float>(count * width), added = drawn<float>(count * width), weight = drawn<float>(width);
  const auto bias = drawn<float>(width);
  std::vector<float> x = before, out(count * width);
  level.kernels->layer_norm(x.data(), adds ? added.data() : nullptr, weight.data(), bias.data(), 1e-5f, out.data(), count, width, THREADS);
  Error error, sums;
  for (long r = 0; r < count; r++) {
    const auto value = [&](long k) { return before[r * width + k] + (adds ? added[r * width + k] : 0.0); };
    double mean = 0, squares = 0;
    for (long k = 0; k < width; k++) mean += value(k) / width;
    for (long k = 0; k < width; k++) squares += (value(k) - mean) * (value(k) - mean);
    for (long k = 0; k < width; k++) {
      sums.add(x[r * width + k], value(k));
      error.add(out[r * width + k], (value(k) - mean) / std::sqrt(squares / width + 1e-5) * weight[k] + bias[k]);
    }
  }
  expect(sums.value() < 1e-6 && error.value() < 1e-5, "layer norm " + shape({count, width, adds}));
}

void check_gate(long count, long width) {
  const auto x = drawn<float>(count * 2 * width);
  std::vector<float> out(count * width);
  level.kernels->silu_mul(x.data(), x.data() + width, 2 * width, out.data(), count, width, THREADS);
  Error error;
  for (long r = 0; r < count; r++)
    for (long k = 0; k < width; k++) {
      const double gate = x[r * 2 * width + k];
      error.add(out[r * width + k], gate / (1 + std::exp(-gate)) * x[(r * 2 + 1) * width + k]);
    }
  expect(error.value() < 1e-6, "gate " + shape({count, width}));
}

void check_rope(long rows, long heads, long half) {
  const long width = 2 * half * heads, stride = width + 5;
  const auto x = drawn<float>((rows - 1) * stride + width), cos = drawn<float>(rows * half), sin = drawn<float>(rows * half);
  std::vector<bf16> out(rows * width);
  level.kernels->turn({x.data(), stride, cos.data(), sin.data(), out.data(), rows, heads, half}, THREADS);
  Error error;
  for (long r = 0; r < rows; r++)
    for (long h = 0; h < heads; h++)
      for (long j = 0; j < half; j++) {
        const double a = x[r * stride + 2 * h * half + j], b = x[r * stride + (2 * h + 1) * half + j];
        const double c = cos[r * half + j], s = sin[r * half + j];
        error.add(widened(out[r * width + 2 * h * half + j]), a * c - b * s);
        error.add(widened(out[r * width + (2 * h + 1) * half + j]), b * c + a * s);
      }
  expect(error.value() < 3e-3, "rope " + shape({rows, heads, half}));
}

}  // namespace

void check_steps() {
  for (long width : {1, 15, 16, 33, 100}) {
    for (int which = 0; which < 4; which++) {
      check_epilogue<float>(9, width, which & 1, which & 2);
      check_epilogue<bf16>(9, width, which & 1, which & 2);
    }
    check_norm(9, width, width + 3);
    for (bool adds : {false, true}) check_layer_norm(9, width, adds);
    check_gate(9, width);
    check_rope(9, 3, width);
  }
  check_epilogue<bf16>(1000, 40, true, true);
  check_norm(1000, 40, 40);
  check_layer_norm(1000, 40, true);
  check_gate(1000, 40);
  check_rope(400, 3, 40);
}

}  // namespace voxgate
