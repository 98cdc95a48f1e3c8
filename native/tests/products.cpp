// Checks of activations in eight bits, packed matrices and their products.
#include <algorithm>
#include <cstdlib>
#include <limits>

#include "material.hpp"

namespace voxgate {
namespace {

template <class Element>
void check_rows(long count, long width, long stride) {
  const auto x = drawn<Element>((count - 1) * stride + width);
  std::vector<std::uint8_t> q(count * width);
  std::vector<float> scale(count);
  level.kernels->quantise_rows(rows_of(x, stride), q.data(), scale.data(), count, width, THREADS);
  bool right = true;
  for (long r = 0; r < count; r++)
    for (long k = 0; k < width; k++)
      right &= std::abs((q[r * width + k] - 128) * scale[r] - number(x[r * stride + k])) <= 0.501f * scale[r];
  expect(right, "rows " + shape({count, width, stride}));
}

float unpacked(const std::vector<std::uint8_t> &packed, long inputs, long n, long k) {
  const std::uint8_t *group = packed.data() + (n / PANEL * groups(inputs) + k / GROUP) * GROUP_BYTES;
  const std::uint8_t byte = group[(k % 32 / 8 * 2 + n % 32 / 16) * 64 + n % 16 * 4 + k % 4];
  bf16 scale;
  std::memcpy(&scale, group + 512 + n % 32 * 2, sizeof scale);
  return ((byte >> (k / 4 % 2 * 4) & 15) - 8) * widened(scale);
}

template <class Element>
std::vector<Element> int4_product(const std::vector<std::uint8_t> &packed, const std::vector<Element> &x, long rows, long outputs,
                                  long inputs) {
  std::vector<Element> out(rows * outputs);
  Scratch scratch;
  level.kernels->int4_product(packed.data(), rows_of(x, inputs), {out.data(), outputs}, rows, outputs, inputs, THREADS, scratch);
  return out;
}

template <class Element>
void check_int4_product(long rows, long outputs, long inputs) {
  const auto w = drawn<Element>(outputs * inputs), x = drawn<Element>(rows * inputs);
  std::vector<std::uint8_t> packed(panels(outputs) * groups(inputs) * GROUP_BYTES);
  level.kernels->pack(rows_of(w, inputs), packed.data(), outputs, inputs, THREADS);
  const auto out = int4_product(packed, x, rows, outputs, inputs);
  Error packing, product_error;
  for (long n = 0; n < outputs; n++)
    for (long k = 0; k < inputs; k++) packing.add(unpacked(packed, inputs, n, k), number(w[n * inputs + k]));
  for (long r = 0; r < rows; r++) {
    for (long n = 0; n < outputs; n++) {
      double sum = 0;
      for (long k = 0; k < inputs; k++) sum += number(x[r * inputs + k]) * unpacked(packed, inputs, n, k);
      product_error.add(number(out[r * outputs + n]), sum);
    }
    const auto alone = int4_product(packed, row_of(x, r, inputs), 1, outputs, inputs);
    expect(same(alone, row_of(out, r, outputs)), "int4 product, a row alone " + shape({rows, outputs, inputs}));
  }
  expect(packing.value() < 0.1, "packing " + shape({outputs, inputs}));
  expect(product_error.value() < 0.02, "int4 product " + shape({rows, outputs, inputs}));
}

// Return the index of a weight in oneDNN's layout. After all weights comes minus the sum of each output's.
long packed_at(long inputs, long n, long k) { return n / 64 * 64 * inputs + k / 4 * 256 + n % 64 * 4 + k % 4; }

struct DrawnInt8 {
  std::vector<std::int8_t> packed;
  std::vector<float> scales, bias;
  long outputs, inputs;
  Int8Matrix matrix() const { return {packed.data(), scales.data(), bias.data(), outputs, inputs}; }
};

// Return a matrix of random weights, or of the largest only.
DrawnInt8 drawn_int8(long outputs, long inputs, bool extreme) {
  const long filled = (outputs + 63) / 64 * 64;
  DrawnInt8 of{std::vector<std::int8_t>(filled * (inputs + 4)), drawn<float>(outputs), drawn<float>(outputs), outputs, inputs};
  std::uniform_int_distribution<int> weight(-127, 127);
  std::vector<std::int32_t> sums(filled);
  for (long n = 0; n < outputs; n++)
    for (long k = 0; k < inputs; k++) {
      const auto w = static_cast<std::int8_t>(extreme ? (n % 2 ? -127 : 127) : weight(chance));
      sums[n] -= of.packed[packed_at(inputs, n, k)] = w;
    }
  std::memcpy(of.packed.data() + filled * inputs, sums.data(), filled * sizeof(std::int32_t));
  return of;
}

template <class Out, class Element>
std::vector<Out> int8_product(const DrawnInt8 &of, const std::vector<Element> &x, bool gelu, long rows) {
  std::vector<Out> out(rows * of.outputs);
  Scratch scratch;
  level.kernels->int8_product(of.matrix(), rows_of(x, of.inputs), gelu, out.data(), sizeof(Out) == 4, rows, THREADS, scratch);
  return out;
}

template <class Element, class Out>
void check_int8_product(long rows, long outputs, long inputs, bool extreme, bool gelu) {
  const DrawnInt8 of = drawn_int8(outputs, inputs, extreme);
  const auto x = extreme ? std::vector<Element>(rows * inputs, drawn<Element>(1)[0]) : drawn<Element>(rows * inputs);
  const auto out = int8_product<Out>(of, x, gelu, rows);
  Error error;
  for (long r = 0; r < rows; r++) {
    for (long n = 0; n < outputs; n++) {
      double sum = 0;
      for (long k = 0; k < inputs; k++) sum += number(x[r * inputs + k]) * of.packed[packed_at(inputs, n, k)];
      const double value = sum * of.scales[n] + of.bias[n];
      error.add(number(out[r * outputs + n]), gelu ? gelu_of(value) : value);
    }
    const auto alone = int8_product<Out>(of, row_of(x, r, inputs), gelu, 1);
    expect(same(alone, row_of(out, r, outputs)), "int8 product, a row alone " + shape({rows, outputs, inputs}));
  }
  expect(error.value() < 0.02, "int8 product " + shape({rows, outputs, inputs, extreme, gelu}));
}

// A row with a number that is not finite becomes NaN, and the other rows have the bits that they have without it.
template <class Element>
void check_not_finite(long width) {
  constexpr long ROWS = 5, BAD = 2, OUTPUTS = 70;
  const float infinity = std::numeric_limits<float>::infinity();
  const auto w = drawn<float>(OUTPUTS * width);
  std::vector<std::uint8_t> packed(panels(OUTPUTS) * groups(width) * GROUP_BYTES);
  level.kernels->pack(rows_of(w, width), packed.data(), OUTPUTS, width, THREADS);
  const DrawnInt8 int8 = drawn_int8(OUTPUTS, width, false);
  const auto x = drawn<Element>(ROWS * width);
  for (float bad : {infinity, -infinity, std::nanf(""), -std::nanf("")})
    for (long places : {1L, width}) {
      auto with_bad = x;
      Element value;
      if constexpr (sizeof(Element) == 2)
        value = {static_cast<std::uint16_t>(std::isnan(bad) ? std::signbit(bad) ? 0xffc0 : 0x7fc0 : narrowed(bad).bits)};
      else
        value = bad;
      std::fill_n(with_bad.begin() + BAD * width + (width - places), places, value);
      const auto check = [&](const auto &out, const auto &without, const char *what) {
        for (long r = 0; r < ROWS; r++) {
          const auto row = row_of(out, r, OUTPUTS);
          const bool right = r == BAD ? std::all_of(row.begin(), row.end(), [](auto each) { return std::isnan(number(each)); })
                                      : same(row, row_of(without, r, OUTPUTS));
          expect(right, std::string(what) + ", a row that is not finite " + shape({width, places, r}));
        }
      };
      check(int4_product(packed, with_bad, ROWS, OUTPUTS, width), int4_product(packed, x, ROWS, OUTPUTS, width), "int4 product");
      for (bool gelu : {false, true})
        check(int8_product<Element>(int8, with_bad, gelu, ROWS), int8_product<Element>(int8, x, gelu, ROWS), "int8 product");
    }
}

}  // namespace

void check_products() {
  for (long width : {1, 15, 16, 17, 33, 100}) {
    check_rows<float>(7, width, width + 3);
    check_rows<bf16>(5, width, width);
  }
  check_rows<float>(1000, 40, 40);
  for (long rows : {1, 2, 3, 4, 5, 6, 7, 8, 13, 29, 200}) {
    check_int4_product<float>(rows, 33, 31);
    check_int4_product<bf16>(rows, 128, 384);
    check_int4_product<bf16>(rows, 5, 97);
    check_int8_product<float, float>(rows, 70, 128, false, false);
    check_int8_product<bf16, bf16>(rows, 128, 64, false, true);
    check_int8_product<float, bf16>(rows, 7, 192, true, false);
    check_int8_product<bf16, float>(rows, 65, 36, false, true);
  }
  for (long width : {4, 36, 128}) {
    check_not_finite<float>(width);
    check_not_finite<bf16>(width);
  }
}

}  // namespace voxgate
