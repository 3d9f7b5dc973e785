#include "raven/config/needed_files.h"

#include <gmock/gmock.h>

#include "raven/config/pretrain_config.h"
#include "raven/config/stages.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> missing(const std::string& stage,
                                 const std::vector<std::string>& overrides) {
  const auto config = stage_named(stage).load({}, overrides, {.allow_missing = true});
  std::vector<std::string> found;
  for (const auto& [key, path] : missing_files(config.schema)) found.push_back(key + "=" + path);
  return found;
}

TEST(NeededFiles, AreThoseThatARunWouldRead) {
  const TemporaryFolder folder;
  const auto list = (folder.path() / "a.tsv").string(), none = (folder.path() / "none").string();
  write_file_atomically(list, "");
  EXPECT_THAT(missing("pretrain", {"data.manifest=[" + list + ", " + none + "]", "run.dir=" + none,
                                   "data.valid_manifest=" + none + "/v.tsv"}),
              ElementsAre("data.manifest=" + none, "data.valid_manifest=" + none + "/v.tsv"));
  EXPECT_THAT(missing("finetune", {"data.manifest=" + list, "model.init=" + folder.path().string(),
                                   "text.model=" + none}),
              ElementsAre("text.model=" + none));
  EXPECT_THAT(missing("evaluate", {"model=" + none, "data.manifest=" + list, "out=" + none}),
              ElementsAre("model=" + none));
  // The probe's vocabulary counts where there is a probe.
  const auto probe = "monitor.recognition.text.model=" + none;
  EXPECT_THAT(missing("pretrain", {probe}), IsEmpty());
  EXPECT_THAT(missing("pretrain", {probe, "monitor.recognition.enabled=true"}),
              ElementsAre("monitor.recognition.text.model=" + none));
}

}  // namespace
}  // namespace raven::config
