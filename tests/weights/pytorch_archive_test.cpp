#include "raven/weights/pytorch_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/archive_bytes.h"
#include "support/resident.h"
#include "support/sanitized.h"
#include "support/temporary_folder.h"
#include "weights/hostile_archives.h"

namespace raven::weights {
namespace {

namespace fs = std::filesystem;
using archive_bytes::Pickle;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

void write(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

/// The value of "w" in an archive with that pickle.
const StoredValue& only_value(const PytorchArchive& archive) {
  return archive.root.as<StoredDict>()->items.at(0).value;
}

PytorchArchive parsed(const std::function<void(Pickle&)>& value, int protocol = 2) {
  return parse_pytorch_archive(holds(value, protocol), "test.pth");
}

TEST(PytorchArchive, ReadsBothLayouts) {
  const TemporaryFolder folder;
  const auto zip = archive_bytes::archive(archive_bytes::good_pickle());
  write(folder.path() / "zip.pth", zip);
  write(folder.path() / "old.pth", archive_bytes::good_legacy_file());
  const auto expected = torch::full({3, 4}, 0x01010101, torch::kInt32).view(torch::kFloat32);
  for (const auto& [name, layout] :
       {std::pair("zip.pth", ArchiveLayout::kZip), std::pair("old.pth", ArchiveLayout::kLegacy)}) {
    const auto archive = read_pytorch_archive(folder.path() / name);
    EXPECT_EQ(archive.layout, layout);
    EXPECT_TRUE(torch::equal(*only_value(archive).as<torch::Tensor>(), expected)) << name;
  }
}

TEST(PytorchArchive, BuildsEveryKindOfValue) {
  const auto archive = parse_pytorch_archive(
      archive_bytes::archive(Pickle(4)
                                 .op(0x95, archive_bytes::little(std::uint64_t{1}))  // FRAME
                                 .dict()
                                 .op(0x94)  // MEMOIZE
                                 .mark()
                                 .text("none")
                                 .none()
                                 .text("true")
                                 .op(0x88)
                                 .text("small")
                                 .op('K', "\xc8")
                                 .text("medium")
                                 .op('M', "\x01\x80")
                                 .text("negative")
                                 .op('J', archive_bytes::little(std::int32_t{-5}))
                                 .text("long")
                                 .op(0x8A, std::string("\x02\x00\x80", 3))
                                 .text("zero")
                                 .op(0x8A, std::string(1, '\0'))
                                 .text("number")
                                 .op('G', std::string("\xbf\xc0\0\0\0\0\0\0", 8))
                                 .text("short")
                                 .op(0x8C, "\x02hi")
                                 .text("old")
                                 .op('U', "\x02ho")
                                 .text("tuple")
                                 .none()
                                 .op(0x85)
                                 .text("list")
                                 .list()
                                 .none()
                                 .op('a')
                                 .text("dict")
                                 .ordered_dict()
                                 .number(7)
                                 .text("seven")
                                 .op('s')
                                 .op('u')
                                 .stop()),
      "values");
  const auto& dict = *archive.root.as<StoredDict>();
  EXPECT_TRUE(dict.find("none")->as<std::monostate>() != nullptr);
  EXPECT_EQ(*dict.find("true")->as<bool>(), true);
  EXPECT_EQ(*dict.find("small")->as<std::int64_t>(), 200);
  EXPECT_EQ(*dict.find("medium")->as<std::int64_t>(), 0x8001);
  EXPECT_EQ(*dict.find("negative")->as<std::int64_t>(), -5);
  EXPECT_EQ(*dict.find("long")->as<std::int64_t>(), -32768);
  EXPECT_EQ(*dict.find("zero")->as<std::int64_t>(), 0);
  EXPECT_EQ(*dict.find("number")->as<double>(), -0.125);
  EXPECT_EQ(*dict.find("short")->as<std::string>(), "hi");
  EXPECT_EQ(*dict.find("old")->as<std::string>(), "ho");
  EXPECT_TRUE(dict.find("tuple")->as<StoredList>()->tuple);
  EXPECT_FALSE(dict.find("list")->as<StoredList>()->tuple);
  EXPECT_EQ(*dict.find("dict")->as<StoredDict>()->find("7")->as<std::string>(), "seven");
  EXPECT_EQ(dict.find("absent"), nullptr);
}

// What torch.load(weights_only=True) builds beside tensors, and files of training often hold.
TEST(PytorchArchive, TakesSizesTypesDevicesAndCounters) {
  const auto archive =
      parse_pytorch_archive(archive_bytes::archive(Pickle()
                                                       .dict()
                                                       .mark()
                                                       .text("size")
                                                       .global("torch", "Size")
                                                       .tuple({2, 3})
                                                       .op(0x85)
                                                       .op('R')
                                                       .text("type")
                                                       .global("torch", "float32")
                                                       .text("complex")
                                                       .global("torch", "complex64")
                                                       .text("cpu")
                                                       .global("torch", "device")
                                                       .text("cpu")
                                                       .op(0x85)
                                                       .op('R')
                                                       .text("cuda")
                                                       .global("torch", "device")
                                                       .text("cuda")
                                                       .number(1)
                                                       .op(0x86)
                                                       .op('R')
                                                       .text("milestones")
                                                       .global("collections", "Counter")
                                                       .dict()
                                                       .number(30)
                                                       .number(1)
                                                       .op('s')
                                                       .op(0x85)
                                                       .op('R')
                                                       .op('u')
                                                       .stop()),
                            "values");
  const auto& dict = *archive.root.as<StoredDict>();
  const auto* size = dict.find("size")->as<StoredList>();
  ASSERT_TRUE(size != nullptr && size->tuple && size->items.size() == 2);
  EXPECT_EQ(*size->items[1].as<std::int64_t>(), 3);
  EXPECT_EQ(*dict.find("type")->as<std::string>(), "torch.float32");
  EXPECT_EQ(*dict.find("complex")->as<std::string>(), "torch.complex64");
  EXPECT_EQ(*dict.find("cpu")->as<std::string>(), "cpu");
  EXPECT_EQ(*dict.find("cuda")->as<std::string>(), "cuda:1");
  EXPECT_EQ(*dict.find("milestones")->as<StoredDict>()->find("30")->as<std::int64_t>(), 1);
}

TEST(PytorchArchive, KeepsSharedStoragesSharedAndViewsAsTheyAre) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "views.pth";
  write(file, archive_bytes::archive(Pickle()
                                         .dict()
                                         .mark()
                                         .text("whole")
                                         .tensor("0", 12, 0, {12}, {1})
                                         .text("turned")
                                         .tensor("0", 12, 1, {2, 3}, {1, 2})
                                         .text("spread")
                                         .tensor("0", 12, 3, {2, 4}, {0, 0})
                                         .op('u')
                                         .stop()));
  const auto tensors = tensors_in(read_pytorch_archive(file).root);
  ASSERT_EQ(tensors.size(), 3U);
  EXPECT_EQ(tensors[0].first, "whole");
  auto whole = tensors[0].second;
  whole.copy_(torch::arange(12));
  EXPECT_TRUE(torch::equal(tensors[1].second,
                           torch::tensor({{1., 3., 5.}, {2., 4., 6.}}).to(torch::kFloat32)));
  EXPECT_TRUE(torch::equal(tensors[2].second, torch::full({2, 4}, 3.)));
  // Writing to a mapped tensor does not reach the file.
  EXPECT_FALSE(torch::equal(tensors_in(read_pytorch_archive(file).root)[0].second, whole));
}

TEST(PytorchArchive, ReadsTypesThatHaveNoStorageOfTheirOwn) {
  const auto archive = parsed([](Pickle& p) {
    p.global("torch._utils", "_rebuild_tensor_v3")
        .mark()
        .mark()
        .text("storage")
        .global("torch.storage", "UntypedStorage")
        .text("0")
        .text("cpu")
        .number(48)
        .op('t')
        .op('Q')
        .view(2, {3}, {2})
        .global("torch", "uint16")
        .op('t')
        .op('R');
  });
  const auto& tensor = *only_value(archive).as<torch::Tensor>();
  EXPECT_EQ(tensor.scalar_type(), torch::kUInt16);
  EXPECT_EQ(tensor.sizes().vec(), std::vector<std::int64_t>{3});
  EXPECT_TRUE(torch::equal(tensor.to(torch::kInt64), torch::full({3}, 0x0101)));
}

TEST(PytorchArchive, ReadsParametersAndOldTensors) {
  const auto archive = parsed([](Pickle& p) {
    p.global("torch._utils", "_rebuild_parameter")
        .mark()
        .global("torch._utils", "_rebuild_tensor")
        .mark()
        .storage("IntStorage", "0", 12)
        .number(0)
        .tuple({2})
        .tuple({1})
        .op('t')
        .op('R')
        .op(0x88)
        .ordered_dict()
        .op('t')
        .op('R');
  });
  EXPECT_TRUE(torch::equal(*only_value(archive).as<torch::Tensor>(),
                           torch::full({2}, 0x01010101, torch::kInt32)));
}

TEST(PytorchArchive, DropsTheVersionsOfAModulesLayers) {
  const auto archive = parsed([](Pickle& p) {
    p.ordered_dict()
        .text("a")
        .number(1)
        .op('s')
        .dict()
        .text("_metadata")
        .ordered_dict()
        .op('s')
        .op('b');
  });
  EXPECT_EQ(only_value(archive).as<StoredDict>()->items.size(), 1U);
}

TEST(PytorchArchive, NamesTensorsByTheirPath) {
  const auto archive = parsed([](Pickle& p) {
    p.list()
        .mark()
        .tensor("0", 12, 0, {1}, {1})
        .dict()
        .text("x.y")
        .tensor("0", 12, 0, {1}, {1})
        .op('s')
        .op('e');
  });
  const auto tensors = tensors_in(archive.root);
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(tensors[0].first, "w.0");
  EXPECT_EQ(tensors[1].first, "w.1.x.y");
}

TEST(PytorchArchive, MapsAlignedStoragesAndCopiesTheOthers) {
  const TemporaryFolder folder;
  for (const std::size_t padding : {0, 1, 2, 3}) {
    auto entries = archive_bytes::entries(archive_bytes::good_pickle());
    entries[2].content = "little";
    entries.insert(entries.begin(), {.name = "archive/.pad", .content = std::string(padding, 'x')});
    write(folder.path() / "m.pth", archive_bytes::zip(entries));
    const auto tensors = tensors_in(read_pytorch_archive(folder.path() / "m.pth").root);
    const auto address = reinterpret_cast<std::uintptr_t>(tensors[0].second.const_data_ptr());
    EXPECT_EQ(address % sizeof(float), 0U) << padding;
    EXPECT_EQ(tensors[0].second.view(torch::kInt32)[2][3].item<int>(), 0x01010101) << padding;
  }
}

TEST(PytorchArchive, ReadsOnlyWhatIsUsed) {
  const TemporaryFolder folder;
  constexpr std::int64_t kElements = 64 << 20;  // 256 MB, most of it a hole in the file
  auto entries = archive_bytes::entries(
      Pickle().dict_of([](Pickle& p) { p.tensor("0", kElements, 0, {kElements}, {1}); }).stop());
  entries[3].content = "";
  entries[3].size = entries[3].stored = entries[3].local_size = kElements * 4;
  const auto end = archive_bytes::zip(entries).find("PK\x01\x02");
  entries[1].content += std::string((4 - end % 4) % 4, '\n');  // so that the storage is aligned
  const auto whole = archive_bytes::zip(entries);
  const auto directory = whole.find("PK\x01\x02");
  std::ofstream out(folder.path() / "large.pth", std::ios::binary);
  out << whole.substr(0, directory);
  out.seekp(kElements * 4, std::ios::cur);
  auto rest = whole.substr(directory);
  const auto moved = archive_bytes::little(static_cast<std::uint32_t>(directory + kElements * 4));
  rest.replace(rest.size() - 6, 4, moved);
  out << rest;
  out.close();
  const ResidentPeak peak;
  const auto tensors = tensors_in(read_pytorch_archive(folder.path() / "large.pth").root);
  EXPECT_EQ(tensors[0].second.numel(), kElements);
  EXPECT_EQ(tensors[0].second[kElements - 1].item<float>(), 0);
  if (!kSanitized) EXPECT_LT(peak.growth(), 16 << 20);
}

TEST(PytorchArchive, SaysWhichFileIsMissingOrIsNoFile) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_pytorch_archive(folder.path() / "absent.pth"), CheckpointError);
  EXPECT_THROW(read_pytorch_archive(folder.path()), CheckpointError);
  EXPECT_THROW(read_pytorch_archive("/dev/zero"), CheckpointError);
}

/// The words with which bytes are refused, in time and memory that are bounded.
std::string refusal(const std::string& bytes, const std::string& name) {
  const ResidentPeak peak;
  const double start = thread_seconds();
  std::string message;
  try {
    parse_pytorch_archive(bytes, "hostile.pth");
  } catch (const CheckpointError& error) {
    message = error.what();
  }
  const double taken = thread_seconds() - start;
  EXPECT_NE(message, "") << name << " was read";
  if (!kSanitized) {
    EXPECT_LT(taken, 0.1) << name;
    EXPECT_LT(peak.growth(), 50 << 20) << name;
  }
  return message;
}

TEST(HostileArchives, AreRefusedByNameWithinTimeAndMemory) {
  const TemporaryFolder folder;
  const auto home = fs::current_path();
  fs::current_path(folder.path());
  const auto gallery = hostile_archives();
  EXPECT_GE(gallery.size(), 40U);
  std::set<std::string> names;
  for (const auto& [name, bytes, reason] : gallery) {
    EXPECT_TRUE(names.insert(name).second) << name;
    const auto message = refusal(bytes, name);
    EXPECT_THAT(message, StartsWith("hostile.pth: ")) << name;
    EXPECT_THAT(message, HasSubstr(reason)) << name;
    EXPECT_THAT(message, AnyOf(HasSubstr("save it anew"), HasSubstr("save its weights alone"),
                               HasSubstr("fetch"), HasSubstr("download")))
        << name << ": what to do";
    write("case.pth", bytes);  // the same from a file
    EXPECT_THROW(read_pytorch_archive("case.pth"), CheckpointError) << name;
    fs::remove("case.pth");
  }
  fs::current_path(home);
  EXPECT_TRUE(fs::is_empty(folder.path()));
  EXPECT_FALSE(fs::exists("/tmp/raven_pwned"));
}

TEST(HostileArchives, CutAnywhereAreRefused) {
  std::vector<std::pair<std::string, std::string>> whole = {
      {"zip", archive_bytes::archive(archive_bytes::good_pickle())},
      {"old", archive_bytes::good_legacy_file()}};
  for (const auto* name : {"module.pth", "module_legacy.pth", "nested.pth", "nested_legacy.pth"}) {
    whole.emplace_back(name,
                       read_file(fs::path(RAVEN_SOURCE_DIR "/tests/parity/data/archives") / name));
  }
  for (const auto& [name, bytes] : whole) {
    EXPECT_NO_THROW(parse_pytorch_archive(bytes, name)) << name;
    const std::size_t step = bytes.size() < 5000 ? 1 : 64;
    for (std::size_t size = 0; size < bytes.size(); size += step) {
      EXPECT_THROW(parse_pytorch_archive(bytes.substr(0, size), name), CheckpointError)
          << name << " cut to " << size;
    }
  }
}

TEST(HostileArchives, WithOneByteChangedNeverDoHarm) {
  for (const auto& whole :
       {archive_bytes::archive(archive_bytes::good_pickle()), archive_bytes::good_legacy_file()}) {
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (const int change : {0x01, 0x80, 0xFF}) {
        auto bytes = whole;
        bytes[i] = static_cast<char>(bytes[i] ^ change);
        try {  // some bytes mean nothing; others are numbers of the tensor
          for (const auto& [name, tensor] : tensors_in(parse_pytorch_archive(bytes, "c").root)) {
            EXPECT_LE(tensor.nbytes(), whole.size()) << i;
          }
        } catch (const CheckpointError&) {
        }
      }
    }
  }
}

}  // namespace
}  // namespace raven::weights
