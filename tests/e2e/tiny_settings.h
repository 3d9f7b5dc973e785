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

}  // namespace raven
