// Names of what lies in a run's folder.
#pragma once

namespace raven::artifacts {

inline constexpr const char* kCheckpoints = "checkpoints";
/// In it, a link to the newest one.
inline constexpr const char* kLast = "last";
/// Beside it, a link to that of the best evaluation, where a run keeps one.
inline constexpr const char* kBest = "best";

/// In a checkpoint's folder.
inline constexpr const char* kModelFile = "model.safetensors";
inline constexpr const char* kOptimizerFile = "optimizer.safetensors";
inline constexpr const char* kStateFile = "state.json";

/// The vocabulary of a fine-tuning run, in its folder: a units file.
inline constexpr const char* kUnitsFile = "units.txt";

/// What a run of fine-tuning writes at its end, in its folder.
inline constexpr const char* kRecognizerFile = "recognizer.safetensors";
/// Of which steps' checkpoints that is the mean, and how it reads beside the last of them.
inline constexpr const char* kRecognizerRecord = "recognizer.json";
/// What a run of language model training writes: the model at its end, at its start the bigram that
/// it is compared with.
inline constexpr const char* kLanguageModelFile = "language_model.safetensors";
inline constexpr const char* kBigramFile = "bigram.arpa";

}  // namespace raven::artifacts
