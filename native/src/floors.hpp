// The machine's peak speeds, measured, so that a kernel's speed can be compared with them.
#pragma once

#include <cstddef>

namespace voxgate {

// Operations a second of the product instructions that the kernels use, on registers only: int8 (VPDPBUSD) and bf16 (VDPBF16PS).
// A multiplication and an addition count as two.
double int8_operations(int threads);
double bf16_operations(int threads);

// Bytes a second while the data is read once from beginning to end, 64 bytes at a time, prefetched as the kernels do.
double read_bytes(const std::byte *data, std::size_t bytes, int threads);

}  // namespace voxgate
