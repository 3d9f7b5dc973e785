#include "weights/stand_in.h"

#include <vector>

#include "raven/core/utf8.h"
#include "raven/nn/state_dict.h"

namespace raven::weights {

constexpr std::size_t kMaxListed = 8;

void check_names(const NamedTensors& in, const torch::nn::Module& model, const StandIn& stand_in,
                 const std::map<std::string, std::int64_t>& blocks,
                 const std::set<std::string>& may_lack) {
  std::map<std::string, Shape> wanted;
  for (const auto& [name, tensor] : nn::state_dict(model)) {
    const auto shape = stand_in.original(tensor.sizes().vec());
    const auto first = name.find("coders.0.");  // encoders and decoders
    if (first == std::string::npos) {
      wanted.emplace(name, shape);
      continue;
    }
    const auto list = name.substr(0, first + 7);
    for (std::int64_t i = 0; i < blocks.at(list); ++i) {
      wanted.emplace(fmt::format("{}{}{}", list, i, name.substr(first + 8)), shape);
    }
  }
  std::vector<std::string> problems;
  for (const auto& [name, shape] : wanted) {
    const auto found = in.shapes().find(name);
    if (found == in.shapes().end()) {
      if (may_lack.count(name) == 0) problems.push_back("missing " + name);
    } else if (found->second != shape) {
      problems.push_back(fmt::format("{} is [{}] instead of [{}]", name,
                                     fmt::join(found->second, ", "), fmt::join(shape, ", ")));
    }
  }
  for (const auto& [name, shape] : in.shapes()) {
    if (wanted.count(name) == 0) problems.push_back("unexpected " + printable(name));
  }
  if (problems.empty()) return;
  const auto count = problems.size();
  if (count > kMaxListed) {
    problems.resize(kMaxListed);
    problems.push_back(fmt::format("and {} more", count - kMaxListed));
  }
  in.refuse(
      fmt::format("does not fit the model that its shapes tell: {}", fmt::join(problems, "; ")));
}

}  // namespace raven::weights
