#include "raven/distributed/communicator.h"

namespace raven::distributed {

Communicator& one_rank() {
  static OneRank alone;
  return alone;
}

}  // namespace raven::distributed
