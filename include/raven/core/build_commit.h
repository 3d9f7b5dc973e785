// Which source the program was built from.
#pragma once

#include <string>

namespace raven {

/// The commit of the source tree, with "+" where that had changes; empty where it is not known. The
/// program's own sources alone know it (cli), since all that is built anew with each commit must
/// be linked anew.
const std::string& build_commit();
void set_build_commit(std::string commit);

}  // namespace raven
