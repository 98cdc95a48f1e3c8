// A 4-bit matrix in the order in which the product reads it. The format is stored on disk, and is the same at every level: do not
// change it without a new `FORMAT`.
//
// Outputs are in panels of 32 and inputs in groups of 32, both padded with zeros. A panel is contiguous in memory: for each
// group 512 bytes of weights, then 32 scales in bf16 (one for each output), 576 bytes in all. The 512 bytes are eight lines of
// 64, [quarter j][half h of the panel]: byte 4 n + i of a line contains output 16 h + n and the inputs 8 j + i (low four bits)
// and 8 j + 4 + i (high four bits), i below 4. A stored s from 0 to 15 means the weight (s - 8) * scale: symmetric, without
// zero point.
#pragma once

#include <cstdint>

#include "rows.hpp"

namespace voxgate {

constexpr int FORMAT = 1;
constexpr long PANEL = 32;              // outputs
constexpr long GROUP_BYTES = 512 + 64;  // of a panel

constexpr long panels(long outputs) { return (outputs + PANEL - 1) / PANEL; }
constexpr long groups(long inputs) { return (inputs + GROUP - 1) / GROUP; }

// Where the weights of outputs from `output` on, below 32, begin in line j of a group.
constexpr long place(long j, long output) { return (2 * j + output / 16) * 64 + output % 16 * 4; }
constexpr long scales_place(long output) { return 512 + 2 * output; }

}  // namespace voxgate

#ifdef VOXGATE_LEVEL
namespace voxgate::VOXGATE_LEVEL {

// Pack w [outputs, inputs], all finite. Each scale is the one of 19 with the least squared error.
void pack(const Rows &w, std::uint8_t *packed, long outputs, long inputs, int threads);

}  // namespace voxgate::VOXGATE_LEVEL
#endif
