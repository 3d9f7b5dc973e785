// Speed and memory of one pre-training step on random input, without any data loading:
//   models_bench [--size tiny|base|large] [--frames N] [--utterance-length T] [--threads N]
//   [--steps N]
// One step is both phases, clipping, two AdamW updates and the teachers' update. Prints one JSON
// line.
#include <sys/resource.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "raven/models/raven.h"
#include "raven/train/optimizer.h"

namespace raven {
namespace {

struct Options {
  std::string size = "base";
  std::int64_t frames = 100, utterance_length = 50, threads = 0, steps = 5, warmup = 2;
};

Options parse(int argc, char** argv) {
  Options options;
  const std::map<std::string, std::int64_t*> numbers = {
      {"--frames", &options.frames},
      {"--utterance-length", &options.utterance_length},
      {"--threads", &options.threads},
      {"--steps", &options.steps},
      {"--warmup", &options.warmup}};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--size") == 0) {
      options.size = argv[i + 1];
    } else {
      *numbers.at(argv[i]) = std::stoll(argv[i + 1]);
    }
  }
  return options;
}

config::ModelConfig model_of(const std::string& size) {
  config::ModelConfig model;
  auto& encoder = model.encoder;
  if (size == "tiny") {
    encoder.dim = 64, encoder.heads = 2, encoder.ffn_dim = 128, encoder.blocks = 2;
    for (auto& predictor : model.predictors.of) {
      predictor.dim = 64, predictor.heads = 2, predictor.ffn_dim = 128;
    }
  } else if (size == "large") {
    encoder.dim = 1024, encoder.heads = 16, encoder.ffn_dim = 4096, encoder.blocks = 24;
    encoder.drop_path = 0.1;
  }
  return model;
}

/// Spans of three frames over about a fifth of each row.
torch::Tensor random_mask(std::int64_t utterances, std::int64_t frames) {
  auto masked = torch::rand({utterances, frames}) < 0.07;
  for (int i = 0; i < 2; ++i) masked.slice(1, 1) |= masked.slice(1, 0, -1).clone();
  masked.select(1, 0).fill_(true);
  return masked;
}

class Step {
 public:
  explicit Step(const Options& options)
      : model_(model_of(options.size), config::LossConfig{}, config::TeacherConfig{}),
        video_("video", named(model_->parameters_of(config::Modality::kVideo)), {}),
        audio_("audio", named(model_->parameters_of(config::Modality::kAudio)), {}) {
    const auto t = options.utterance_length, b = std::max<std::int64_t>(1, options.frames / t);
    input_ = {.video = torch::randn({b, t, 88, 88}),
              .audio = 0.1 * torch::randn({b, t * 640, 1}),
              .valid = torch::ones({b, t}, torch::kBool),
              .masked_video = {},
              .masked_audio = {}};
  }

  void operator()() {
    input_.masked_video = random_mask(input_.valid.size(0), input_.valid.size(1));
    input_.masked_audio = random_mask(input_.valid.size(0), input_.valid.size(1));
    const auto targets = model_->targets(input_);
    train(video_, model_->terms(config::Modality::kVideo, input_, targets));
    train(audio_, model_->terms(config::Modality::kAudio, input_, targets));
    model_->update_teachers(torch::tensor(0.999, torch::kFloat64));
  }

  [[nodiscard]] std::int64_t frames() const { return input_.valid.numel(); }

 private:
  static train::NamedTensors named(const std::vector<torch::Tensor>& parameters) {
    train::NamedTensors result;
    for (const auto& parameter : parameters) {
      result.emplace_back("p" + std::to_string(result.size()), parameter);
    }
    return result;
  }

  void train(train::AdamW& optimizer, std::vector<models::TermOutput> terms) {
    torch::Tensor loss;
    for (const auto& term : terms) {
      const auto mean = term.sum / model_->frames_of(term.name, input_);
      loss = loss.defined() ? loss + mean : mean;
    }
    loss.backward();
    optimizer.step({torch::tensor(1e-3, torch::kFloat64)}, optimizer.grad_norm(), torch::zeros({}));
    optimizer.zero_grad();
  }

  models::Raven model_;
  train::AdamW video_, audio_;
  models::PretrainInput input_;
};

std::int64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int run(const Options& options) {
  torch::manual_seed(0);
  if (options.threads > 0) at::set_num_threads(static_cast<int>(options.threads));
  Step step(options);
  std::vector<double> times, cpu;
  for (std::int64_t i = 0; i < options.warmup + options.steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto used = cpu_seconds();
    step();
    if (i < options.warmup) continue;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    times.push_back(time.count());
    cpu.push_back(cpu_seconds() - used);
  }
  std::sort(times.begin(), times.end());
  std::sort(cpu.begin(), cpu.end());
  const auto median = times[times.size() / 2];
  const nlohmann::json line = {{"size", options.size},
                               {"threads", at::get_num_threads()},
                               {"frames_per_s", static_cast<double>(step.frames()) / median},
                               {"median_s", median},
                               {"best_s", times.front()},
                               {"cpu_s", cpu[cpu.size() / 2]},
                               {"peak_rss_bytes", peak_rss_bytes()}};
  std::printf("%s\n", line.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace raven

int main(int argc, char** argv) try {
  return raven::run(raven::parse(argc, argv));
} catch (const std::exception& error) {
  std::fprintf(stderr, "models_bench: %s\n", error.what());
  return 1;
}
