// The steps after a product of eight-bit integers, in one pass.
#pragma once

#include "element.hpp"

namespace voxgate {

// out [count, width] = product [count, width] * scale [count] + bias [width], and with `gelu` its GELU by erf. The bias may be
// null, and out may be the same memory as product.
template <class Element>
void finish(const float *product, const float *scale, const float *bias, bool gelu, Element *out, long count, long width,
            int threads);

}  // namespace voxgate
