#include "raven/core/build_commit.h"

#include <utility>

namespace raven {
namespace {

std::string& commit() {
  static std::string known;
  return known;
}

}  // namespace

const std::string& build_commit() { return commit(); }
void set_build_commit(std::string known) { commit() = std::move(known); }

}  // namespace raven
