// Files of torch.save against tests/parity/data/archives.json.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "raven/core/error.h"
#include "raven/weights/pytorch_archive.h"
#include "support/parity.h"

namespace raven {
namespace {

using nlohmann::json;
using weights::StoredValue;

constexpr double kDigits = 1e-8;  // values have 9 digits

bool is_tensor(const json& expected) { return expected.is_object() && expected.contains("dtype"); }

void expect_number(double actual, double expected, const std::string& where) {
  EXPECT_NEAR(actual, expected, kDigits * std::max(1e-30, std::abs(expected))) << where;
}

void expect_elements(const torch::Tensor& actual, const json& expected, const std::string& where) {
  ASSERT_EQ(static_cast<std::size_t>(actual.numel()), expected.size()) << where;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto place = where + " element " + std::to_string(i);
    const auto& one = expected[i];
    const auto element = actual[static_cast<std::int64_t>(i)];
    if (one.is_boolean()) {
      EXPECT_EQ(element.item<bool>(), one.get<bool>()) << place;
    } else if (one.is_number_integer()) {
      EXPECT_EQ(element.item<std::int64_t>(), one.get<std::int64_t>()) << place;
    } else {
      expect_number(element.item<double>(), one.get<double>(), place);
    }
  }
}

std::string dtype_name(const torch::Tensor& tensor) {
  static const std::map<torch::ScalarType, std::string> names = {
      {torch::kFloat32, "float32"}, {torch::kFloat16, "float16"}, {torch::kBFloat16, "bfloat16"},
      {torch::kFloat64, "float64"}, {torch::kInt64, "int64"},     {torch::kInt32, "int32"},
      {torch::kInt16, "int16"},     {torch::kInt8, "int8"},       {torch::kUInt8, "uint8"},
      {torch::kBool, "bool"},       {torch::kUInt16, "uint16"},   {torch::kUInt32, "uint32"},
      {torch::kUInt64, "uint64"}};
  return names.at(tensor.scalar_type());
}

void expect_tensor(const torch::Tensor& actual, const json& expected, const std::string& where) {
  EXPECT_EQ(dtype_name(actual), expected.at("dtype").get<std::string>()) << where;
  EXPECT_EQ(actual.sizes().vec(), expected.at("shape").get<std::vector<std::int64_t>>()) << where;
  const auto flat = actual.contiguous().flatten();
  if (expected.contains("values")) return expect_elements(flat, expected.at("values"), where);
  const auto ends = static_cast<std::int64_t>(expected.at("first").size());
  expect_elements(flat.slice(0, 0, ends), expected.at("first"), where + " from the front");
  expect_elements(
      flat.slice(0, flat.numel() - static_cast<std::int64_t>(expected.at("last").size())),
      expected.at("last"), where + " from the end");
  expect_number(flat.to(torch::kDouble).sum().item<double>(), expected.at("sum"), where + " sum");
}

void expect_value(const StoredValue& actual, const json& expected, const std::string& where) {
  if (is_tensor(expected)) {
    const auto* tensor = actual.as<torch::Tensor>();
    ASSERT_NE(tensor, nullptr) << where << " is no tensor";
    return expect_tensor(*tensor, expected, where);
  }
  switch (expected.type()) {
    case json::value_t::null:
      EXPECT_NE(actual.as<std::monostate>(), nullptr) << where;
      return;
    case json::value_t::boolean:
      ASSERT_NE(actual.as<bool>(), nullptr) << where;
      EXPECT_EQ(*actual.as<bool>(), expected.get<bool>()) << where;
      return;
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      ASSERT_NE(actual.as<std::int64_t>(), nullptr) << where;
      EXPECT_EQ(*actual.as<std::int64_t>(), expected.get<std::int64_t>()) << where;
      return;
    case json::value_t::number_float:
      ASSERT_NE(actual.as<double>(), nullptr) << where;
      return expect_number(*actual.as<double>(), expected.get<double>(), where);
    case json::value_t::string:
      ASSERT_NE(actual.as<std::string>(), nullptr) << where;
      EXPECT_EQ(*actual.as<std::string>(), expected.get<std::string>()) << where;
      return;
    case json::value_t::array: {
      const auto* list = actual.as<weights::StoredList>();
      ASSERT_NE(list, nullptr) << where;
      ASSERT_EQ(list->items.size(), expected.size()) << where;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        expect_value(list->items[i], expected[i], where + "[" + std::to_string(i) + "]");
      }
      return;
    }
    default:
      break;
  }
  const auto* dict = actual.as<weights::StoredDict>();
  ASSERT_NE(dict, nullptr) << where;
  EXPECT_EQ(dict->items.size(), expected.size()) << where;
  for (const auto& [key, value] : expected.items()) {
    const auto* found = dict->find(key);
    ASSERT_NE(found, nullptr) << where << " has no '" << key << "'";
    expect_value(*found, value, where + "." + key);
  }
}

/// What hostile archives of the set would write: files named so, and files beside the archives.
std::set<std::filesystem::path> written_files() {
  std::set<std::filesystem::path> found;
  const auto archives = parity::folder() / "archives";
  for (const auto& folder : {archives, parity::folder(), std::filesystem::temp_directory_path(),
                             std::filesystem::current_path()}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const bool named = entry.path().filename().string().find("pwned") != std::string::npos;
      if (named || folder == archives) found.insert(entry.path());
    }
  }
  return found;
}

TEST(ArchivesParity, ReadsWhatIsDataAndRefusesTheRest) {
  const auto file = parity::json("archives.json");
  const auto listed = parity::cases(file);
  const auto before = written_files();
  for (const auto& [name, content] : listed.items()) {
    const auto path = parity::path("archives/" + name);
    const auto outcome = content.at("outcome").get<std::string>();
    try {
      const auto archive = weights::read_pytorch_archive(path);
      EXPECT_NE(outcome, "refused") << name << " was read";
      if (content.contains("expected")) expect_value(archive.root, content.at("expected"), name);
    } catch (const CheckpointError& error) {
      EXPECT_NE(outcome, "reads") << error.what();
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(written_files(), before);
}

}  // namespace
}  // namespace raven
