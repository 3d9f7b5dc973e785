// make_tiny_clips FOLDER [SEED]: the tests' clips, for scripts.
#include <cstdio>
#include <cstdlib>

#include "support/tiny_clips.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: make_tiny_clips FOLDER [SEED]\n");
    return 2;
  }
  const auto seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1ULL;
  std::printf("%s\n", raven::make_tiny_clips(argv[1], {.clips = 16, .seed = seed}).c_str());
}
