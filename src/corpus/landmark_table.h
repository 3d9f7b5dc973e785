// Landmarks as a table of comma-separated values, as OpenFace and spreadsheets write them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "raven/corpus/faces.h"

namespace raven::corpus {

/// `file`, an array, or where there is none the table beside it (.csv); empty: neither is there.
std::optional<std::filesystem::path> find_landmark_file(const std::filesystem::path& file);

/// A table where it is called .csv, else an array (read_landmarks()). Throws as they do.
Faces read_landmark_file(const std::filesystem::path& file);

/// A header line names the columns: x_0 .. x_67 and y_0 .. y_67 (or x0, y0), pixels; `frame`, from
/// 0, or from 1 where OpenFace's column `success` is there, in which 0 stands for no face; others
/// are passed over. Without a column `frame`, each line is a frame. Frames without a line have no
/// face, and neither has one with an empty field. Throws DataError with `name` and the line:
/// "landmarks" for other columns, another number of fields, what is no number, a frame that comes
/// twice; "no-face" where there is no line but the header.
Faces read_landmark_table(const std::string& content, const std::string& name);

}  // namespace raven::corpus
