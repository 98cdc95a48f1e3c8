// The Python module. Tensors are passed as addresses: PyTorch's `data_ptr()` costs 0.1 us, a DLPack capsule 2.3 us, and a token
// needs some 500 of them. So nothing is checked here: the callers, `voxgate.voxtral.kernels`, `voxgate.whisper.encoder` and
// `voxgate.audio.decoder.silero_kernel`, check shapes, types and strides first. Distances are in elements. The interpreter's lock is
// released while a kernel runs.
#include "python.hpp"  // first, as Python's own header wants it

#include <array>
#include <string>
#include <vector>

#include "levels.hpp"
#include "threads.hpp"

namespace {

using voxgate::bf16;
using voxgate::Kernels;
using voxgate::python::method;

constexpr int INTERFACE = 7;  // version of these functions; `voxgate.hardware.native_kernels` requires the same number

using Address = std::uintptr_t;
using Distances = std::array<long, 3>;

const Kernels *kernels = nullptr;  // of the level in use: the best until `use`; null on a processor that has none

template <class Type>
Type *at(Address address) {
  return reinterpret_cast<Type *>(address);
}

// Memory of each calling thread, kept between its calls.
voxgate::Scratch &scratch() {
  thread_local voxgate::Scratch memory;
  return memory;
}

std::vector<std::string> levels() {
  std::vector<std::string> names;
  for (const auto &level : voxgate::levels()) names.emplace_back(level.name);
  return names;
}

// Use a level. Returns whether the processor has it.
bool use(const std::string &name) {
  for (const auto &level : voxgate::levels())
    if (name == level.name) {
      kernels = level.kernels;
      return true;
    }
  return false;
}

// Use the threads of PyTorch or CTranslate2, by the address of `GOMP_parallel`.
void use_threads(Address parallel) { voxgate::parallel = at<voxgate::Parallel>(parallel); }

voxgate::Rows rows_at(Address data, bool wide, long stride) { return {at<void>(data), wide, stride}; }

void quantise_rows(Address x, bool wide, long stride, Address q, Address scale, long count, long width, int threads) {
  kernels->quantise_rows(rows_at(x, wide, stride), at<std::uint8_t>(q), at<float>(scale), count, width, threads);
}

void pack(Address w, bool wide, long stride, Address packed, long outputs, long inputs, int threads) {
  kernels->pack(rows_at(w, wide, stride), at<std::uint8_t>(packed), outputs, inputs, threads);
}

void int4_product(Address packed, Address x, bool wide, long stride, Address out, long rows, long outputs, long inputs, int threads) {
  kernels->int4_product(at<std::uint8_t>(packed), rows_at(x, wide, stride), {at<void>(out), outputs}, rows, outputs, inputs, threads,
                        scratch());
}

void int8_product(std::array<Address, 3> matrix, Address x, bool wide, long stride, bool gelu, Address out, bool out_wide, long rows,
                  long outputs, long inputs, int threads) {
  const voxgate::Int8Matrix of{at<std::int8_t>(matrix[0]), at<float>(matrix[1]), at<float>(matrix[2]), outputs, inputs};
  kernels->int8_product(of, rows_at(x, wide, stride), gelu, at<void>(out), out_wide, rows, threads, scratch());
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
  kernels->attend(of, threads, scratch());
}

void finish(Address product, Address scale, Address bias, bool gelu, Address out, bool wide, long count, long width, int threads) {
  kernels->finish(at<float>(product), at<float>(scale), at<float>(bias), gelu, at<void>(out), wide, count, width, threads);
}

void rms_norm(Address x, long stride, Address weight, float eps, Address out, long count, long width, int threads) {
  kernels->rms_norm(at<float>(x), stride, at<float>(weight), eps, at<float>(out), count, width, threads);
}

void layer_norm(std::array<Address, 2> x, std::array<Address, 2> scale, float eps, Address out, long count, long width, int threads) {
  kernels->layer_norm(at<float>(x[0]), at<float>(x[1]), at<float>(scale[0]), at<float>(scale[1]), eps, at<float>(out), count, width,
                      threads);
}

void silu_mul(Address gate, Address up, long stride, Address out, long count, long width, int threads) {
  kernels->silu_mul(at<float>(gate), at<float>(up), stride, at<float>(out), count, width, threads);
}

void turn(Address x, long stride, Address cos, Address sin, Address out, long rows, long heads, long half, int threads) {
  kernels->turn({at<float>(x), stride, at<float>(cos), at<float>(sin), at<bf16>(out), rows, heads, half}, threads);
}

// Network: window, cosines and sines, weights and bias of each convolution, those of the gates, recurrent, and those of the last layer.
void hear_speech(std::array<Address, 16> network, Address chunks, long count, Address state, Address out) {
  const auto dense = [&](std::size_t first) { return voxgate::Dense{at<float>(network[first]), at<float>(network[first + 1])}; };
  const voxgate::SpeechNetwork of{at<float>(network[0]), at<float>(network[1]), at<float>(network[2]), {dense(3), dense(5), dense(7), dense(9)},
                                  dense(11), at<float>(network[13]), dense(14)};
  kernels->hear_speech(of, at<float>(chunks), count, at<float>(state), at<float>(out), scratch());
}

double int8_operations(int threads) { return kernels->int8_operations(threads); }
double float_operations(int threads) { return kernels->float_operations(threads); }
double bf16_operations(int threads) { return kernels->bf16_operations(threads); }
double read_bytes(Address data, std::size_t bytes, int threads) { return kernels->read_bytes(at<std::byte>(data), bytes, threads); }

PyMethodDef methods[] = {
    method<levels>("levels"),
    method<use>("use"),
    method<use_threads>("use_threads"),
    method<quantise_rows>("quantise_rows"),
    method<pack>("pack"),
    method<int4_product>("int4_product"),
    method<int8_product>("int8_product"),
    method<attend>("attend"),
    method<finish>("finish"),
    method<rms_norm>("rms_norm"),
    method<layer_norm>("layer_norm"),
    method<silu_mul>("silu_mul"),
    method<turn>("turn"),
    method<hear_speech>("hear_speech"),
    method<int8_operations>("int8_operations"),
    method<float_operations>("float_operations"),
    method<bf16_operations>("bf16_operations"),
    method<read_bytes>("read_bytes"),
    {},
};

PyModuleDef definition{PyModuleDef_HEAD_INIT, "_kernels", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__kernels() {
  PyObject *const module = PyModule_Create(&definition);
  if (!module) return nullptr;
  if (!voxgate::levels().empty()) kernels = voxgate::levels().back().kernels;
  if (PyModule_AddIntConstant(module, "INTERFACE", INTERFACE) == 0 &&
      PyModule_AddIntConstant(module, "FORMAT", voxgate::FORMAT) == 0)
    return module;
  Py_DecRef(module);
  return nullptr;
}
