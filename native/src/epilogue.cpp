#include "epilogue.hpp"

#include "activation.hpp"
#include "parallel.hpp"
#include "vector.hpp"

namespace voxgate {
namespace {

template <bool BIASED, bool GELU, class Element>
void finish_row(const float *product, float scale, const float *bias, Element *out, long width) {
  const __m512 scales = _mm512_set1_ps(scale);
  each_16(width, [&](long k, __mmask16 mask) {
    const __m512 x = load(product + k, mask);
    const __m512 y = BIASED ? _mm512_fmadd_ps(x, scales, load(bias + k, mask)) : _mm512_mul_ps(x, scales);
    store(out + k, mask, GELU ? gelu(y) : y);
  });
}

}  // namespace

template <class Element>
void finish(const float *product, const float *scale, const float *bias, bool gelu, Element *out, long count, long width,
            int threads) {
  const auto finish_one = bias ? gelu ? finish_row<true, true, Element> : finish_row<true, false, Element>
                               : gelu ? finish_row<false, true, Element> : finish_row<false, false, Element>;
  share_rows(count, width, threads,
             [&](long row) { finish_one(product + row * width, scale[row], bias, out + row * width, width); });
}

template void finish(const float *, const float *, const float *, bool, float *, long, long, int);
template void finish(const float *, const float *, const float *, bool, bf16 *, long, long, int);

}  // namespace voxgate
