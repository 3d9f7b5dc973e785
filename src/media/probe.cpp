#include "raven/media/probe.h"

#include <algorithm>

#include "media/input.h"

namespace raven::media {

MediaInfo probe(const Source& source, const Limits& limits) {
  Input input(source);
  input.find_stream_info(limits);
  MediaInfo info;
  info.container = input.format().iformat->name;
  if (const AVStream* video = input.best(AVMEDIA_TYPE_VIDEO)) {
    check_video_header(input, *video, limits);
    info.has_video = true;
    info.video_codec = avcodec_get_name(video->codecpar->codec_id);
    info.width = video->codecpar->width;
    info.height = video->codecpar->height;
    const auto rate = video->avg_frame_rate.num > 0 ? video->avg_frame_rate : video->r_frame_rate;
    info.frame_rate_hz = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
    info.duration_s = info.video_duration_s = input.duration_s(*video);
  }
  if (const AVStream* audio = input.best(AVMEDIA_TYPE_AUDIO)) {
    check_audio_header(input, *audio, limits);
    info.has_audio = true;
    info.audio_codec = avcodec_get_name(audio->codecpar->codec_id);
    info.sample_rate_hz = audio->codecpar->sample_rate;
    info.channels = num_channels(*audio->codecpar);
    info.duration_s = std::max(info.duration_s, input.duration_s(*audio));
  }
  return info;
}

}  // namespace raven::media
