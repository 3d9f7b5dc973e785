// A folder that only stays where something came of it.
#pragma once

#include <filesystem>

namespace raven::evaluation {

/// Makes a folder; it goes again, with those above it that were made for it, unless it is kept. One
/// that was there before stays. Throws SystemError.
class NewFolder {
 public:
  explicit NewFolder(const std::filesystem::path& folder);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  void keep() { first_made_.clear(); }

 private:
  std::filesystem::path folder_, first_made_;
};

}  // namespace raven::evaluation
