#include "raven/decode/ctc_prefix_score.h"

namespace raven::decode {
namespace {

/// Numbers computed at once when every unit of the vocabulary is a candidate.
constexpr std::int64_t kMaxNumbersAtOnce = 1 << 24;

/// Log-domain running sum: out[t] = decay[t] + ln(exp(out[t - 1]) + exp(entering[t])), from
/// out[-1] = ln 0, all (..., T) float64. `decay` is divided out and put back, so that no loop over
/// frames is needed.
torch::Tensor accumulate(const torch::Tensor& entering, const torch::Tensor& decay) {
  const auto total = decay.cumsum(-1);
  return total + (entering - (total - decay)).logcumsumexp(-1);
}

/// x[t - 1] at t, `first` at 0.
torch::Tensor delayed(const torch::Tensor& x, double first) {
  return torch::constant_pad_nd(x.slice(-1, 0, x.size(-1) - 1), {1, 0}, first);
}

}  // namespace

CtcPrefixScore::CtcPrefixScore(const torch::Tensor& log_probs, const torch::Tensor& valid,
                               std::int64_t end_unit)
    : end_unit_(end_unit) {
  auto frames = log_probs.to(torch::kFloat32);
  if (valid.defined()) {
    auto certain_blank = torch::full({log_probs.size(2)}, kLogZero, frames.options());
    certain_blank[models::kBlank] = 0;
    frames = torch::where(valid.unsqueeze(-1), frames, certain_blank);
  }
  by_unit_ = frames.clamp_min(kLogZero).transpose(1, 2).contiguous();
  ends_in_blank_ =
      by_unit_.select(1, models::kBlank).to(torch::kFloat64).cumsum(-1).unsqueeze(1);  // (B, 1, T)
  ends_in_label_ = torch::full_like(ends_in_blank_, kLogZero);
  log_prob_ = torch::zeros({frames.size(0), 1}, ends_in_blank_.options());
  last_ = torch::full({frames.size(0), 1}, end_unit,
                      torch::TensorOptions(torch::kInt64).device(frames.device()));
}

torch::Tensor CtcPrefixScore::frames_of(const torch::Tensor& units) const {
  const auto first_rows =
      torch::arange(units.size(0), units.options()).mul_(by_unit_.size(1)).unsqueeze(1);
  const auto rows = (units.flatten(1) + first_rows).view(-1);
  auto shape = units.sizes().vec();
  shape.push_back(by_unit_.size(2));
  return by_unit_.flatten(0, 1).index_select(0, rows).view(shape);
}

torch::Tensor CtcPrefixScore::prefix_log_prob(const torch::Tensor& before,
                                              const torch::Tensor& frames) const {
  const auto entering = delayed(before, first_entry());
  if (length_ >= frames.size(-1)) {
    return torch::full_like(entering.select(-1, 0) + frames.select(-1, 0), kLogZero);
  }
  // Labels need a frame each, so the next one comes at frame `length_` at the earliest.
  return (entering.slice(-1, length_) + frames.slice(-1, length_))
      .logsumexp(-1)
      .clamp_min(kLogZero);
}

torch::Tensor CtcPrefixScore::score(const torch::Tensor& candidates) const {
  const auto either = torch::logaddexp(ends_in_label_, ends_in_blank_).to(torch::kFloat32);
  torch::Tensor log_probs, units = candidates;
  if (candidates.defined()) {
    log_probs = prefix_log_prob(either.unsqueeze(2), frames_of(candidates));  // (B, S, P)
  } else {
    const auto vocabulary = by_unit_.size(1);
    const auto at_once =
        std::max<std::int64_t>(kMaxNumbersAtOnce / std::max<std::int64_t>(by_unit_.numel(), 1), 1);
    std::vector<torch::Tensor> parts;
    for (const auto& some : either.split(at_once, 1)) {
      parts.push_back(prefix_log_prob(some.unsqueeze(2), by_unit_.unsqueeze(1)));
    }
    log_probs = torch::cat(parts, 1);  // (B, S, V)
    units = torch::arange(vocabulary, last_.options()).view({1, 1, vocabulary});
  }
  // A label that repeats the last one needs a blank between them.
  const auto repeated = prefix_log_prob(ends_in_blank_.to(torch::kFloat32), frames_of(last_));
  log_probs = torch::where(units == last_.unsqueeze(2), repeated.unsqueeze(2), log_probs);
  const auto ended = either.select(2, -1);
  log_probs = torch::where(units == end_unit_, ended.unsqueeze(2), log_probs)
                  .masked_fill(units == models::kBlank, kLogZero);
  return (log_probs.to(torch::kFloat64) - log_prob_.unsqueeze(2)).to(torch::kFloat32);
}

void CtcPrefixScore::select(const torch::Tensor& utterances, const torch::Tensor& parents,
                            const torch::Tensor& units, const torch::Tensor& log_probs) {
  const auto moved_on = [&](const torch::Tensor& x) {
    return nn::select_hypotheses(x, utterances, parents);
  };
  by_unit_ = by_unit_.index_select(0, utterances);
  const auto in_label = moved_on(ends_in_label_), in_blank = moved_on(ends_in_blank_);
  const auto repeats = (units == moved_on(last_)).unsqueeze(2);
  const auto before = torch::where(repeats, in_blank, torch::logaddexp(in_label, in_blank));
  const auto frames = frames_of(units).to(torch::kFloat64);  // (B', S', T)
  const auto blank = by_unit_.select(1, models::kBlank).to(torch::kFloat64).unsqueeze(1);
  ends_in_label_ = accumulate(delayed(before, first_entry()), frames).clamp_min(kLogZero);
  ends_in_blank_ =
      accumulate(delayed(ends_in_label_, kLogZero), blank.expand_as(frames)).clamp_min(kLogZero);
  // What does not fit into the frames has the logarithm of 0 itself, not the sum that led there:
  // whatever follows changes it by 0, as published.
  log_prob_ =
      torch::where(log_probs < kLogZero / 2, torch::full_like(log_probs, kLogZero), log_probs);
  last_ = units;
  ++length_;
}

}  // namespace raven::decode
