#include "gate.hpp"

#include "activation.hpp"
#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {

void silu_mul(const float *gate, const float *up, long stride, float *out, long count, long width, int threads) {
  share_rows(count, width, threads, [&](long row) {
    each_16(width, [&](long k, __mmask16 mask) {
      const long from = row * stride + k;
      store(out + row * width + k, mask, _mm512_mul_ps(silu(load(gate + from, mask)), load(up + from, mask)));
    });
  });
}

}  // namespace voxgate
