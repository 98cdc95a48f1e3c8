// The machine's peak speeds, measured, so that a kernel's speed can be compared with them.
#pragma once

#include <cstddef>

namespace voxgate::VOXGATE_LEVEL {

// Operations a second of the instructions that the products use, on registers only. A multiplication and an addition count as two.
// Of bf16: 0 at a level that computes attention in float.
double int8_operations(int threads);
double float_operations(int threads);
double bf16_operations(int threads);

// Bytes a second while the data is read once from beginning to end, 64 bytes at a time, prefetched as the kernels do.
double read_bytes(const std::byte *data, std::size_t bytes, int threads);

}  // namespace voxgate::VOXGATE_LEVEL
