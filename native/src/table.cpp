// One level's kernels. Compiled once for each level, as every file that has VOXGATE_LEVEL.
#include "epilogue.hpp"
#include "floors.hpp"
#include "gate.hpp"
#include "levels.hpp"
#include "norm.hpp"

namespace voxgate::VOXGATE_LEVEL {

extern const Kernels kernels;
const Kernels kernels{quantise_rows, pack,     int4_product, int8_product, attend,          finish,           rms_norm,        layer_norm,
                      silu_mul,      turn,     hear_speech,  int8_operations, float_operations, bf16_operations, read_bytes};

}  // namespace voxgate::VOXGATE_LEVEL
