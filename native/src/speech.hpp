// The network that hears speech, Silero's: see `voxgate.audio.decoder.silero_network`, which computes the same by NumPy.
#pragma once

#include "scratch.hpp"

namespace voxgate {

struct Dense {
  const float *weight, *bias;  // [inputs, outputs] and [outputs]
};

// The columns of the gates that are sigmoids are halved, so that all four gates are computed as the sigmoid of twice their sums.
struct SpeechNetwork {
  static constexpr long CHUNK = 512, SPECTRUM = 256, BINS = 129, WAVES = 160, CONVOLUTIONS = 4, HIDDEN = 128;

  // Columns of 129 bins and 31 zeros. A spectrum's basis is symmetric: samples 1 to 127 and their mirror images are first added, for the
  // real parts, or subtracted, for the imaginary ones, which halves the products.
  const float *real;       // [129, 160], of samples 0 to 128
  const float *imaginary;  // [127, 160], of samples 1 to 127
  Dense convolutions[CONVOLUTIONS];
  Dense gates;             // of the features: [128, 4 * 128], for input, forget, cell and output
  const float *recurrent;  // those of the hidden values
  Dense last;              // [128], and one number
};

}  // namespace voxgate

#ifdef VOXGATE_LEVEL
namespace voxgate::VOXGATE_LEVEL {

// out [count]: the probability of speech in each of `chunks` [count, 512]. `state` [2, 128], hidden and cell, goes on with them.
void hear_speech(const SpeechNetwork &network, const float *chunks, long count, float *state, float *out, Scratch &scratch);

}  // namespace voxgate::VOXGATE_LEVEL
#endif
