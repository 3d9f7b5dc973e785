// Speed of the beam search alone, with a decoder as wide as the Base encoder's:
//   search_bench [--beam N] [--frames T] [--utterances B] [--threads N] [--rounds N]
// Encoder outputs and weights are random; the end of a sentence is hardly ever worth saying, so
// that about as many units as frames come out. CTC weight 0.1. Prints one JSON line.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>

#include "raven/decode/decode.h"
#include "raven/nn/linear.h"

namespace raven {
namespace {

int run(int argc, char** argv) {
  std::int64_t beam = 40, frames = 60, utterances = 1, threads = 1, rounds = 3;
  const std::map<std::string, std::int64_t*> numbers = {{"--beam", &beam},
                                                        {"--frames", &frames},
                                                        {"--utterances", &utterances},
                                                        {"--threads", &threads},
                                                        {"--rounds", &rounds}};
  for (int i = 1; i + 1 < argc; i += 2) *numbers.at(argv[i]) = std::stoll(argv[i + 1]);
  torch::set_num_threads(static_cast<int>(threads));
  torch::manual_seed(0);
  const torch::NoGradGuard no_grad;
  models::Recognizer recognizer(
      models::RecognizerOptions{.modality = models::Modality::kVideo,
                                .encoder = {.blocks = 1},
                                .frontend = {},
                                .decoder = {.dim = 512, .heads = 8, .ffn_dim = 2048, .blocks = 6}});
  recognizer->eval();
  recognizer->decoder->named_parameters()["output_layer.bias"][recognizer->end_unit()] -= 30;
  const decode::Encoded encoded{
      .frames = torch::randn({utterances, frames, 512}),
      .valid = {},
      .ids = std::vector<std::string>(static_cast<std::size_t>(utterances), "random")};
  const nn::PackedWeights packed(*recognizer->decoder);  // as `raven evaluate` does
  std::vector<double> seconds;
  double units = 0;
  for (std::int64_t round = 0; round <= rounds; ++round) {  // the first warms up
    const auto begin = std::chrono::steady_clock::now();
    const auto cpu_begin = std::clock();
    const auto found = decode::decode(recognizer, encoded, {.beam_size = beam});
    const auto cpu = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
    units = static_cast<double>(found.front().front().units.size());
    if (round > 0) seconds.push_back(cpu);
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    std::fprintf(stderr, "%.3f s wall, %.3f s processor\n", wall.count(), cpu);
  }
  std::sort(seconds.begin(), seconds.end());
  const auto total = static_cast<double>(frames * utterances);
  std::printf(
      "{\"frames_per_cpu_s\": %.2f, \"best\": %.2f, \"beam\": %lld, \"frames\": %lld, "
      "\"utterances\": %lld, \"units\": %.0f, \"threads\": %lld}\n",
      total / seconds[seconds.size() / 2], total / seconds.front(), static_cast<long long>(beam),
      static_cast<long long>(frames), static_cast<long long>(utterances), units,
      static_cast<long long>(threads));
  return 0;
}

}  // namespace
}  // namespace raven

int main(int argc, char** argv) { return raven::run(argc, argv); }
