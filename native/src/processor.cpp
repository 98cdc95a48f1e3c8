#include "processor.hpp"

namespace voxgate {

bool supported() {
#ifdef VOXGATE_X86_64
  // The compiler's function reads CPUID, and XGETBV for whether the system saves the wide registers.
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

}  // namespace voxgate
