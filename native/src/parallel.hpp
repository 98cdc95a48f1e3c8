// Loops over the threads of whoever calls.
#pragma once

#include <atomic>

#include "threads.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

inline long smaller(long a, long b) { return a < b ? a : b; }
inline long larger(long a, long b) { return a > b ? a : b; }

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
  threads = static_cast<int>(smaller(threads, count));
  if (threads > 1 && parallel != nullptr) {
    parallel([](void *data) { static_cast<Share *>(data)->work(); }, &share, threads, 0);
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
    for (long row = block * BLOCK; row < smaller(count, (block + 1) * BLOCK); row++) body(row);
  });
}

// Call body(panel, first, last) for every panel of a matrix and every row, rows `first` to `last` at a time: all of them, unless there
// are too few panels for the threads. Then rows are divided too, but into blocks so tall that reading a panel again is little beside
// multiplying it. A thread takes several panels at once, contiguous in memory, but so few that no thread waits long for another.
template <class Body>
void share_panels(long count, long rows, int threads, const Body &body) {
  constexpr long SHARES = 8, SHORTEST = 64;  // of work for each thread; rows of a block
  const long most = SHARES * threads, blocks = larger(1, smaller(rows / SHORTEST, most / larger(1, count)));
  const long together = larger(1, count / most);  // panels
  share_out((count + together - 1) / together * blocks, threads, [&](int, long index) {
    const long first = index / blocks * together, block = index % blocks;
    for (long panel = first; panel < smaller(count, first + together); panel++)
      body(panel, rows * block / blocks, rows * (block + 1) / blocks);
  });
}

}  // namespace
}  // namespace voxgate::VOXGATE_LEVEL
