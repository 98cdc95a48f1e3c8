// Work shared out among the threads that PyTorch already has.
//
// Two pools on the same cores fight: each spins while the other computes. So this links to no OpenMP of its own. The two
// symbols are weak; the loader finds them in the library that `import torch` has put into the global scope, under whatever name
// the wheel gave it (GNU's, LLVM's and Intel's all have them). Without one, the caller's thread does everything.
#pragma once

#include <algorithm>
#include <atomic>

extern "C" [[gnu::weak]] void GOMP_parallel(void (*work)(void *), void *data, unsigned threads, unsigned flags);

namespace voxgate {

inline bool has_pool() { return GOMP_parallel != nullptr; }

// Call body(worker, index) once for each index below count, each worker (below threads) on a thread of its own.
// Indices are taken as they come, so that a core that others use as well holds nobody up. The body must not throw.
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

// The same for each of `count` rows: body(row). A thread takes a block of rows at once; a few rows are done before another thread
// has woken up.
template <class Body>
void share_rows(long count, long width, int threads, const Body &body) {
  constexpr long BLOCK = 8, FEWEST = 32768;  // rows; elements
  share_out((count + BLOCK - 1) / BLOCK, count * width < FEWEST ? 1 : threads, [&](int, long block) {
    for (long row = block * BLOCK; row < std::min(count, (block + 1) * BLOCK); row++) body(row);
  });
}

}  // namespace voxgate
