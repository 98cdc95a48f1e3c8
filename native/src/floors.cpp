#include "floors.hpp"

#include <chrono>

#include "bytes.hpp"
#include "parallel.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

constexpr long TIMES = 4'000'000;
constexpr int CHAINS = 12;  // independent sums, more than a product's latency in cycles

// Make the compiler assume that the value is used and changed.
template <class Vector>
inline void keep(Vector &value) {
#if defined(__aarch64__)
  asm volatile("" : "+w"(value));
#else
  asm volatile("" : "+v"(value));
#endif
}

// Return the operations a second of `multiply(sum, x)`, which has so many in each lane.
template <class Sum, class Multiply>
double operations(int threads, double each, std::int32_t bits, const Multiply &multiply) {
  const double began = seconds();
  share_out(threads, threads, [&](int, long) {
    Sum sum[CHAINS] = {};
    ints x = spread(bits);
    for (auto &value : sum) keep(value);  // otherwise the compiler would see equal chains and compute one
    for (long i = 0; i < TIMES; i++) {
      for (auto &value : sum) value = multiply(value, x);
      keep(x);
    }
    for (auto &value : sum) keep(value);
  });
  return each * LANES * CHAINS * TIMES * threads / (seconds() - began);
}

}  // namespace

double int8_operations(int threads) {
  const std::uint8_t four[4] = {131, 131, 131, 131};
  return operations<ints>(threads, 8, 0x03030303, [&](ints sum, ints w) { return Inputs(four).times(w, sum); });
}

double float_operations(int threads) {
  return operations<floats>(threads, 2, 0x3f000000, [](floats sum, ints x) { return (floats)x * (floats)x + sum; });
}

#if defined(__AVX512BF16__)
double bf16_operations(int threads) {
  return operations<floats>(threads, 4, 0x3f003f00,
                            [](floats sum, ints x) { return (floats)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)x); });
}
#else
double bf16_operations(int) { return 0; }
#endif

double read_bytes(const std::byte *data, std::size_t bytes, int threads) {
  constexpr long PIECE = 1 << 18, AHEAD = 2304;
  const double began = seconds();
  share_out(static_cast<long>(bytes) / PIECE, threads, [&](int, long piece) {
    const std::byte *from = data + piece * PIECE;
    ints seen[256 / VOXGATE_REGISTER] = {};
    for (long at = 0; at < PIECE; at += 256) {
      for (long line = 0; line < 256; line += 64) prefetch(from + at + line + AHEAD);
      for (int i = 0; i < 256 / VOXGATE_REGISTER; i++) seen[i] ^= loaded<ints>(from + at + VOXGATE_REGISTER * i);
    }
    for (auto &value : seen) keep(value);
  });
  return static_cast<double>(bytes / PIECE * PIECE) / (seconds() - began);
}

}  // namespace voxgate::VOXGATE_LEVEL
