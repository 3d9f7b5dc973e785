#include "raven/weights/inspection.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "raven/core/error.h"
#include "raven/core/sha256.h"

namespace raven::weights {
namespace {

constexpr std::int64_t kPiece = 1 << 20;  // elements that are turned into doubles at once

std::string_view bytes_of(const torch::Tensor& contiguous) {
  return {static_cast<const char*>(contiguous.const_data_ptr()), contiguous.nbytes()};
}

std::string shape_text(const torch::Tensor& tensor) {
  return fmt::format("{} [{}]", type_name(tensor.scalar_type()), fmt::join(tensor.sizes(), ", "));
}

/// Calls `use` with pieces of the flattened tensor as doubles.
template <class Use>
void in_pieces(const torch::Tensor& contiguous, Use use) {
  const auto flat = contiguous.flatten();
  for (std::int64_t begin = 0; begin < flat.numel(); begin += kPiece) {
    use(flat.slice(0, begin, std::min(begin + kPiece, flat.numel())).to(torch::kFloat64));
  }
}

void measure(const torch::Tensor& contiguous, TensorFacts& facts) {
  double squares = 0, least = std::numeric_limits<double>::infinity(), greatest = -least;
  in_pieces(contiguous, [&](const torch::Tensor& piece) {
    const auto* values = piece.const_data_ptr<double>();
    for (std::int64_t i = 0; i < piece.numel(); ++i) {
      const double value = values[i];
      if (!std::isfinite(value)) {
        ++facts.not_finite;
        continue;
      }
      squares += value * value;
      least = std::min(least, value);
      greatest = std::max(greatest, value);
    }
  });
  facts.norm = std::sqrt(squares);
  if (least <= greatest) facts.least = least, facts.greatest = greatest;
  facts.sha256 = sha256(bytes_of(contiguous));
}

bool wanted(const std::string& name, const InspectOptions& options) {
  return name.find(options.only) != std::string::npos;
}

/// Of two tensors of one type and shape.
void measure(const torch::Tensor& first, const torch::Tensor& second, TensorDifference& result) {
  const auto a = first.contiguous(), b = second.contiguous();
  result.equal =
      bytes_of(a).size() == bytes_of(b).size() &&
      (a.nbytes() == 0 || std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0);
  if (result.equal) return;
  const auto flat = b.flatten();
  std::int64_t begin = 0;
  in_pieces(a, [&](const torch::Tensor& piece) {
    const auto other = flat.slice(0, begin, begin + piece.numel()).to(torch::kFloat64);
    begin += piece.numel();
    const auto *x = piece.const_data_ptr<double>(), *y = other.const_data_ptr<double>();
    for (std::int64_t i = 0; i < piece.numel(); ++i) {
      if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
      ++result.different;
      const double distance = std::abs(x[i] - y[i]);
      const bool known = !std::isnan(distance) && !std::isnan(result.greatest_difference);
      result.greatest_difference = known ? std::max(result.greatest_difference, distance)
                                         : std::numeric_limits<double>::quiet_NaN();
    }
  });
}

void forget(const TensorFile& file, const torch::Tensor& tensor) {
  if (file.mapping) file.mapping->forget(tensor.const_data_ptr(), tensor.nbytes());
}

}  // namespace

std::string type_name(c10::ScalarType type) {
  switch (type) {
    case c10::ScalarType::Double:
      return "float64";
    case c10::ScalarType::Float:
      return "float32";
    case c10::ScalarType::Half:
      return "float16";
    case c10::ScalarType::BFloat16:
      return "bfloat16";
    case c10::ScalarType::Long:
      return "int64";
    case c10::ScalarType::Int:
      return "int32";
    case c10::ScalarType::Short:
      return "int16";
    case c10::ScalarType::Char:
      return "int8";
    case c10::ScalarType::Byte:
      return "uint8";
    case c10::ScalarType::UInt16:
      return "uint16";
    case c10::ScalarType::UInt32:
      return "uint32";
    case c10::ScalarType::UInt64:
      return "uint64";
    case c10::ScalarType::Bool:
      return "bool";
    default:
      return c10::toString(type);
  }
}

std::string tensor_sha256(const torch::Tensor& tensor) {
  return sha256(bytes_of(tensor.cpu().contiguous()));
}

Inspection inspect(const std::filesystem::path& file, const InspectOptions& options) {
  return inspect(open_weights(file), options);
}

Inspection inspect(const WeightsFile& weights, const InspectOptions& options) {
  Inspection result{.file = weights.content.mapping->name(), .format = format_name(weights.format)};
  result.file_bytes = weights.content.mapping->bytes().size();
  result.numbers = options.numbers;
  if (options.numbers) result.sha256 = sha256_and_verify(*weights.content.mapping);
  for (const auto& [name, tensor] : weights.content.tensors) {
    if (!wanted(name, options)) continue;
    TensorFacts facts{.name = name,
                      .type = type_name(tensor.scalar_type()),
                      .shape = tensor.sizes().vec(),
                      .bytes = tensor.nbytes()};
    if (options.numbers) measure(tensor.contiguous(), facts);
    result.tensors.push_back(std::move(facts));
    forget(weights.content, tensor);
  }
  for (const auto& item : weights.content.metadata) result.metadata.emplace_back(item);
  for (const auto& item : weights.values) result.metadata.push_back(item);
  return result;
}

std::vector<TensorDifference> compare(const std::filesystem::path& first,
                                      const std::filesystem::path& second,
                                      const InspectOptions& options) {
  const auto a = open_weights(first), b = open_weights(second);
  std::map<std::string_view, const torch::Tensor*> of_second;
  for (const auto& [name, tensor] : b.content.tensors) of_second.emplace(name, &tensor);
  std::vector<TensorDifference> differences;
  for (const auto& [name, tensor] : a.content.tensors) {
    if (!wanted(name, options)) continue;
    TensorDifference one{.name = name, .first = shape_text(tensor)};
    if (const auto found = of_second.find(name); found != of_second.end()) {
      one.second = shape_text(*found->second);
      if (one.first == one.second && options.numbers) measure(tensor, *found->second, one);
      if (one.first == one.second && !options.numbers) one.equal = true;
      forget(a.content, tensor);
      forget(b.content, *found->second);
      of_second.erase(found);
    }
    differences.push_back(std::move(one));
  }
  for (const auto& [name, tensor] : b.content.tensors) {
    if (!wanted(name, options) || of_second.count(name) == 0) continue;
    differences.push_back({.name = name, .second = shape_text(tensor)});
  }
  return differences;
}

}  // namespace raven::weights
