#include "floors.hpp"

#include <chrono>

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {
namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

constexpr long TIMES = 4'000'000;
constexpr int CHAINS = 12;  // independent sums, more than a product's latency in cycles

// Make the compiler assume that the value is used and changed.
template <class Vector>
inline void keep(Vector &value) {
  asm volatile("" : "+v"(value));
}

}  // namespace

double int8_operations(int threads) {
  const double began = seconds();
  share_out(threads, threads, [](int, long) {
    __m512i sum[CHAINS] = {}, x = _mm512_set1_epi8(3);
    for (auto &value : sum) keep(value);  // otherwise the compiler would see equal chains and compute one
    for (long i = 0; i < TIMES; i++) {
      for (auto &value : sum) value = _mm512_dpbusd_epi32(value, x, x);
      keep(x);
    }
    for (auto &value : sum) keep(value);
  });
  return 128.0 * CHAINS * TIMES * threads / (seconds() - began);
}

double bf16_operations(int threads) {
  const double began = seconds();
  share_out(threads, threads, [](int, long) {
    __m512 sum[CHAINS] = {};
    __m512i x = _mm512_set1_epi32(0x3f003f00);
    for (auto &value : sum) keep(value);
    for (long i = 0; i < TIMES; i++) {
      for (auto &value : sum) value = _mm512_dpbf16_ps(value, (__m512bh)x, (__m512bh)x);
      keep(x);
    }
    for (auto &value : sum) keep(value);
  });
  return 64.0 * CHAINS * TIMES * threads / (seconds() - began);
}

double read_bytes(const std::byte *data, std::size_t bytes, int threads) {
  constexpr long PIECE = 1 << 18, AHEAD = 2304;
  const double began = seconds();
  share_out(static_cast<long>(bytes) / PIECE, threads, [&](int, long piece) {
    const std::byte *from = data + piece * PIECE;
    __m512i seen[4] = {};
    for (long at = 0; at < PIECE; at += 256)
      for (int i = 0; i < 4; i++) {
        _mm_prefetch(reinterpret_cast<const char *>(from + at + 64 * i + AHEAD), _MM_HINT_T0);
        seen[i] = _mm512_xor_si512(seen[i], _mm512_loadu_si512(from + at + 64 * i));
      }
    for (auto &value : seen) keep(value);
  });
  return static_cast<double>(bytes / PIECE * PIECE) / (seconds() - began);
}

}  // namespace voxgate
