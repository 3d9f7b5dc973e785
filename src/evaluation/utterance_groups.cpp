#include "evaluation/utterance_groups.h"

#include <algorithm>
#include <sstream>

#include "raven/core/error.h"
#include "raven/data/batching.h"

namespace raven::evaluation {

namespace {

using Groups = std::vector<std::vector<std::int64_t>>;  // numbers of utterances

Groups all_groups(const data::Manifest& manifest, std::int64_t max_frames) {
  std::vector<std::int64_t> sizes;
  for (const auto& utterance : manifest.utterances)
    sizes.push_back(std::min(utterance.frames, max_frames));
  return data::pack_by_length(sizes, max_frames);
}

std::vector<std::size_t> unfinished(const data::Manifest& manifest, const Groups& groups,
                                    const std::function<bool(const std::string& id)>& done) {
  std::vector<std::size_t> numbers;
  const auto is_done = [&](std::int64_t i) {
    return done(manifest.utterances[static_cast<std::size_t>(i)].id);
  };
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (!std::ranges::all_of(groups[g], is_done)) numbers.push_back(g);
  }
  return numbers;
}

UtteranceGroups chosen(const data::Manifest& manifest, const Groups& groups,
                       const std::vector<std::size_t>& numbers) {
  UtteranceGroups result;
  for (const auto g : numbers) {
    for (const auto i : groups[g]) {
      const auto& utterance = manifest.utterances[static_cast<std::size_t>(i)];
      result.utterances.push_back(utterance);
      result.group_of[utterance.id] = g;
    }
  }
  return result;
}

}  // namespace

UtteranceGroups dealt_groups(const data::Manifest& manifest, std::int64_t max_frames,
                             const std::function<bool(const std::string& id)>& done,
                             distributed::Communicator& ranks) {
  const auto groups = all_groups(manifest, max_frames);
  std::string told;
  if (ranks.rank() == 0)
    told = fmt::format("{}", fmt::join(unfinished(manifest, groups, done), " "));
  std::istringstream numbers(distributed::texts_of_all(ranks, told).front());
  std::vector<std::size_t> own;
  std::int64_t k = 0;
  for (std::size_t g = 0; numbers >> g; ++k) {
    if (k % ranks.size() == ranks.rank()) own.push_back(g);
  }
  return chosen(manifest, groups, own);
}

void gather_skips(data::SkipRecord& skips, const data::Manifest& manifest, std::int64_t max_frames,
                  std::int64_t max_skipped, distributed::Communicator& ranks) {
  if (ranks.size() == 1) return;
  std::map<std::string, std::size_t> position;  // in the order in which one process reads
  for (const auto& group : all_groups(manifest, max_frames)) {
    for (const auto i : group)
      position.emplace(manifest.utterances[static_cast<std::size_t>(i)].id, position.size());
  }
  const auto id_of = [](const std::string& line) { return line.substr(0, line.find('\t')); };
  data::SkipRecord all;
  for (const auto& text :
       distributed::texts_of_all(ranks, fmt::format("{}", fmt::join(skips.lines, "\n")))) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const auto begin = line.find('\t') + 1;
      const bool goes_on = begin == 0;  // a message of several lines
      if (goes_on || !all.ids.insert(id_of(line)).second) continue;
      ++all.by_reason[line.substr(begin, line.find('\t', begin) - begin)];
      all.lines.push_back(line);
    }
  }
  std::ranges::stable_sort(all.lines, {}, [&](const std::string& line) {
    const auto found = position.find(id_of(line));
    return found == position.end() ? 0 : found->second + 1;
  });
  if (ranks.rank() == 0) skips = all;
  if (std::ssize(all.ids) > max_skipped) {
    throw SkipBudgetError(
        fmt::format("{}: {} utterances are unusable, data.max_skipped allows {}; the last one: {}",
                    manifest.names(), all.ids.size(), max_skipped, all.lines.back()));
  }
}

std::filesystem::path part_of_rank(const std::filesystem::path& file, std::int64_t rank) {
  return file.parent_path() /
         fmt::format("{}.rank_{}{}", file.stem().string(), rank, file.extension().string());
}

std::vector<std::filesystem::path> parts_of_ranks(const std::filesystem::path& file) {
  const auto begin = file.stem().string() + ".rank_", end = file.extension().string();
  std::vector<std::filesystem::path> parts;
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path())) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(begin) && name.ends_with(end)) parts.push_back(entry.path());
  }
  std::ranges::sort(parts);
  return parts;
}

data::LoaderOptions input_options(const weights::ModelSettings& model, const data::Manifest& all,
                                  std::uint64_t seed) {
  config::DataConfig data;
  data.video = model.video;
  data.waveform = model.waveform;
  auto options = data::held_out_options(data, static_cast<std::int64_t>(seed), all);
  options.read_video = model.modality == config::Modality::kVideo;
  options.read_audio = !options.read_video;
  options.whole_sound = model.whole_sound;
  return options;
}

bool read_each(const data::Manifest& manifest, const data::LoaderOptions& options,
               const torch::Device& device, const std::stop_token& stop,
               const std::function<void(const data::Batch& one)>& see) {
  if (manifest.utterances.empty()) return true;
  data::Loader loader(manifest, options);
  while (const auto batch = loader.next()) {
    for (std::int64_t b = 0; b < std::ssize(batch->ids); ++b) {
      if (stop.stop_requested()) return false;
      see(batch->row(b).to(device));
    }
  }
  return true;
}

PaddedFrames pad_frames(const std::vector<torch::Tensor>& utterances) {
  const auto& first = utterances.front();
  if (utterances.size() == 1) return {.frames = first, .valid = {}};
  std::int64_t longest = 0;
  for (const auto& one : utterances) longest = std::max(longest, one.size(1));
  const auto count = std::ssize(utterances);
  auto frames = torch::zeros({count, longest, first.size(2)}, first.options());
  auto valid = torch::zeros({count, longest}, first.options().dtype(torch::kBool));
  for (std::int64_t b = 0; b < count; ++b) {
    const auto& one = utterances[static_cast<std::size_t>(b)];
    frames[b].narrow(0, 0, one.size(1)).copy_(one[0]);
    valid[b].narrow(0, 0, one.size(1)).fill_(true);
  }
  return {.frames = frames, .valid = valid};
}

}  // namespace raven::evaluation
