#include "rope.hpp"

#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate::VOXGATE_LEVEL {

void turn(const Turn &of, int threads) {
  const long width = of.heads * 2 * of.half;
  share_rows(of.rows, width, threads, [&](long row) {
    const float *cos = of.cos + row * of.half, *sin = of.sin + row * of.half;
    for (long head = 0; head < of.heads; head++) {
      const float *x = of.x + row * of.stride + head * 2 * of.half;
      bf16 *out = of.out + row * width + head * 2 * of.half;
      each_vector(of.half, [&](long j, long lanes) {
        const floats a = load(x + j, lanes), b = load(x + of.half + j, lanes), c = load(cos + j, lanes), s = load(sin + j, lanes);
        store(out + j, lanes, a * c - b * s);
        store(out + of.half + j, lanes, b * c + a * s);
      });
    }
  });
}

}  // namespace voxgate::VOXGATE_LEVEL
