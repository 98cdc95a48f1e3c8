// The processor's instructions.
#pragma once

namespace voxgate {

// Return whether the processor and the operating system support every instruction that the kernels are compiled to.
bool supported();

}  // namespace voxgate
