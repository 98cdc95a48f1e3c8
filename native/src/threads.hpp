// The threads that PyTorch already has.
//
// Two thread pools on the same cores slow each other down: each spins while the other computes. So this links to no OpenMP. The
// symbol is weak; the loader finds it in the library that `import torch` has put into the global scope, whatever name the wheel
// gave it (GNU's, LLVM's and Intel's all have it). Without it, the caller's thread does everything.
#pragma once

extern "C" [[gnu::weak]] void GOMP_parallel(void (*work)(void *), void *data, unsigned threads, unsigned flags);
