// What the machine allows: measured, so that a figure can be held against it.
#pragma once

#include <cstddef>

namespace voxgate {

// Operations a second of the products that the kernels are made of, from registers alone: int8 (VPDPBUSD) and bf16 (VDPBF16PS).
// A multiplication and an addition count as two.
double int8_operations(int threads);
double bf16_operations(int threads);

// Bytes a second while these are read once from beginning to end, 64 at a time, asked for ahead as the kernels do.
double read_bytes(const std::byte *data, std::size_t bytes, int threads);

}  // namespace voxgate
