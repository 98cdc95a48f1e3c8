#include "gate.hpp"

#include "functions.hpp"
#include "parallel.hpp"

namespace voxgate::VOXGATE_LEVEL {

void silu_mul(const float *gate, const float *up, long stride, float *out, long count, long width, int threads) {
  share_rows(count, width, threads, [&](long row) {
    each_vector(width, [&](long k, long lanes) {
      const long from = row * stride + k;
      store(out + row * width + k, lanes, silu(load(gate + from, lanes)) * load(up + from, lanes));
    });
  });
}

}  // namespace voxgate::VOXGATE_LEVEL
