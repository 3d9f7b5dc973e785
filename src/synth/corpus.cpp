#include "synth/corpus.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/media/film_writer.h"
#include "synth/clip.h"
#include "synth/draws.h"

namespace raven::synth {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxNumber = 99999;  // five digits in file names
constexpr const char* kPhonemeColumns = "begin_s\tend_s\tlabel\n";
constexpr const char* kPause = "_";  // begins espeak-ng's names of pauses, too

void check_range(const char* option, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    throw ConfigError(
        fmt::format("{} is {}, expected a number from {} to {}", option, value, low, high));
  }
}

/// NumPy's file format 1.0, little-endian.
std::string npy_file(const std::vector<cv::Point2f>& points, std::int64_t frames) {
  auto header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, 68, 2), }}", frames);
  constexpr std::size_t kPreamble = 10;  // magic, version, length
  while ((kPreamble + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  static_assert(sizeof(cv::Point2f) == 2 * sizeof(float));
  file.append(reinterpret_cast<const char*>(points.data()), points.size() * sizeof(cv::Point2f));
  return file;
}

}  // namespace

CorpusOptions resolved(CorpusOptions options) {
  check_range("--utterances", options.utterances, 1, kMaxNumber + 1);
  check_range("--speakers", options.speakers, 1, kMaxNumber + 1);
  check_range("--speaker-offset", options.speaker_offset, 0, kMaxNumber + 1 - options.speakers);
  check_range("--crf", options.crf, 0, 51);
  if (options.test_speakers < 0) {
    options.test_speakers =
        options.speakers < 2 ? 0 : std::max<std::int64_t>(1, (options.speakers + 2) / 5);
  }
  check_range("--test-speakers", options.test_speakers, 0, options.speakers - 1);
  if (options.out.empty()) throw ConfigError("--out names no folder");
  return options;
}

std::string describe(const CorpusOptions& o) {
  return fmt::format(
      "{{\n  \"format\": 1,\n  \"utterances\": {},\n  \"speakers\": {},\n  \"test_speakers\": {},\n"
      "  \"speaker_offset\": {},\n  \"seed\": {},\n  \"kind\": \"{}\",\n  \"crf\": {}\n}}\n",
      o.utterances, o.speakers, o.test_speakers, o.speaker_offset, o.seed, kind_name(o.kind),
      o.crf);
}

std::string UtterancePlan::speaker_name() const { return fmt::format("syn{:05}", speaker); }
std::string UtterancePlan::name() const { return fmt::format("{:05}", number); }

UtterancePlan plan_utterance(const CorpusOptions& options, std::int64_t number) {
  UtterancePlan plan;
  plan.number = number;
  plan.split = number % 10 == 0 ? "test" : number % 10 < 4 ? "trainval" : "pretrain";
  const auto training = options.speakers - options.test_speakers;
  // Drawn apart from the rest of the utterance, so that a sentence does not change with the number
  // of speakers.
  auto random = stream(options.seed, Purpose::kUtterance, number, 1);
  const bool own_speakers = plan.split == "test" && options.test_speakers > 0;
  const auto index =
      own_speakers ? training + random.below(options.test_speakers) : random.below(training);
  plan.speaker = options.speaker_offset + index;
  return plan;
}

std::vector<UtterancePlan> plan_corpus(const CorpusOptions& options) {
  std::vector<UtterancePlan> plans;
  for (std::int64_t number = 0; number < options.utterances; ++number) {
    plans.push_back(plan_utterance(options, number));
  }
  std::stable_sort(plans.begin(), plans.end(),
                   [](const auto& a, const auto& b) { return a.speaker < b.speaker; });
  return plans;
}

UtteranceFiles files_of(const CorpusOptions& options, const UtterancePlan& plan) {
  const auto folder = options.out / plan.split / plan.speaker_name();
  return {folder / (plan.name() + ".mp4"),
          options.out / "landmarks" / plan.split / plan.speaker_name() / (plan.name() + ".npy"),
          options.out / "phonemes" / plan.split / plan.speaker_name() / (plan.name() + ".tsv"),
          folder / (plan.name() + ".txt")};
}

bool UtteranceFiles::complete() const {
  return fs::exists(text) && fs::exists(phonemes) && fs::exists(landmarks) && fs::exists(video);
}

std::string phonemes_file(const Clip& clip) {
  std::string text = kPhonemeColumns;
  double end_s = 0;  // of what is written
  const auto add = [&](double until_s, const std::string& label) {
    if (until_s <= end_s) return;
    text += fmt::format("{:.6f}\t{:.6f}\t{}\n", end_s, until_s, label);
    end_s = until_s;
  };
  for (const auto& phone : clip.phones) {
    add(clip.lead_s + phone.start_s, kPause);
    add(clip.lead_s + phone.end_s, phone.mnemonic.starts_with(kPause) ? kPause : phone.mnemonic);
  }
  add(static_cast<double>(clip.num_frames()) / kFramesPerSecond, kPause);
  return text;
}

void write_phonemes(const CorpusOptions& options, const std::vector<UtterancePlan>& plans) {
  std::string text = std::string("id\t") + kPhonemeColumns;
  for (const auto& plan : plans) {
    const auto content = read_file(files_of(options, plan).phonemes);
    const auto id = fmt::format("{}/{}/{}\t", plan.split, plan.speaker_name(), plan.name());
    Lines lines(content);
    lines.next();  // the columns
    while (const auto line = lines.next()) text += id + std::string(*line) + "\n";
  }
  write_file_atomically(options.out / "phonemes.tsv", text);
}

std::string text_file(const Clip& clip) {
  std::string text = "Text:  ";
  for (std::size_t i = 0; i < clip.words.size(); ++i)
    text += (i > 0 ? " " : "") + clip.words[i].word;
  text += "\nConf:  5\n\nWORD START END ASDSCORE\n";
  for (const auto& word : clip.words) {
    text += fmt::format("{} {:.2f} {:.2f} 10.0\n", word.word, word.start_s, word.end_s);
  }
  return text;
}

namespace {

media::YuvPicture::Plane plane_of(const cv::Mat& plane) {
  return {.pixels = plane.ptr(), .stride = static_cast<std::int64_t>(plane.step[0])};
}
media::YuvPicture view_of(const Picture& picture) {
  return {
      .luma = plane_of(picture.luma), .blue = plane_of(picture.blue), .red = plane_of(picture.red)};
}

std::vector<float> floats_of(const std::vector<std::int16_t>& samples) {
  std::vector<float> values;
  for (const auto sample : samples) values.push_back(static_cast<float>(sample) / 32768.0F);
  return values;
}

}  // namespace

UtteranceMaker::UtteranceMaker(const CorpusOptions& options) : options_(options) {}

Face& UtteranceMaker::face_of(std::int64_t speaker) {
  if (speaker != face_speaker_) {
    face_.emplace(Speaker::random(options_.seed, speaker));
    face_speaker_ = speaker;
  }
  return *face_;
}

UtteranceCost UtteranceMaker::make(const UtterancePlan& plan) {
  auto random = stream(options_.seed, Purpose::kUtterance, plan.number);
  auto& face = face_of(plan.speaker);
  const auto& speaker = face.speaker();
  auto voice = speaker.voice;
  voice.pitch += static_cast<int>(clipped_normal(random, 3));
  voice.words_per_minute += static_cast<int>(clipped_normal(random, 6));
  const auto sentence = make_sentence(options_.kind, random);
  const auto clip = make_clip(sentence, voice, speech_, random);
  const auto frames = clip.num_frames();
  const Trajectory trajectory(clip.phones, clip.lead_s, speaker.style);
  const HeadMotion motion(options_.seed, plan.number,
                          static_cast<double>(frames) / kFramesPerSecond);

  const auto files = files_of(options_, plan);
  make_folders(files.video.parent_path());
  make_folders(files.landmarks.parent_path());
  make_folders(files.phonemes.parent_path());
  std::vector<cv::Point2f> points;
  replace_file(files.video, [&](const fs::path& temporary) {
    media::FilmWriter writer(temporary,
                             {.width = kFaceSize, .height = kFaceSize, .crf = options_.crf});
    for (std::int64_t frame = 0; frame < frames; ++frame) {
      const double time_s = Clip::frame_time_s(frame);
      const auto mouth = trajectory.at(time_s);
      const auto pose = motion.at(time_s, speaker);
      const auto grain = stream(options_.seed, Purpose::kFrame, plan.number, frame).bits();
      face.draw(mouth, pose, grain, picture_);
      writer.add(view_of(picture_));
      const auto marks = landmarks(speaker, mouth, View(pose));
      points.insert(points.end(), marks.begin(), marks.end());
    }
    writer.add(floats_of(clip.samples));
    writer.finish();
  });
  write_file_atomically(files.landmarks, npy_file(points, frames));
  write_file_atomically(files.phonemes, phonemes_file(clip));
  write_file_atomically(files.text, text_file(clip));
  return {frames, trajectory.unknown()};
}

}  // namespace raven::synth
