#include "levels.hpp"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace voxgate {

#if defined(__x86_64__)

namespace avx2 {
extern const Kernels kernels;
}
namespace avxvnni {
extern const Kernels kernels;
}
namespace avx512vnni {
extern const Kernels kernels;
}
namespace avx512bf16 {
extern const Kernels kernels;
}

namespace {

// Bit 4 of EAX in the second leaf of features. The compiler's function below knows no name for it before GCC 13.
bool has_avx_vnni() {
  unsigned a = 7, b = 0, c = 1, d = 0;
  asm("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (a & (1u << 4)) != 0;
}

std::vector<Level> found() {
  std::vector<Level> levels;
  // The compiler's function reads CPUID, and XGETBV for whether the system saves the wide registers.
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return levels;
  levels.push_back({"avx2", &avx2::kernels});
  if (has_avx_vnni()) levels.push_back({"avxvnni", &avxvnni::kernels});
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512vnni"))
    return levels;
  levels.push_back({"avx512vnni", &avx512vnni::kernels});
  if (__builtin_cpu_supports("avx512bf16")) levels.push_back({"avx512bf16", &avx512bf16::kernels});
  return levels;
}

}  // namespace

#elif defined(__aarch64__)

namespace neon {
extern const Kernels kernels;
}

namespace {

bool has_dot_products() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return true;  // every Apple processor with 64 bits since 2019, and all that run macOS
#endif
}

std::vector<Level> found() {
  if (!has_dot_products()) return {};
  return {{"neon", &neon::kernels}};
}

}  // namespace

#else

namespace {

std::vector<Level> found() { return {}; }

}  // namespace

#endif

const std::vector<Level> &levels() {
  static const std::vector<Level> all = found();
  return all;
}

}  // namespace voxgate
