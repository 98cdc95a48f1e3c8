// The Python module. Tensors are passed as addresses: PyTorch's `data_ptr()` costs 0.1 us, a DLPack capsule 2.3 us, and a token
// needs some 500 of them. So nothing is checked here: the only caller, `voxgate.voxtral.kernels`, checks shapes, types and
// strides first. Distances are in elements. The interpreter's lock is released while a kernel runs.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <vector>

#include "parallel.hpp"
#include "processor.hpp"

#ifdef VOXGATE_X86_64
#include "attention.hpp"
#include "epilogue.hpp"
#include "floors.hpp"
#include "gate.hpp"
#include "int4_product.hpp"
#include "int8_product.hpp"
#include "norm.hpp"
#include "rope.hpp"
#endif

namespace nb = nanobind;

namespace {

constexpr int INTERFACE = 2;  // version of these functions; `voxgate.voxtral.kernels.bindings` requires the same number

using Address = std::uintptr_t;

#ifdef VOXGATE_X86_64

using voxgate::bf16;
using Distances = std::array<long, 3>;

template <class Type>
Type *at(Address address) {
  return reinterpret_cast<Type *>(address);
}

// Memory of each calling thread, kept between its calls.
voxgate::Scratch &scratch() {
  thread_local voxgate::Scratch memory;
  return memory;
}

void quantise_rows(Address x, bool wide, long stride, Address q, Address scale, long count, long width, int threads) {
  wide ? voxgate::quantise_rows(at<float>(x), stride, at<std::uint8_t>(q), at<float>(scale), count, width, threads)
       : voxgate::quantise_rows(at<bf16>(x), stride, at<std::uint8_t>(q), at<float>(scale), count, width, threads);
}

void pack(Address w, bool wide, long stride, Address packed, long outputs, long inputs, int threads) {
  wide ? voxgate::pack(at<float>(w), stride, at<std::uint8_t>(packed), outputs, inputs, threads)
       : voxgate::pack(at<bf16>(w), stride, at<std::uint8_t>(packed), outputs, inputs, threads);
}

void product(Address packed, Address x, bool wide, long stride, Address out, long rows, long outputs, long inputs, int threads) {
  const auto *w = at<std::uint8_t>(packed);
  wide ? voxgate::product(w, at<float>(x), stride, at<float>(out), outputs, rows, outputs, inputs, threads, scratch())
       : voxgate::product(w, at<bf16>(x), stride, at<bf16>(out), outputs, rows, outputs, inputs, threads, scratch());
}

void int8_product(std::array<Address, 3> matrix, Address x, bool wide, long stride, Address out, long rows, long outputs,
                  long inputs, int threads) {
  const voxgate::Int8Matrix of{at<std::int8_t>(matrix[0]), at<float>(matrix[1]), at<float>(matrix[2]), outputs, inputs};
  wide ? voxgate::product(of, at<float>(x), stride, at<float>(out), rows, threads, scratch())
       : voxgate::product(of, at<bf16>(x), stride, at<float>(out), rows, threads, scratch());
}

voxgate::Strides strides(const Distances &from) { return {from[0], from[1], from[2]}; }

void attend(std::array<Address, 4> tensors, const Distances &q, const Distances &keys, const Distances &values,
            const std::vector<long> &slots, const std::vector<long> &lengths, std::array<long, 4> shape, bool causal, float scale,
            int threads) {
  const auto [rows, heads, kv_heads, head_dim] = shape;
  const voxgate::Attention of{
      at<bf16>(tensors[0]), strides(q), at<bf16>(tensors[1]), at<bf16>(tensors[2]), strides(keys), strides(values),
      at<bf16>(tensors[3]), slots.data(), lengths.data(), static_cast<long>(slots.size()), rows, heads, kv_heads, head_dim,
      causal, scale};
  voxgate::attend(of, threads, scratch());
}

void finish(Address product, Address scale, Address bias, bool gelu, Address out, bool wide, long count, long width, int threads) {
  const float *x = at<float>(product), *scales = at<float>(scale), *biases = at<float>(bias);
  wide ? voxgate::finish(x, scales, biases, gelu, at<float>(out), count, width, threads)
       : voxgate::finish(x, scales, biases, gelu, at<bf16>(out), count, width, threads);
}

void rms_norm(Address x, long stride, Address weight, float eps, Address out, long count, long width, int threads) {
  voxgate::rms_norm(at<float>(x), stride, at<float>(weight), eps, at<float>(out), count, width, threads);
}

void silu_mul(Address gate, Address up, long stride, Address out, long count, long width, int threads) {
  voxgate::silu_mul(at<float>(gate), at<float>(up), stride, at<float>(out), count, width, threads);
}

void turn(Address x, long stride, Address cos, Address sin, Address out, long rows, long heads, long half, int threads) {
  voxgate::turn({at<float>(x), stride, at<float>(cos), at<float>(sin), at<bf16>(out), rows, heads, half}, threads);
}

double read_bytes(Address data, std::size_t bytes, int threads) { return voxgate::read_bytes(at<std::byte>(data), bytes, threads); }

void add_kernels(nb::module_ &module) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  module.def("quantise_rows", &quantise_rows, unlocked);
  module.def("packed_bytes", &voxgate::packed_bytes);
  module.def("pack", &pack, unlocked);
  module.def("product", &product, unlocked);
  module.def("int8_product", &int8_product, unlocked);
  module.def("attend", &attend, unlocked);
  module.def("finish", &finish, unlocked);
  module.def("rms_norm", &rms_norm, unlocked);
  module.def("silu_mul", &silu_mul, unlocked);
  module.def("turn", &turn, unlocked);
  module.def("int8_operations", &voxgate::int8_operations, unlocked);
  module.def("bf16_operations", &voxgate::bf16_operations, unlocked);
  module.def("read_bytes", &read_bytes, unlocked);
  module.attr("FORMAT") = voxgate::FORMAT;
}

#else

void add_kernels(nb::module_ &) {}

#endif

}  // namespace

NB_MODULE(_kernels, module) {
  module.attr("INTERFACE") = INTERFACE;
  module.def("supported", &voxgate::supported);
  module.def("has_pool", &voxgate::has_pool);
  add_kernels(module);
}
