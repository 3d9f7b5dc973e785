#include "raven/evaluation/decoded_with.h"

#include <gtest/gtest.h>

namespace raven::evaluation {
namespace {

TEST(DecodedWith, TellsWhichWeightsOfTheRun) {
  DecodedWith with{.weights = "recognizer.safetensors", .step = 12, .steps = 24};
  EXPECT_EQ(to_text(with), "recognizer.safetensors: step 12 of 24, the run is not finished");
  with.best_by = "loss";
  with.averaged = 1;
  EXPECT_EQ(to_text(with),
            "recognizer.safetensors: step 12 of 24, the best on held-out clips by loss");
  EXPECT_EQ(with.is_finished(), true);
}

}  // namespace
}  // namespace raven::evaluation
