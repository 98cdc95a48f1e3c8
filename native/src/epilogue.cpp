#include "epilogue.hpp"

#include "functions.hpp"
#include "parallel.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

template <bool BIASED, bool GELU, class Element>
void finish_row(const float *product, float scale, const float *bias, Element *out, long width) {
  each_vector(width, [&](long k, long lanes) {
    const floats x = load(product + k, lanes), y = BIASED ? x * scale + load(bias + k, lanes) : x * scale;
    store(out + k, lanes, GELU ? gelu(y) : y);
  });
}

template <class Element>
void finish_rows(const float *product, const float *scale, const float *bias, bool gelu, Element *out, long count, long width,
                 int threads) {
  const auto finish_one = bias ? gelu ? finish_row<true, true, Element> : finish_row<true, false, Element>
                               : gelu ? finish_row<false, true, Element> : finish_row<false, false, Element>;
  share_rows(count, width, threads,
             [&](long row) { finish_one(product + row * width, scale[row], bias, out + row * width, width); });
}

}  // namespace

void finish(const float *product, const float *scale, const float *bias, bool gelu, void *out, bool wide, long count, long width,
            int threads) {
  wide ? finish_rows(product, scale, bias, gelu, static_cast<float *>(out), count, width, threads)
       : finish_rows(product, scale, bias, gelu, static_cast<bf16 *>(out), count, width, threads);
}

}  // namespace voxgate::VOXGATE_LEVEL
