// Compares the kernels with plain loops on odd shapes, at each level that the processor has, or at those of the command line. Each
// array is exactly as large as needed, so that the sanitizers see overruns.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "levels.hpp"
#include "threads.hpp"

extern "C" voxgate::Parallel GOMP_parallel;

using namespace voxgate;

namespace {

constexpr int THREADS = 3, MANY_THREADS = 40;  // the second: more than most of these shapes have work for

std::mt19937 chance(7);
int failures = 0;
Level level;  // the one that is checked

void expect(bool right, const std::string &what) {
  if (right) return;
  std::printf("%s wrong: %s\n", level.name, what.c_str());
  failures++;
}

float number(float value) { return value; }
float number(bf16 value) { return widened(value); }

template <class Element>
std::vector<Element> drawn(long count) {
  std::normal_distribution<float> normal;
  std::vector<Element> values(count);
  for (Element &value : values)
    if constexpr (sizeof(Element) == 2)
      value = narrowed(normal(chance));
    else
      value = normal(chance);
  return values;
}

// The relative error of all numbers together.
struct Error {
  double difference = 0, size = 0;
  void add(double ours, double expected) {
    difference += (ours - expected) * (ours - expected);
    size += expected * expected;
  }
  double value() const { return std::sqrt(difference / size); }
};

std::string shape(std::initializer_list<long> sizes) {
  std::string text;
  for (long size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

template <class Element>
Rows rows_of(const std::vector<Element> &x, long stride) {
  return {x.data(), sizeof(Element) == 4, stride};
}

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
std::vector<Element> row_of(const std::vector<Element> &x, long row, long width) {
  return {x.begin() + row * width, x.begin() + (row + 1) * width};
}

template <class Element>
bool same(const std::vector<Element> &a, const std::vector<Element> &b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(Element)) == 0;
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

double gelu_of(double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0)); }

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

// Return one row of attention, computed by its definition.
std::vector<double> attended(const Attention &of, long s, long head, long row) {
  const long shared = head / (of.heads / of.kv_heads), slot = of.slots[s];
  const bf16 *q = of.q + s * of.q_strides.slot + head * of.q_strides.head + row * of.q_strides.row;
  const bf16 *keys = of.keys + slot * of.k_strides.slot + shared * of.k_strides.head;
  const bf16 *values = of.values + slot * of.v_strides.slot + shared * of.v_strides.head;
  double total = 0;
  std::vector<double> mixed(of.head_dim);
  for (long j = 0; j < (of.causal ? of.lengths[s] - of.rows + 1 + row : of.lengths[s]); j++) {
    double score = 0;
    for (long d = 0; d < of.head_dim; d++) score += widened(q[d]) * widened(keys[j * of.k_strides.row + d]);
    const double weight = std::exp(score * of.scale);
    total += weight;
    for (long d = 0; d < of.head_dim; d++) mixed[d] += weight * widened(values[j * of.v_strides.row + d]);
  }
  for (double &value : mixed) value /= total;
  return mixed;
}

void check_attention(long rows, long heads, long kv_heads, long head_dim, std::vector<long> lengths, bool causal,
                     int threads = THREADS) {
  const long sequences = static_cast<long>(lengths.size()), positions = *std::max_element(lengths.begin(), lengths.end());
  std::vector<long> slots;  // in reverse order
  for (long s = 0; s < sequences; s++) slots.push_back(sequences - 1 - s);
  const auto q = drawn<bf16>(sequences * heads * rows * head_dim), keys = drawn<bf16>(sequences * kv_heads * positions * head_dim),
             values = drawn<bf16>(sequences * kv_heads * positions * head_dim);
  std::vector<bf16> out(q.size());
  const Strides cache{kv_heads * positions * head_dim, positions * head_dim, head_dim};
  const Attention of{q.data(), {heads * rows * head_dim, rows * head_dim, head_dim}, keys.data(), values.data(), cache, cache,
                     out.data(), slots.data(), lengths.data(), sequences, rows, heads, kv_heads, head_dim, causal,
                     1 / std::sqrt(static_cast<float>(head_dim))};
  Scratch scratch;
  level.kernels->attend(of, threads, scratch);
  Error error;
  for (long s = 0; s < sequences; s++)
    for (long row = 0; row < rows; row++)
      for (long head = 0; head < heads; head++) {
        const std::vector<double> expected = attended(of, s, head, row);
        for (long d = 0; d < head_dim; d++)
          error.add(widened(out[((s * rows + row) * heads + head) * head_dim + d]), expected[d]);
      }
  expect(error.value() < 0.01, "attention " + shape({sequences, heads, rows, positions, head_dim}));
  if (rows > 16 || heads / kv_heads > 4 || !causal) return;
  // Each row as in a call of its own.
  std::vector<bf16> alone(sequences * heads * head_dim);
  for (long row = 0; row < rows; row++) {
    std::vector<long> seen;
    for (long length : lengths) seen.push_back(length - rows + 1 + row);
    Attention one = of;
    one.q = q.data() + row * head_dim;
    one.lengths = seen.data();
    one.rows = 1;
    one.out = alone.data();
    level.kernels->attend(one, THREADS, scratch);
    for (long s = 0; s < sequences; s++)
      expect(std::memcmp(alone.data() + s * heads * head_dim, out.data() + (s * rows + row) * heads * head_dim,
                         heads * head_dim * sizeof(bf16)) == 0,
             "attention, a row alone " + shape({sequences, heads, rows, positions, head_dim}));
  }
}

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

void check_floors() {
  const std::vector<std::byte> data(1 << 20);
  expect(level.kernels->read_bytes(data.data(), data.size(), THREADS) > 0, "reading");
  expect(level.kernels->int8_operations(1) > 0 && level.kernels->float_operations(1) > 0, "peaks");
}

// No rows, no sequences and no outputs are nothing to do.
void check_nothing() {
  Scratch scratch;
  const std::vector<float> x(64), scales(64);
  const std::vector<std::uint8_t> packed(panels(64) * groups(64) * GROUP_BYTES);
  const std::vector<std::int8_t> int8(64 * (64 + 4));
  for (long rows : {0, 1}) {
    const long outputs = rows ? 0 : 64;
    level.kernels->int4_product(packed.data(), rows_of(x, 64), {nullptr, outputs}, rows, outputs, 64, THREADS, scratch);
    level.kernels->int8_product({int8.data(), scales.data(), nullptr, outputs, 64}, rows_of(x, 64), false, nullptr, true, rows, THREADS,
                                scratch);
  }
  level.kernels->quantise_rows(rows_of(x, 64), nullptr, nullptr, 0, 64, THREADS);
  level.kernels->finish(nullptr, nullptr, nullptr, true, nullptr, true, 0, 64, THREADS);
  level.kernels->rms_norm(nullptr, 64, x.data(), 1e-5f, nullptr, 0, 64, THREADS);
  level.kernels->silu_mul(nullptr, nullptr, 64, nullptr, 0, 64, THREADS);
  level.kernels->turn({nullptr, 64, nullptr, nullptr, nullptr, 0, 1, 32}, THREADS);
  const std::vector<bf16> keys(4 * 64);
  const std::vector<long> slots = {0}, lengths = {4};
  for (long sequences : {0, 1})
    for (long heads : {4, 32})  // a group of queries that is packed, and one that is not
      level.kernels->attend({keys.data(), {}, keys.data(), keys.data(), {256, 64, 64}, {256, 64, 64}, nullptr, slots.data(),
                             lengths.data(), sequences, 1 - sequences, heads, 1, 64, true, 1},
                            THREADS, scratch);
}

void check_level() {
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
  check_nothing();
  check_attention(37, 4, 4, 64, {37, 37}, false);
  check_attention(29, 6, 2, 48, {53, 29, 40}, true);
  check_attention(1, 8, 2, 128, {1, 600, 33, 17}, false);
  check_attention(1, 6, 2, 48, {35, 1}, true);
  check_attention(1, 2, 2, 16, {514}, true);
  check_attention(1, 4, 1, 208, {31}, true);
  check_attention(3, 4, 1, 16, {1100}, true);
  check_attention(16, 8, 2, 128, {700, 16}, true);
  check_attention(7, 6, 2, 48, {33, 520, 64}, true);
  check_attention(300, 1, 1, 256, {513}, false);
  for (long head_dim = 16; head_dim <= 256; head_dim += 16) {
    check_attention(2, 4, 2, head_dim, {35, 3}, true);
    check_attention(13, 2, 2, head_dim, {33}, false);
  }
  for (long group : {3, 5, 8, 13, 24}) {  // queries that share a key
    check_attention(1, 2 * group, 2, 64, {1, 70}, true);
    check_attention(5, group, 1, 48, {600}, true);
  }
  check_attention(1, 2, 1, 64, {5}, true, MANY_THREADS);
  check_attention(70, 1, 1, 32, {70}, true, MANY_THREADS);
  for (long width : {1, 15, 16, 33, 100}) {
    for (int which = 0; which < 4; which++) {
      check_epilogue<float>(9, width, which & 1, which & 2);
      check_epilogue<bf16>(9, width, which & 1, which & 2);
    }
    check_norm(9, width, width + 3);
    check_gate(9, width);
    check_rope(9, 3, width);
  }
  check_epilogue<bf16>(1000, 40, true, true);
  check_norm(1000, 40, 40);
  check_gate(1000, 40);
  check_rope(400, 3, 40);
  check_floors();
}

}  // namespace

int main(int count, char **names) {
  parallel = GOMP_parallel;
  bool any = false;
  for (const Level &each : levels()) {
    if (count > 1 && std::find(names + 1, names + count, std::string(each.name)) == names + count) continue;
    level = each;
    chance.seed(7);
    const int before = failures;
    check_level();
    if (failures == before) std::printf("%s: all kernels agree\n", level.name);
    any = true;
  }
  if (!any) std::printf("not run: this processor has none of these levels\n");
  return failures != 0;
}
