#include "speech.hpp"

#include "functions.hpp"
#include "parallel.hpp"
#include "spectra.hpp"
#include "vector.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

using Net = SpeechNetwork;

constexpr long BATCH = 32;  // chunks at a time, a second: what is between the layers stays in a cache
constexpr long PADDING = 64, HOP = 128, SPECTRA = 4, SOUND = Net::CHUNK + 2 * PADDING;
constexpr long GATES = 4 * Net::HIDDEN;
constexpr long WIDTHS[] = {128, 64, 64, 128}, STRIDES[] = {1, 2, 2, 1};  // of the convolutions, each over three neighbours

constexpr long LONG = 8;  // vectors of a tile that has a single row

// Rows of numbers, so many of each chunk; the distances in elements.
struct Grid {
  float *data;
  long chunk, row;
  float *at(long index, long each) const { return data + index / each * chunk + index % each * row; }
};

template <long ROWS, long COLUMNS>
void multiply(const float *const *x, long inputs, const float *weight, long outputs, const float *bias, bool positive, float *const *out) {
  floats sum[ROWS][COLUMNS];
#pragma GCC unroll 6
  for (long r = 0; r < ROWS; r++)
#pragma GCC unroll 8
    for (long c = 0; c < COLUMNS; c++) sum[r][c] = bias ? load(bias + LANES * c) : floats{};
  const float *row[ROWS];
  for (long r = 0; r < ROWS; r++) row[r] = x[r];
  for (long k = 0; k < inputs; k++) {
    floats column[COLUMNS];
#pragma GCC unroll 8
    for (long c = 0; c < COLUMNS; c++) column[c] = load(weight + k * outputs + LANES * c);
#pragma GCC unroll 6
    for (long r = 0; r < ROWS; r++) {
      const floats value = spread(row[r][k]);
#pragma GCC unroll 8
      for (long c = 0; c < COLUMNS; c++) sum[r][c] += column[c] * value;
    }
  }
#pragma GCC unroll 6
  for (long r = 0; r < ROWS; r++)
#pragma GCC unroll 8
    for (long c = 0; c < COLUMNS; c++) store(out[r] + LANES * c, positive ? greater(sum[r][c], floats{}) : sum[r][c]);
}

template <long COLUMNS>
void multiply_rows(long rows, const float *const *x, long inputs, const float *weight, long outputs, const float *bias, bool positive,
                   float *const *out) {
  switch (rows) {
    case 6: return multiply<6, COLUMNS>(x, inputs, weight, outputs, bias, positive, out);
    case 5: return multiply<5, COLUMNS>(x, inputs, weight, outputs, bias, positive, out);
    case 4: return multiply<4, COLUMNS>(x, inputs, weight, outputs, bias, positive, out);
    case 3: return multiply<3, COLUMNS>(x, inputs, weight, outputs, bias, positive, out);
    case 2: return multiply<2, COLUMNS>(x, inputs, weight, outputs, bias, positive, out);
    default: return multiply<1, COLUMNS>(x, inputs, weight, outputs, bias, positive, out);
  }
}

// out = x · weight + bias, for `each` rows of every chunk; with `positive`, 0 where that is negative. Outputs: a multiple of 32.
void product(const Grid &x, long inputs, const Dense &dense, long outputs, bool positive, const Grid &out, long chunks, long each) {
  for (long column = 0; column < outputs; column += LANES * WIDE) {
    const bool whole = column + LANES * WIDE <= outputs;
    for (long first = 0; first < chunks * each; first += TALL) {
      const long rows = smaller(TALL, chunks * each - first);
      const float *from[TALL];
      float *to[TALL];
      for (long r = 0; r < rows; r++) {
        from[r] = x.at(first + r, each);
        to[r] = out.at(first + r, each) + column;
      }
      const float *const bias = dense.bias ? dense.bias + column : nullptr;
      (whole ? multiply_rows<WIDE> : multiply_rows<2>)(rows, from, inputs, dense.weight + column, outputs, bias, positive, to);
    }
  }
}

// A second of sound as each layer sees it.
struct Layers {
  float sound[BATCH][SOUND];
  SpectraScratch transform;
  float spectra[BATCH][SPECTRA + 2][Net::BINS];  // with a row of zeros on either side, as what the convolutions make of them
  float first[BATCH][SPECTRA + 2][WIDTHS[0]];
  float second[BATCH][SPECTRA / 2 + 2][WIDTHS[1]];
  float third[BATCH][SPECTRA / 4 + 2][WIDTHS[2]];
  float features[BATCH][Net::HIDDEN];
  float gates[BATCH][GATES];
};

// A chunk with its ends mirrored on both sides.
void pad(const float *chunk, float *sound) {
  std::memcpy(sound + PADDING, chunk, Net::CHUNK * sizeof(float));
  for (long k = 0; k < PADDING; k++) {
    sound[k] = chunk[PADDING - k];
    sound[PADDING + Net::CHUNK + k] = chunk[Net::CHUNK - 2 - k];
  }
}

template <long ROWS, long WIDTH>
void clear_edges(float (&rows)[ROWS][WIDTH]) {
  std::memset(rows[0], 0, sizeof rows[0]);
  std::memset(rows[ROWS - 1], 0, sizeof rows[0]);
}

void measure_spectra(const SpeechNetwork &network, const float *chunks, long count, Layers &layers) {
  for (long n = 0; n < count; n++) {
    pad(chunks + n * Net::CHUNK, layers.sound[n]);
    clear_edges(layers.spectra[n]);
  }
  for (long first = 0; first < count * SPECTRA; first += LANES) {
    const float *from[LANES];
    float *to[LANES];
    for (long lane = 0; lane < LANES; lane++) {
      const long index = smaller(first + lane, count * SPECTRA - 1);  // lanes that are left do the last one again
      from[lane] = layers.sound[index / SPECTRA] + index % SPECTRA * HOP;
      to[lane] = layers.spectra[index / SPECTRA][1 + index % SPECTRA];
    }
    transform(from, network.window, {network.cosines, network.sines}, to, layers.transform);
  }
}

// The rows of a chunk and their neighbours, [rows + 2, width], to the rows of the next layer: every second or all of them.
template <long ROWS, long WIDTH>
void convolve(const SpeechNetwork &network, int which, float (*x)[ROWS][WIDTH], const Grid &out, long count) {
  const long stride = STRIDES[which];
  product({x[0][0], ROWS * WIDTH, stride * WIDTH}, 3 * WIDTH, network.convolutions[which], WIDTHS[which], true, out, count,
          (ROWS - 2) / stride);
}

template <long ROWS, long WIDTH>
Grid inside(float (*rows)[ROWS][WIDTH], long count) {
  for (long n = 0; n < count; n++) clear_edges(rows[n]);
  return {rows[0][1], ROWS * WIDTH, WIDTH};
}

// 1 / (1 + e^-2x).
inline floats sigmoid_of_twice(floats x) { return 1.f / (1.f + exponential(-2.f * x)); }
inline floats tangent(floats x) { return 2.f * sigmoid_of_twice(x) - 1.f; }

// One chunk of the LSTM: the hidden values and the cell go on. Returns the probability.
float remember(const SpeechNetwork &network, const float *gates, float *hidden, float *cell) {
  float value[GATES];
  for (long column = 0; column < GATES; column += LANES * LONG) {
    float *const to = value + column;
    multiply<1, LONG>(&hidden, Net::HIDDEN, network.recurrent + column, GATES, gates + column, false, &to);
  }
  floats sum{};
  for (long k = 0; k < Net::HIDDEN; k += LANES) {
    const auto gate = [&](long which) { return load(value + which * Net::HIDDEN + k); };
    const floats kept = sigmoid_of_twice(gate(1)) * load(cell + k) + sigmoid_of_twice(gate(0)) * tangent(gate(2));
    const floats heard = sigmoid_of_twice(gate(3)) * tangent(kept);
    store(cell + k, kept);
    store(hidden + k, heard);
    sum += greater(heard, floats{}) * load(network.last.weight + k);
  }
  return sigmoid_of_twice(spread((sum_of(sum) + *network.last.bias) / 2))[0];
}

}  // namespace

void hear_speech(const SpeechNetwork &network, const float *chunks, long count, float *state, float *out, Scratch &scratch) {
  Layers &layers = *reinterpret_cast<Layers *>(scratch.take(sizeof(Layers)));
  for (long start = 0; start < count; start += BATCH) {
    const long part = smaller(BATCH, count - start);
    measure_spectra(network, chunks + start * Net::CHUNK, part, layers);
    convolve(network, 0, layers.spectra, inside(layers.first, part), part);
    convolve(network, 1, layers.first, inside(layers.second, part), part);
    convolve(network, 2, layers.second, inside(layers.third, part), part);
    convolve(network, 3, layers.third, {layers.features[0], Net::HIDDEN, Net::HIDDEN}, part);
    product({layers.features[0], Net::HIDDEN, Net::HIDDEN}, Net::HIDDEN, network.gates, GATES, false, {layers.gates[0], GATES, GATES},
            part, 1);
    for (long n = 0; n < part; n++) out[start + n] = remember(network, layers.gates[n], state, state + Net::HIDDEN);
  }
}

}  // namespace voxgate::VOXGATE_LEVEL
