// Checks of the network that hears speech.
#include "material.hpp"

namespace voxgate {
namespace {

using Net = SpeechNetwork;
using Numbers = std::vector<double>;

// Weights small enough that no gate is far from where it changes.
std::vector<float> weights(long inputs, long outputs) {
  auto values = drawn<float>(inputs * outputs);
  for (float &value : values) value /= std::sqrt(static_cast<float>(inputs));
  return values;
}

struct Network {
  std::vector<float> window = drawn<float>(Net::SPECTRUM), cosines, sines, recurrent = weights(128, 512);
  std::vector<float> matrix[Net::CONVOLUTIONS] = {weights(3 * 129, 128), weights(3 * 128, 64), weights(3 * 64, 64), weights(3 * 64, 128)};
  std::vector<float> bias[Net::CONVOLUTIONS] = {drawn<float>(128), drawn<float>(64), drawn<float>(64), drawn<float>(128)};
  std::vector<float> gates = weights(128, 512), gate_bias = drawn<float>(512), last = drawn<float>(128), last_bias = drawn<float>(1);

  Network() {
    for (long k = 0; k < Net::SPECTRUM; k++) {
      cosines.push_back(static_cast<float>(std::cos(angle(k))));
      sines.push_back(static_cast<float>(std::sin(angle(k))));
    }
  }

  static double angle(long parts) { return 2 * std::acos(-1.0) * static_cast<double>(parts % Net::SPECTRUM) / Net::SPECTRUM; }

  SpeechNetwork addresses() const {
    const auto dense = [&](int which) { return Dense{matrix[which].data(), bias[which].data()}; };
    return {window.data(), cosines.data(), sines.data(), {dense(0), dense(1), dense(2), dense(3)}, {gates.data(), gate_bias.data()},
            recurrent.data(), {last.data(), last_bias.data()}};
  }
};

double sum_of_products(const double *x, long inputs, const std::vector<float> &matrix, long outputs, long column) {
  double sum = 0;
  for (long k = 0; k < inputs; k++) sum += x[k] * matrix[k * outputs + column];
  return sum;
}

// The features of a chunk, by the definition in `voxgate.audio.decoder.silero_network`.
Numbers features_of(const Network &network, const float *chunk) {
  Numbers sound, rows(129);  // the rows of a layer with one of zeros before and after them
  for (long k = -64; k < Net::CHUNK + 64; k++) sound.push_back(chunk[k < 0 ? -k : k < Net::CHUNK ? k : 2 * (Net::CHUNK - 1) - k]);
  for (long i = 0; i < 4; i++)
    for (long k = 0; k < Net::BINS; k++) {
      const double *const x = &sound[128 * i];
      double real = 0, imaginary = 0;
      for (long n = 0; n < Net::SPECTRUM; n++) {
        real += x[n] * network.window[n] * std::cos(Network::angle(n * k));
        imaginary += x[n] * network.window[n] * std::sin(Network::angle(n * k));
      }
      rows.push_back(std::hypot(real, imaginary));
    }
  long width = 129, count = 4;
  for (int which = 0; which < Net::CONVOLUTIONS; which++) {
    rows.resize((count + 2) * width);
    const long outputs = static_cast<long>(network.bias[which].size()), stride = which == 1 || which == 2 ? 2 : 1;
    Numbers next(outputs);
    for (long i = 0; i < count; i += stride)
      for (long k = 0; k < outputs; k++)
        next.push_back(std::max(0.0, sum_of_products(&rows[i * width], 3 * width, network.matrix[which], outputs, k) + network.bias[which][k]));
    rows = next, width = outputs, count /= stride;
  }
  return {rows.end() - 128, rows.end()};
}

double sigmoid_of_twice(double x) { return 1 / (1 + std::exp(-2 * x)); }

void check_speech(long count) {
  const Network network;
  const auto chunks = drawn<float>(count * Net::CHUNK);
  const auto before = drawn<float>(2 * Net::HIDDEN);
  std::vector<float> state = before, out(count);
  Scratch scratch;
  level.kernels->hear_speech(network.addresses(), chunks.data(), count, state.data(), out.data(), scratch);
  Numbers hidden(before.begin(), before.begin() + 128), cell(before.begin() + 128, before.end());
  Error error;
  for (long n = 0; n < count; n++) {
    const Numbers features = features_of(network, &chunks[n * Net::CHUNK]);
    Numbers gates;
    for (long k = 0; k < 512; k++)
      gates.push_back(sum_of_products(features.data(), 128, network.gates, 512, k) + network.gate_bias[k] +
                      sum_of_products(hidden.data(), 128, network.recurrent, 512, k));
    double logit = network.last_bias[0];
    for (long k = 0; k < 128; k++) {
      cell[k] = sigmoid_of_twice(gates[128 + k]) * cell[k] + sigmoid_of_twice(gates[k]) * std::tanh(gates[256 + k]);
      hidden[k] = sigmoid_of_twice(gates[384 + k]) * std::tanh(cell[k]);
      logit += std::max(0.0, hidden[k]) * network.last[k];
    }
    error.add(out[n], 1 / (1 + std::exp(-logit)));
  }
  for (long k = 0; k < 128; k++) {
    error.add(state[k], hidden[k]);
    error.add(state[128 + k], cell[k]);
  }
  expect(error.value() < 1e-5, "speech " + shape({count}));
}

}  // namespace

void check_hearing() {
  for (long count : {1, 3, 33, 70}) check_speech(count);
}

}  // namespace voxgate
