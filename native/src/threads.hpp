// The threads that PyTorch, or CTranslate2, already has.
//
// Two thread pools on the same cores slow each other down: each spins while the other computes. So this links to no OpenMP. It is
// given the function of the library that they are linked to, whatever name its wheel gave that (GNU's, LLVM's and Intel's have it).
#pragma once

namespace voxgate {

// `GOMP_parallel`: calls work(data) on so many threads at once, and returns when all have. The flags are 0.
using Parallel = void(void (*work)(void *), void *data, unsigned threads, unsigned flags);

inline Parallel *parallel = nullptr;  // until it is given, the caller's thread does everything

}  // namespace voxgate
