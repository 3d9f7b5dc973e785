#include "corpus/landmark_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text_file.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/corpus/landmarks.h"

namespace raven::corpus {
namespace {

constexpr double kMaxFrames = 10'000'000;  // four days; 4 bytes each
constexpr std::int32_t kNoRow = -1;

FacePoints nowhere() {
  FacePoints face;
  face.fill({std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()});
  return face;
}

struct Columns {
  std::array<std::size_t, kNumFacePoints> x{}, y{};
  std::optional<std::size_t> frame, success;
  std::size_t count = 0;
};

class TableReader {
 public:
  TableReader(const std::string& content, const std::string& name)
      : lines_(content, name), name_(name) {}

  Faces read() {
    const auto header = lines_.next();
    if (!header) refuse("is empty; a header line that names the columns is expected");
    columns_ = columns_of(*header);
    while (const auto line = lines_.next()) {
      if (trimmed(*line).empty()) continue;
      auto fields = split(*line, ',');
      if (line->ends_with(',')) fields.emplace_back();  // the last one is empty
      add(fields);
    }
    if (rows_.empty()) throw DataError(fmt::format("{}: holds no frames", name_), "no-face");
    auto rows = std::make_shared<const std::vector<FacePoints>>(std::move(rows_));
    return {.count = std::ssize(row_of_), .at = [rows, row_of = std::move(row_of_)](auto frame) {
              const auto row = row_of.at(static_cast<std::size_t>(frame));
              return row == kNoRow ? nowhere() : (*rows)[static_cast<std::size_t>(row)];
            }};
  }

 private:
  [[noreturn]] void refuse(const std::string& problem) const {
    throw DataError(
        fmt::format("{}:{}: {}", name_, std::max<std::size_t>(lines_.number(), 1), problem),
        "landmarks");
  }

  [[nodiscard]] Columns columns_of(std::string_view header) const {
    const auto names = split(header, ',');
    const auto find = [&](const std::string& wanted) -> std::optional<std::size_t> {
      const auto found = std::ranges::find_if(
          names, [&](std::string_view name) { return trimmed(name) == wanted; });
      if (found == names.end()) return std::nullopt;
      return static_cast<std::size_t>(found - names.begin());
    };
    const auto find_point = [&](const char* axis, std::size_t point) {
      const auto found = find(fmt::format("{}_{}", axis, point));
      const auto either = found ? found : find(fmt::format("{}{}", axis, point));
      if (!either) {
        refuse(fmt::format("no column {}_{}; expected x_0 to x_67 and y_0 to y_67, pixels", axis,
                           point));
      }
      return *either;
    };
    Columns columns{.frame = find("frame"), .success = find("success"), .count = names.size()};
    for (std::size_t i = 0; i < kNumFacePoints; ++i)
      columns.x[i] = find_point("x", i), columns.y[i] = find_point("y", i);
    return columns;
  }

  /// NaN for an empty field.
  [[nodiscard]] double number(std::string_view field) const {
    const auto text = trimmed(field);
    if (text.empty()) return std::numeric_limits<double>::quiet_NaN();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) refuse("a field is no number");
    return value;
  }

  [[nodiscard]] std::size_t frame_of(const std::vector<std::string_view>& fields) const {
    if (!columns_.frame) return row_of_.size();
    const auto frame = number(fields[*columns_.frame]) - (columns_.success ? 1 : 0);
    if (!(frame >= 0 && frame < kMaxFrames) || frame != std::floor(frame))
      refuse("the column frame does not number the frames");
    return static_cast<std::size_t>(frame);
  }

  void add(const std::vector<std::string_view>& fields) {
    if (fields.size() != columns_.count)
      refuse(fmt::format("{} fields, but the header has {}", fields.size(), columns_.count));
    const auto frame = frame_of(fields);
    if (row_of_.size() <= frame) row_of_.resize(frame + 1, kNoRow);
    if (row_of_[frame] != kNoRow) refuse("a frame comes twice; one face a frame is expected");
    row_of_[frame] = static_cast<std::int32_t>(rows_.size());
    rows_.push_back(nowhere());
    if (columns_.success && number(fields[*columns_.success]) == 0) return;
    for (std::size_t i = 0; i < kNumFacePoints; ++i)
      rows_.back()[i] = {number(fields[columns_.x[i]]), number(fields[columns_.y[i]])};
  }

  Lines lines_;
  const std::string& name_;
  Columns columns_;
  std::vector<std::int32_t> row_of_;  // by frame
  std::vector<FacePoints> rows_;
};

}  // namespace

std::optional<std::filesystem::path> find_landmark_file(const std::filesystem::path& file) {
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) return file;
  auto table = file;
  table.replace_extension(".csv");
  if (!std::filesystem::exists(table, ignored)) return std::nullopt;
  return table;
}

Faces read_landmark_file(const std::filesystem::path& file) {
  constexpr std::uint64_t kMaxLandmarkBytes = 256ULL << 20;
  const auto bytes = read_file(file, kMaxLandmarkBytes);
  return file.extension() == ".csv" ? read_landmark_table(bytes, file.string())
                                    : read_landmarks(bytes, file.string());
}

Faces read_landmark_table(const std::string& content, const std::string& name) {
  return TableReader(content, name).read();
}

}  // namespace raven::corpus
