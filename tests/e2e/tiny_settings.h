// The smallest encoder and clips that commands are run with end to end.
#pragma once

#include <string>
#include <vector>

namespace raven {

inline const std::vector<std::string> kTinySettings = {"device=cpu",
                                                       "threads=1",
                                                       "data.workers=0",
                                                       "data.max_frames=64",
                                                       "data.video.shrink=4",
                                                       "data.video.crop=20",
                                                       "model.encoder.dim=16",
                                                       "model.encoder.heads=2",
                                                       "model.encoder.ffn_dim=32",
                                                       "model.encoder.blocks=1",
                                                       "model.video_frontend.widths=[4,4,8,8]",
                                                       "model.audio_frontend.widths=[4,4,8,8]",
                                                       "optimizer.warmup_steps=3",
                                                       "train.steps=24",
                                                       "log.every=4",
                                                       "checkpoint.every=3"};

/// What pre-training takes beside them.
inline const std::vector<std::string> kTinyPretraining = {"model.predictors.v2a.dim=16",
                                                          "model.predictors.v2a.heads=2",
                                                          "model.predictors.v2a.ffn_dim=32",
                                                          "model.predictors.a2a.dim=16",
                                                          "model.predictors.a2a.heads=2",
                                                          "model.predictors.a2a.ffn_dim=32",
                                                          "model.predictors.a2v.dim=16",
                                                          "model.predictors.a2v.heads=2",
                                                          "model.predictors.a2v.ffn_dim=32",
                                                          "teacher.momentum=0.99",
                                                          "optimizer.lr=0.003",
                                                          "monitor.every=10",
                                                          "monitor.probe_utterances=6"};

}  // namespace raven
