// What this processor can do.
#pragma once

namespace voxgate {

// Whether it, and the operating system, have every instruction that the kernels are compiled to.
bool supported();

}  // namespace voxgate
