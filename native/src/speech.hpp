// The network that hears speech, Silero's: see `voxgate.audio.decoder.silero_network`, which computes the same by NumPy.
#pragma once

#include "scratch.hpp"

namespace voxgate {

struct Dense {
  const float *weight, *bias;  // [inputs, outputs] and [outputs]
};

// The columns of the gates that are sigmoids are halved, so that all four gates are computed as the sigmoid of twice their sums.
struct SpeechNetwork {
  static constexpr long CHUNK = 512, SPECTRUM = 256, BINS = 129, CONVOLUTIONS = 4, HIDDEN = 128;

  const float *window;           // [256]: what the samples of a spectrum are multiplied by
  const float *cosines, *sines;  // [256], of as many parts of a circle
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
