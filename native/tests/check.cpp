// Compares the kernels with plain loops on odd shapes, at each level that the processor has, or at those of the command line. Each
// array is exactly as large as needed, so that the sanitizers see overruns.
#include <algorithm>

#include "material.hpp"
#include "threads.hpp"

extern "C" voxgate::Parallel GOMP_parallel;

using namespace voxgate;

namespace {

void check_floors() {
  const std::vector<std::byte> data(1 << 20);
  expect(level.kernels->read_bytes(data.data(), data.size(), THREADS) > 0, "reading");
  expect(level.kernels->int8_operations(1) > 0 && level.kernels->float_operations(1) > 0, "peaks");
}

// No rows, no sequences and no outputs are nothing to do.
void check_nothing() {
  Scratch scratch;
  const std::vector<float> x(64), scales(64);
  const std::vector<std::uint8_t> packed(panels(64) * groups(64) * GROUP_BYTES);
  const std::vector<std::int8_t> int8(64 * (64 + 4));
  for (long rows : {0, 1}) {
    const long outputs = rows ? 0 : 64;
    level.kernels->int4_product(packed.data(), rows_of(x, 64), {nullptr, outputs}, rows, outputs, 64, THREADS, scratch);
    level.kernels->int8_product({int8.data(), scales.data(), nullptr, outputs, 64}, rows_of(x, 64), false, nullptr, true, rows, THREADS,
                                scratch);
  }
  level.kernels->quantise_rows(rows_of(x, 64), nullptr, nullptr, 0, 64, THREADS);
  level.kernels->finish(nullptr, nullptr, nullptr, true, nullptr, true, 0, 64, THREADS);
  level.kernels->rms_norm(nullptr, 64, x.data(), 1e-5f, nullptr, 0, 64, THREADS);
  level.kernels->layer_norm(nullptr, nullptr, x.data(), x.data(), 1e-5f, nullptr, 0, 64, THREADS);
  level.kernels->silu_mul(nullptr, nullptr, 64, nullptr, 0, 64, THREADS);
  level.kernels->turn({nullptr, 64, nullptr, nullptr, nullptr, 0, 1, 32}, THREADS);
  level.kernels->hear_speech({}, nullptr, 0, nullptr, nullptr, scratch);
  const std::vector<bf16> keys(4 * 64);
  const std::vector<long> slots = {0}, lengths = {4};
  for (long sequences : {0, 1})
    for (long heads : {4, 32})  // a group of queries that is packed, and one that is not
      level.kernels->attend({keys.data(), {}, keys.data(), keys.data(), {256, 64, 64}, {256, 64, 64}, nullptr, slots.data(),
                             lengths.data(), sequences, 1 - sequences, heads, 1, 64, true, 1},
                            THREADS, scratch);
}

void check_level() {
  check_products();
  check_attention();
  check_steps();
  check_hearing();
  check_nothing();
  check_floors();
}

}  // namespace

int main(int count, char **names) {
  parallel = GOMP_parallel;
  bool any = false;
  for (const Level &each : levels()) {
    if (count > 1 && std::find(names + 1, names + count, std::string(each.name)) == names + count) continue;
    level = each;
    chance.seed(7);
    const int before = failures;
    check_level();
    if (failures == before) std::printf("%s: all kernels agree\n", level.name);
    any = true;
  }
  if (!any) std::printf("not run: this processor has none of these levels\n");
  return failures != 0;
}
