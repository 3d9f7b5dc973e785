#include "raven/evaluation/decoded_with.h"

#include <spdlog/fmt/fmt.h>

namespace raven::evaluation {

std::string to_text(const DecodedWith& with) {
  auto text = with.weights;
  if (!with.step) return text + ": does not tell its step";
  text += fmt::format(": step {}", *with.step);
  if (with.steps) text += fmt::format(" of {}", *with.steps);
  if (with.averaged && *with.averaged > 1)
    text += fmt::format(", mean of {} checkpoints", *with.averaged);
  if (!with.best_by.empty())
    text += fmt::format(", the best on held-out clips by {}", with.best_by);
  if (with.is_finished() == false) text += ", the run is not finished";
  return text;
}

}  // namespace raven::evaluation
