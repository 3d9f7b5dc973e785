// The data that a stage's configuration names: lists of clips, a vocabulary.
#pragma once

#include <map>
#include <string>

#include "raven/artifacts/run_folder.h"
#include "raven/config/finetune_config.h"
#include "raven/config/pretrain_config.h"
#include "raven/data/manifest.h"
#include "raven/text/units.h"

namespace raven::train {

/// What pre-training learns from, each clip once: data.manifest, cut to data.max_utterances, and of
/// that data.hours; the log says how many are left. Throws ConfigError that says how to make a
/// missing file. What the utterances must have, the caller checks (require_input).
data::Manifest training_data(const config::PretrainDataConfig& config);

/// What fine-tuning learns from, each clip once: the labelled part of data.manifest, then
/// data.pseudo_manifest. Throws DataError ("duplicate") for a clip of both.
data::Manifest training_data(const config::LabelledDataConfig& config);

/// What an epoch shows: each clip as often as data.list_weights says of its list; of fine-tuning
/// data.labelled_repeats times as often, but once where it is of data.pseudo_manifest.
data::Manifest with_repeats(data::Manifest manifest, const config::PretrainDataConfig& config);
data::Manifest with_repeats(data::Manifest manifest, const config::LabelledDataConfig& config);

/// Of the frames of an epoch, those of clips of data.manifest.
double share_of_labelled(const data::Manifest& manifest, const config::LabelledDataConfig& config);

/// data.valid_manifest; empty when there is none.
data::Manifest held_out_data(const config::DataConfig& config);

/// data.test_manifest, which may list an id twice; empty when there is none.
data::Manifest test_data(const config::DataConfig& config);

/// Throws ConfigError naming file and line of an utterance that lacks what the stage learns from.
void require_input(const config::PretrainConfig& config, const data::Manifest& manifest);
void require_input(const config::FinetuneConfig& config, const data::Manifest& manifest);

/// Writes the vocabulary into a run's folder, whose checkpoints and results are of that one alone.
/// Throws ConfigError when the run was started with another.
void write_vocabulary(const artifacts::RunFolder& folder, const text::Units& units);

/// data.manifest for messages: "a.tsv, b.tsv".
std::string names_of(const config::DataConfig& config);

/// How many utterances and hours, for people.
std::map<std::string, std::string> facts_of(const data::Manifest& manifest);

}  // namespace raven::train
