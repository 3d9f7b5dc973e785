#include "raven/selftrain/self_training.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "raven/artifacts/flat_config_file.h"
#include "raven/artifacts/run_folder.h"
#include "raven/config/load.h"
#include "raven/config/override.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"
#include "raven/data/grey_kinds.h"
#include "raven/data/media_roots.h"
#include "raven/distributed/joined_ranks.h"
#include "raven/distributed/thread_share.h"
#include "raven/evaluation/decoding_run.h"
#include "raven/nn/device.h"
#include "raven/selftrain/pseudo_labels.h"
#include "raven/text/normalise.h"
#include "raven/train/finetune_stage.h"
#include "raven/train/list_check.h"
#include "raven/train/rank_agreement.h"
#include "raven/train/stage_data.h"
#include "raven/weights/model_card.h"

namespace raven::selftrain {
namespace {

namespace fs = std::filesystem;
using config::FinetuneConfig;
using config::SelftrainConfig;
using train::Outcome;

constexpr const char* kSettings = "selftrain.json";

/// Refuses a folder of other settings, but for the number of rounds and the student, whose own
/// folder knows what it may change.
void claim(const SelftrainConfig& config, const std::string& yaml) {
  const auto file = fs::path(config.run.dir) / kSettings;
  auto here = config::flatten(config);
  std::erase_if(here, [](const auto& one) {
    return one.first == "rounds" || one.first.starts_with("student.");
  });
  auto there = artifacts::read_flat_config(file);
  std::erase_if(there, [](const auto& one) { return one.first.starts_with("student."); });
  if (!there.empty()) {
    const auto differing = artifacts::differences(there, here);
    if (!differing.empty()) {
      throw ConfigError(fmt::format(
          "{}: its rounds were begun with other settings:\n  {}\nchoose another run.dir, or the "
          "same settings; rounds may grow",
          config.run.dir, fmt::join(differing, "\n  ")));
    }
  }
  write_file_atomically(file, artifacts::flat_config_json(here));
  write_file_atomically(fs::path(config.run.dir) / "config.yaml", yaml);
}

/// The student's configuration for a round; `more` overrides come last.
config::Resolved<FinetuneConfig> student_of(const SelftrainConfig& config, std::int64_t round,
                                            const std::vector<std::string>& more) {
  auto overrides =
      std::vector<std::string>{fmt::format("run.seed={}", config.run.seed),
                               fmt::format("device={}", config::enum_name(config.device)),
                               fmt::format("threads={}", config.threads)};
  overrides.insert(overrides.end(), config.student.set.begin(), config.student.set.end());
  overrides.push_back(
      config::text_override("run.dir", (round_folder(config, round) / kStudentFolder).string()));
  overrides.insert(overrides.end(), more.begin(), more.end());
  try {
    return config::load<FinetuneConfig>(config.student.config, overrides);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("the student's configuration: {}", error.what()));
  }
}

/// Counts of a published list only make batches, those of a list of ours are promises: they are
/// taken from what the labeller recognised.
void take_lengths(const fs::path& recognised, data::Manifest& kept) {
  const auto is_approximate = [](const auto& one) { return one.length_is_approximate; };
  if (std::ranges::none_of(kept.utterances, is_approximate) || !fs::exists(recognised)) return;
  std::map<std::string, std::int64_t> frames;
  for (const auto& one : data::read_manifest(recognised).utterances) frames[one.id] = one.frames;
  for (auto& one : kept.utterances) {
    const auto found = frames.find(one.id);
    if (found != frames.end()) one.frames = found->second;
  }
}

struct Labeller {
  SelftrainConfig config;  // with the search that its file asks for
  evaluation::LoadedRecognizer recognizer;
};

enum class WithLm { kYes, kNo };

Labeller load_labeller(const std::string& path, const Options& options, WithLm with_lm) {
  Labeller labeller{.config = {}, .recognizer = evaluation::load_recognizer(path)};
  labeller.config = options.load(labeller.recognizer.decoding);
  auto& settings = labeller.recognizer.settings;
  settings.whole_sound = labeller.config.unlabelled.whole_sound.value_or(settings.whole_sound);
  auto& decode = labeller.config.decode;
  if (with_lm == WithLm::kNo) decode.lm.clear();
  if (!decode.lm.empty()) {
    auto& model = labeller.recognizer.language_model;
    model = evaluation::load_language_model(decode.lm);
    evaluation::check_same_units(model, labeller.recognizer.units, path);
  }
  return labeller;
}

config::EvaluateConfig evaluation_of(const Labeller& labeller) {
  config::EvaluateConfig config;
  config.device = labeller.config.device;
  config.threads = labeller.config.threads;
  config.data = labeller.config.unlabelled;
  config.decode = labeller.config.decode;
  config.decode.nbest = std::max<std::int64_t>(config.decode.nbest, 1);
  config.scoring.bootstrap = 0;
  return config;
}

/// The best text of each utterance.
std::map<std::string, std::string> texts_of(const fs::path& nbest) {
  std::map<std::string, std::string> texts;
  for (const auto& list : evaluation::read_nbest(nbest))
    texts[list.id] = list.alternatives.empty() ? "" : list.alternatives.front().text;
  return texts;
}

class Rounds {
 public:
  Rounds(const SelftrainConfig& config, const Options& options, distributed::JoinedRanks& joined)
      : config_(config), options_(options), joined_(joined), ranks_(joined.all()) {}

  Outcome run() {
    const auto problem = options_.load_device ? options_.load_device(config_.device) : "";
    nn::set_threads(distributed::agree_on_threads(ranks_, config_.threads));
    nn::set_precision(config::Precision::kFp32);
    device_ = nn::choose_device(config_.device, problem, joined_.launch().local_rank);
    train::check_same_start(ranks_, config::flatten(config_));
    const auto student = student_of(config_, 1, {});  // or what is wrong is told before any label
    student_lists_ = student.config.data.pseudo_manifest;
    read_unlabelled(student.config);
    std::optional<FolderLock> lock;
    if (writes()) {
      make_folders(config_.run.dir);
      lock.emplace(config_.run.dir);
      claim(config_, options_.yaml);
    }
    auto labeller = config_.labeller;
    for (std::int64_t round = 1; round <= config_.rounds; ++round) {
      const auto folder = round_folder(config_, round);
      const bool is_labelled = ranks_.any(writes() && fs::exists(folder / kPseudoFile));
      if (!is_labelled && !label(labeller, folder)) return Outcome::kStopped;
      if (train_student(round) == Outcome::kStopped) return Outcome::kStopped;
      labeller = (folder / kStudentFolder).string();
    }
    if (writes()) {
      log::info("done: {} round{}; the last student is {}", config_.rounds,
                config_.rounds == 1 ? "" : "s", labeller);
    }
    return Outcome::kDone;
  }

 private:
  /// Without clips whose true label the student has.
  void read_unlabelled(const FinetuneConfig& student) {
    std::vector<fs::path> lists(config_.unlabelled.manifest.begin(),
                                config_.unlabelled.manifest.end());
    const auto& roots = config_.unlabelled;
    unlabelled_ = data::read_manifests(
        lists, data::media_roots(roots.video_root, roots.audio_root, "unlabelled.video_root",
                                 "unlabelled.audio_root"));
    std::set<std::string> labelled;
    for (auto& utterance : train::training_data(student.data).utterances)
      labelled.insert(std::move(utterance.id));
    const auto passed_over = std::erase_if(unlabelled_.utterances, [&](const auto& utterance) {
      return labelled.contains(utterance.id);
    });
    if (passed_over > 0)
      log::info("{} clips of unlabelled.manifest are labelled and passed over", passed_over);
    if (unlabelled_.utterances.empty()) {
      throw ConfigError(fmt::format("unlabelled.manifest: nothing is left to label in {}",
                                    fmt::join(config_.unlabelled.manifest, ", ")));
    }
    check_for_student(student);
  }

  /// What the student could not learn from is told before hours of labelling.
  void check_for_student(const FinetuneConfig& student) const {
    train::require_input(student, unlabelled_);
    train::refuse_test_clips(student.data, unlabelled_, "unlabelled.manifest");
    const auto is_too_long = [&](const auto& one) {
      return one.frames > student.data.max_frames && !one.length_is_approximate;
    };
    const auto longest = std::ranges::find_if(unlabelled_.utterances, is_too_long);
    if (longest == unlabelled_.utterances.end()) return;
    throw ConfigError(fmt::format(
        "{}: '{}' has {} frames, more than a batch of the student may hold; raise data.max_frames "
        "in student.set (now {}), or leave it out ({} such clips)",
        longest->origin.text(unlabelled_.file), printable(longest->id), longest->frames,
        student.data.max_frames, std::ranges::count_if(unlabelled_.utterances, is_too_long)));
  }

  void tell_grey(const Labeller& labeller) const {
    const auto& file = labeller.recognizer.file;
    if (labeller.recognizer.settings.modality != config::Modality::kVideo ||
        !weights::saw_published_grey(file))
      return;
    if (const auto line = data::tell_luma(unlabelled_, file.string()); !line.empty())
      log::warn("{}", line);
  }

  /// What a recognizer says of every clip, in `folder`; empty when a stop was asked for.
  std::optional<evaluation::Scores> decode(Labeller& labeller, const fs::path& folder) {
    const auto& name = labeller.recognizer.file.string();
    evaluation::require_input(unlabelled_, labeller.recognizer.settings.modality, name);
    const evaluation::EvaluationSet set{.manifest = unlabelled_, .name = "unlabelled"};
    return evaluation::evaluate_set(
        labeller.recognizer, set, evaluation_of(labeller), device_, folder, options_.stop,
        [&](std::int64_t done, std::int64_t total) {
          if (options_.progress) options_.progress(name, done, total);
        },
        evaluation::OtherResults::kReplace, ranks_);
  }

  /// False when a stop was asked for. The list of kept labels is written last: where it is, all is.
  bool label(const std::string& path, const fs::path& folder) {
    if (writes()) make_folders(folder);
    auto labeller = load_labeller(path, options_, WithLm::kYes);  // or says what is wrong with it
    std::map<std::string, std::string> others;
    if (!config_.filter.other.empty()) {
      // Its texts are compared, not its units: a language model of the labeller's is not for it.
      auto other = load_labeller(config_.filter.other, options_, WithLm::kNo);
      tell_grey(other);
      const auto said = decode(other, folder / "other");
      if (!said) return false;
      if (writes()) others = texts_of(folder / "other" / "nbest.jsonl");
    }
    log::info("{} labels {} clips", path, unlabelled_.utterances.size());
    tell_grey(labeller);
    const auto scores = decode(labeller, folder / kLabelsFolder);
    if (!scores) return false;
    if (writes()) {
      auto labels =
          labels_of(unlabelled_, evaluation::read_nbest(folder / kLabelsFolder / "nbest.jsonl"),
                    labeller.recognizer.units, others);
      judge(labels, config_.filter);
      write(labels, *scores, folder);
    }
    ranks_.barrier();  // the student's list is there for all
    return true;
  }

  void write(const std::vector<PseudoLabel>& labels, const evaluation::Scores& scores,
             const fs::path& folder) const {
    std::vector<std::string> parts;
    for (const auto& [reason, count] : count_by_reason(labels))
      parts.push_back(fmt::format("{} {}", reason, count));
    log::info("{} labels: {}", labels.size(), fmt::join(parts, ", "));
    std::map<std::string, std::string> truth;
    for (const auto& one : scores.utterances) truth[one.result.id] = one.result.reference;
    const auto errors = errors_by_share(labels, truth);
    if (!errors.empty()) write_errors(folder / kErrorsFile, errors);
    if (!errors.empty() && errors.back().labels > 0) {
      log::info(
          "{} of them have a transcript: word error of the kept labels {:.1f} %, of all {:.1f} %",
          truth.size(), 100 * errors.back().rate(), 100 * scores.totals.wer());
    }
    write_labels(folder / kLabelsFile, labels);
    auto kept = kept_utterances(unlabelled_, labels);
    if (kept.utterances.empty()) {
      throw ConfigError(fmt::format(
          "{}: not one of {} labels is kept ({}); loosen filter.*, or take a better "
          "labeller; {} tells why for each",
          folder.string(), labels.size(), fmt::join(parts, ", "), (folder / kLabelsFile).string()));
    }
    take_lengths(folder / kLabelsFolder / "recognised.tsv", kept);
    kept.file = folder / kPseudoFile;
    data::write_manifest(kept);
  }

  Outcome train_student(std::int64_t round) {
    auto lists = student_lists_;
    lists.push_back((round_folder(config_, round) / kPseudoFile).string());
    auto resolved =
        student_of(config_, round, {config::list_override("data.pseudo_manifest", lists)});
    const auto& dir = resolved.config.run.dir;
    log::info("round {}: the student learns in {}", round, dir);
    train::FinetuneStage stage(resolved.config);
    return train::run_session(stage, {.yaml = resolved.yaml,
                                      .overrides = config_.student.set,
                                      .stop = options_.stop,
                                      .load_device = options_.load_device,
                                      .ranks = &joined_});
  }

  [[nodiscard]] bool writes() const { return ranks_.rank() == 0; }

  const SelftrainConfig& config_;
  const Options& options_;
  distributed::JoinedRanks& joined_;
  distributed::Communicator& ranks_;
  torch::Device device_ = torch::kCPU;
  std::vector<std::string> student_lists_;  // pseudo-labels of before that it learns from, too
  data::Manifest unlabelled_;
};

}  // namespace

fs::path round_folder(const SelftrainConfig& config, std::int64_t round) {
  return fs::path(config.run.dir) / fmt::format("round_{}", round);
}

Outcome self_train(const SelftrainConfig& config, const Options& options) {
  distributed::JoinedRanks joined(config.distributed, options.stop);
  return joined.run(
      [&](distributed::Communicator&) { return Rounds(config, options, joined).run(); });
}

}  // namespace raven::selftrain
