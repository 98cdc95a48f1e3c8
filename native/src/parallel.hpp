// Loops over the threads that PyTorch already has.
//
// Two thread pools on the same cores slow each other down: each spins while the other computes. So this links to no OpenMP. The
// symbol is weak; the loader finds it in the library that `import torch` has put into the global scope, whatever name the wheel
// gave it (GNU's, LLVM's and Intel's all have it). Without it, the caller's thread does everything.
#pragma once

#include <algorithm>
#include <atomic>

extern "C" [[gnu::weak]] void GOMP_parallel(void (*work)(void *), void *data, unsigned threads, unsigned flags);

namespace voxgate {

inline bool has_pool() { return GOMP_parallel != nullptr; }

// Call body(worker, index) once for each index below count, each worker (below threads) on its own thread. A thread takes the next
// index when it is free, so that a core that other programs use does not delay the others. The body must not throw.
template <class Body>
void share_out(long count, int threads, const Body &body) {
  struct Share {
    const Body &body;
    const long count;
    std::atomic<int> workers{0};
    std::atomic<long> next{0};
    void work() {
      const int worker = workers++;
      for (long index; (index = next++) < count;) body(worker, index);
    }
  } share{body, count};
  threads = static_cast<int>(std::min<long>(threads, count));
  if (threads > 1 && has_pool()) {
    GOMP_parallel([](void *data) { static_cast<Share *>(data)->work(); }, &share, threads, 0);
  } else {
    share.work();
  }
}

// Call body(row) once for each of `count` rows. A thread takes a block of rows at once. Few elements stay on the caller's thread:
// they are done before another thread has started.
template <class Body>
void share_rows(long count, long width, int threads, const Body &body) {
  constexpr long BLOCK = 8, FEWEST = 32768;  // rows; elements
  share_out((count + BLOCK - 1) / BLOCK, count * width < FEWEST ? 1 : threads, [&](int, long block) {
    for (long row = block * BLOCK; row < std::min(count, (block + 1) * BLOCK); row++) body(row);
  });
}

}  // namespace voxgate
