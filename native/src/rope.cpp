#include "rope.hpp"

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {

void turn(const Turn &of, int threads) {
  const long width = of.heads * 2 * of.half;
  share_rows(of.rows, width, threads, [&](long row) {
    const float *cos = of.cos + row * of.half, *sin = of.sin + row * of.half;
    for (long head = 0; head < of.heads; head++) {
      const float *x = of.x + row * of.stride + head * 2 * of.half;
      bf16 *out = of.out + row * width + head * 2 * of.half;
      each_16(of.half, [&](long j, __mmask16 mask) {
        const __m512 a = load(x + j, mask), b = load(x + of.half + j, mask), c = load(cos + j, mask), s = load(sin + j, mask);
        store(out + j, mask, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
        store(out + of.half + j, mask, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
      });
    }
  });
}

}  // namespace voxgate
