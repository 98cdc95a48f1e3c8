// The magnitudes of the spectra of 256 real samples, as many at once as a register has lanes: one in each.
#pragma once

#include "functions.hpp"
#include "vector.hpp"

namespace voxgate::VOXGATE_LEVEL {
namespace {

constexpr long SAMPLES = 256, PAIRS = SAMPLES / 2, MAGNITUDES = PAIRS + 1;

// A complex number of each spectrum.
struct Wave {
  floats real, imaginary;
};

inline Wave operator+(Wave a, Wave b) { return {a.real + b.real, a.imaginary + b.imaginary}; }
inline Wave operator-(Wave a, Wave b) { return {a.real - b.real, a.imaginary - b.imaginary}; }
inline Wave quarter_turned(Wave a) { return {a.imaginary, -a.real}; }  // times -i

// Turns by a share of a circle, clockwise: the cosines and the sines of 0 to 255 of 256 parts.
struct Turns {
  const float *cos, *sin;

  Wave operator()(Wave a, long parts) const {
    const float c = cos[parts], s = sin[parts];
    return {a.real * c + a.imaginary * s, a.imaginary * c - a.real * s};
  }
};

// What a transform needs.
struct SpectraScratch {
  float from[PAIRS][2][LANES], to[PAIRS][2][LANES];
  float magnitudes[MAGNITUDES][LANES];
};

using Waves = float (*)[2][LANES];

inline Wave wave(const float (&at)[2][LANES]) { return {load(at[0]), load(at[1])}; }
inline void put(float (&at)[2][LANES], Wave value) {
  store(at[0], value.real);
  store(at[1], value.imaginary);
}

// A pass of Stockham's transform: COUNT numbers become four times COUNT / 4, in each of STRIDE transforms that are interleaved. The
// numbers are in order after the last pass.
template <long COUNT, long STRIDE>
void divide_by_four(Waves x, Turns turns, Waves y) {
  constexpr long PART = COUNT / 4, STEP = SAMPLES / COUNT;
  for (long p = 0; p < PART; p++)
    for (long q = 0; q < STRIDE; q++) {
      const auto in = [&](long part) { return wave(x[q + STRIDE * (p + part * PART)]); };
      const Wave even = in(0) + in(2), difference = in(0) - in(2), odd = in(1) + in(3), turned = quarter_turned(in(1) - in(3));
      const auto out = [&](long part, Wave value) { put(y[q + STRIDE * (4 * p + part)], value); };
      out(0, even + odd);
      out(1, turns(difference + turned, STEP * p));
      out(2, turns(even - odd, 2 * STEP * p));
      out(3, turns(difference - turned, 3 * STEP * p));
    }
}

// Row k of `out` has the magnitudes of bin k. Two neighbouring samples are one complex number in `x`, which makes the transform half as
// long: its numbers k and -k together are those of the spectrum.
inline void magnitudes_of(Waves x, Turns turns, float (*out)[LANES]) {
  for (long k = 0; k <= PAIRS / 2; k++) {
    const Wave a = wave(x[k]), b = wave(x[(PAIRS - k) % PAIRS]);
    const Wave even = {a.real + b.real, a.imaginary - b.imaginary};
    const Wave odd = turns(quarter_turned({a.real - b.real, a.imaginary + b.imaginary}), k);
    const auto magnitude = [](Wave twice) { return root(twice.real * twice.real + twice.imaginary * twice.imaginary) * 0.5f; };
    store(out[k], magnitude(even + odd));
    store(out[PAIRS - k], magnitude(even - odd));
  }
}

// Write the magnitudes of LANES spectra: `to` [129] of the samples `from` [256], each times `window`.
inline void transform(const float *const *from, const float *window, Turns turns, float *const *to, SpectraScratch &scratch) {
  for (long lane = 0; lane < LANES; lane++)
    for (long k = 0; k < PAIRS; k++) {
      scratch.from[k][0][lane] = from[lane][2 * k] * window[2 * k];
      scratch.from[k][1][lane] = from[lane][2 * k + 1] * window[2 * k + 1];
    }
  divide_by_four<128, 1>(scratch.from, turns, scratch.to);
  divide_by_four<32, 4>(scratch.to, turns, scratch.from);
  divide_by_four<8, 16>(scratch.from, turns, scratch.to);
  for (long k = 0; k < PAIRS / 2; k++) {
    const Wave a = wave(scratch.to[k]), b = wave(scratch.to[k + PAIRS / 2]);
    put(scratch.from[k], a + b);
    put(scratch.from[k + PAIRS / 2], a - b);
  }
  magnitudes_of(scratch.from, turns, scratch.magnitudes);
  for (long lane = 0; lane < LANES; lane++)
    for (long k = 0; k < MAGNITUDES; k++) to[lane][k] = scratch.magnitudes[k][lane];
}

}  // namespace
}  // namespace voxgate::VOXGATE_LEVEL
