// Archives of torch.save that want something else than to be read. Each must be refused.
#pragma once

#include <string>
#include <vector>

#include "support/archive_bytes.h"

namespace raven::weights {

struct Hostile {
  std::string name, bytes;
  std::string reason;  // words of the message
};

inline const char* const kCommand = "touch raven_pwned; touch /tmp/raven_pwned";

using archive_bytes::Pickle;

/// A call of module.name(kCommand) in the place of a tensor.
inline std::string calls(const std::string& module, const std::string& name) {
  return archive_bytes::archive(
      Pickle()
          .dict_of([&](Pickle& p) { p.global(module, name).mark().text(kCommand).op('t').op('R'); })
          .stop());
}

inline std::string holds(const std::function<void(Pickle&)>& value, int protocol = 2) {
  return archive_bytes::archive(Pickle(protocol).dict_of(value).stop());
}

inline void add_calls(std::vector<Hostile>& gallery) {
  const std::vector<std::pair<std::string, std::string>> callables = {
      {"posix", "system"},
      {"os", "system"},
      {"nt", "system"},
      {"os", "popen"},
      {"os", "execv"},
      {"builtins", "eval"},
      {"builtins", "exec"},
      {"builtins", "getattr"},
      {"builtins", "__import__"},
      {"__builtin__", "eval"},
      {"__builtin__", "apply"},
      {"subprocess", "Popen"},
      {"subprocess", "check_output"},
      {"commands", "getoutput"},
      {"torch", "load"},
      {"torch.hub", "load"},
      {"torch._utils", "_rebuild_tensor_v2.__globals__"},
      {"torch._utils.os", "system"},
      {"torch.serialization.os", "system"},
      {"pickle", "loads"},
      {"_pickle", "loads"},
      {"runpy", "_run_code"},
      {"webbrowser", "open"},
      {"functools", "partial"},
      {"operator", "attrgetter"},
      {"numpy.core.multiarray", "_reconstruct"},
      {"_codecs", "encode"},
      {"collections", "OrderedDict "},
      {" collections", "OrderedDict"},
      {"Collections", "OrderedDict"},
      {"", "system"},
      {"posix", ""}};
  for (const auto& [module, name] : callables) {
    gallery.push_back({"call of '" + module + "." + name + "'", calls(module, name),
                       "asks for '" + module + "." + name + "'"});
  }
  gallery.push_back({"name from the stack",
                     holds(
                         [](Pickle& p) {
                           p.text("posix").text("system").op(0x93).text(kCommand).op(0x85).op('R');
                         },
                         4),
                     "asks for 'posix.system'"});
  gallery.push_back(
      {"allowed name with a dotted end",
       holds(
           [](Pickle& p) {
             p.text("collections").text("OrderedDict.fromkeys").op(0x93).op(')').op('R');
           },
           4),
       "OrderedDict.fromkeys"});
  gallery.push_back({"INST",
                     holds([](Pickle& p) { p.mark().text(kCommand).op('i', "posix\nsystem\n"); }),
                     "INST"});
  gallery.push_back(
      {"OBJ", holds([](Pickle& p) { p.mark().global("collections", "OrderedDict").op('o'); }),
       "OBJ"});
  gallery.push_back(
      {"NEWOBJ", holds([](Pickle& p) { p.global("collections", "OrderedDict").op(')').op(0x81); }),
       "NEWOBJ"});
  gallery.push_back(
      {"NEWOBJ_EX",
       holds([](Pickle& p) { p.global("collections", "OrderedDict").op(')').dict().op(0x92); }, 4),
       "NEWOBJ_EX"});
  gallery.push_back({"EXT1", holds([](Pickle& p) { p.op(0x82, "\x01").op(')').op('R'); }), "EXT1"});
  gallery.push_back({"EXT2", holds([](Pickle& p) { p.op(0x83, "\x01\x01"); }), "EXT2"});
  gallery.push_back({"EXT4", holds([](Pickle& p) { p.op(0x84, "\x01\x01\x01\x01"); }), "EXT4"});
  gallery.push_back({"PERSID", holds([](Pickle& p) { p.op('P', "storage\n"); }), "PERSID"});
  gallery.push_back(
      {"READONLY_BUFFER", holds([](Pickle& p) { p.op(0x97).op(0x98); }, 5), "NEXT_BUFFER"});
  gallery.push_back({"bytes", holds([](Pickle& p) { p.op('C', "\x01z"); }, 3), "SHORT_BINBYTES"});
  gallery.push_back({"set", holds([](Pickle& p) { p.op(0x8F); }, 4), "EMPTY_SET"});
  gallery.push_back({"unknown instruction", holds([](Pickle& p) { p.op(0xFF); }), "0xff"});
  gallery.push_back({"call of a call's result",
                     holds([](Pickle& p) { p.ordered_dict().text(kCommand).op(0x85).op('R'); }),
                     "cannot be called"});
  gallery.push_back({"call of a text", holds([](Pickle& p) {
                       p.text("posix.system").text(kCommand).op(0x85).op('R');
                     }),
                     "cannot be called"});
  gallery.push_back({"call without a tuple", holds([](Pickle& p) {
                       p.global("collections", "OrderedDict").list().op('R');
                     }),
                     "not a tuple"});
  gallery.push_back({"call of a storage type", holds([](Pickle& p) {
                       p.global("torch", "FloatStorage").tuple({1000000000000}).op('R');
                     }),
                     "REDUCE of a type"});
  gallery.push_back({"OrderedDict of a number", holds([](Pickle& p) {
                       p.global("collections", "OrderedDict").tuple({3}).op('R');
                     }),
                     "not a list"});
  gallery.push_back({"BUILD of a dict", holds([](Pickle& p) {
                       p.dict().dict().text("__class__").text("x").op('s').op('b');
                     }),
                     "not an OrderedDict"});
  gallery.push_back({"BUILD of a tensor",
                     holds([](Pickle& p) { p.tensor("0", 12, 0, {1}, {1}).dict().op('b'); }),
                     "not an OrderedDict"});
  gallery.push_back({"BUILD of another attribute", holds([](Pickle& p) {
                       p.ordered_dict().dict().text("__class__").text("x").op('s').op('b');
                     }),
                     "other than _metadata"});
  gallery.push_back({"BUILD with a tuple", holds([](Pickle& p) {
                       p.ordered_dict().tuple({1, 2}).op('b');
                     }),
                     "not a dict"});
  gallery.push_back({"tensor with hooks", holds([](Pickle& p) {
                       p.global("torch._utils", "_rebuild_tensor_v2")
                           .mark()
                           .storage("FloatStorage", "0", 12)
                           .number(0)
                           .tuple({1})
                           .tuple({1})
                           .op(0x89)
                           .dict()
                           .number(1)
                           .text(kCommand)
                           .op('s')
                           .op('t')
                           .op('R');
                     }),
                     "hooks"});
  gallery.push_back({"parameter of a text", holds([](Pickle& p) {
                       p.global("torch._utils", "_rebuild_parameter")
                           .mark()
                           .text("x")
                           .op(0x88)
                           .ordered_dict()
                           .op('t')
                           .op('R');
                     }),
                     "_rebuild_parameter takes a tensor"});
}

inline void add_stack_abuse(std::vector<Hostile>& gallery) {
  const auto repeated = [](const std::string& what, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += what;
    return all;
  };
  gallery.push_back({"memo never set", holds([](Pickle& p) { p.op('h', "\x07"); }), "never set"});
  gallery.push_back({"memo set twice",
                     holds([](Pickle& p) { p.text("a").op('q', "\x01").op('q', "\x01"); }),
                     "set twice"});
  gallery.push_back({"memo of an empty stack",
                     archive_bytes::archive(Pickle().op('q', "\x01").stop()), "empty stack"});
  gallery.push_back({"list in itself",
                     holds([](Pickle& p) { p.list().op('q', "\x01").op('h', "\x01").op('a'); }),
                     "contain themselves"});
  gallery.push_back({"dict in itself", holds([](Pickle& p) {
                       p.dict().op('q', "\x01").text("x").op('h', "\x01").op('s');
                     }),
                     "contain themselves"});
  gallery.push_back({"each list holds the one before twice", holds([](Pickle& p) {
                       p.list().mark().text("lol").op('q', std::string(1, '\0'));
                       for (char i = 0; i < 60; ++i) {
                         const std::string before(1, i), now(1, static_cast<char>(i + 1));
                         p.op('h', before).op('h', before).op(0x86).op('q', now);
                       }
                       p.op('e');
                     }),
                     "values when shared ones are written out"});
  gallery.push_back({"a long text many times", holds([&](Pickle& p) {
                       p.list().mark().text(std::string(100000, 'x')).op('q', "\x01");
                       p.raw(repeated("h\x01", 100000)).op('e');
                     }),
                     "times its own"});
  gallery.push_back({"100,000 nested tuples",
                     holds([&](Pickle& p) { p.none().raw(repeated("\x85", 100000)); }),
                     "nested deeper"});
  gallery.push_back({"100,000 nested lists",
                     holds([&](Pickle& p) { p.raw(repeated("]", 100000) + repeated("a", 99999)); }),
                     "nested deeper"});
  gallery.push_back({"a million marks", holds([&](Pickle& p) { p.raw(repeated("(", 1000000)); }),
                     "MARK without end"});
  gallery.push_back(
      {"ten million values",
       holds([&](Pickle& p) { p.list().mark().raw(repeated("N", 10000000)).op('e'); }), "values"});
  gallery.push_back({"a million dicts",
                     holds([&](Pickle& p) { p.list().mark().raw(repeated("}", 1000000)).op('e'); }),
                     "values"});
  gallery.push_back({"endless stack", holds([&](Pickle& p) {
                       p.none().op('q', "\x01").raw(repeated("h\x01", 1000000));
                     }),
                     "stack grows"});
  gallery.push_back({"POP", holds([](Pickle& p) { p.none().none().op('0'); }), "POP"});
  gallery.push_back({"DUP", holds([](Pickle& p) { p.none().op('2'); }), "DUP"});
  gallery.push_back({"value from below the mark",
                     holds([](Pickle& p) { p.none().mark().op(0x85); }), "empty stack"});
  gallery.push_back({"tuple without mark", holds([](Pickle& p) { p.op('t'); }), "no MARK"});
  gallery.push_back(
      {"append to a tuple", holds([](Pickle& p) { p.op(')').none().op('a'); }), "not a list"});
  gallery.push_back({"item of a list", holds([](Pickle& p) { p.list().text("a").none().op('s'); }),
                     "not a dict"});
  gallery.push_back({"key without value",
                     holds([](Pickle& p) { p.dict().mark().text("a").op('u'); }),
                     "without a value"});
  gallery.push_back({"key that is a dict", holds([](Pickle& p) { p.dict().dict().none().op('s'); }),
                     "neither text nor a whole number"});
  gallery.push_back({"key twice", holds([](Pickle& p) {
                       p.dict().text("a").none().op('s').text("a").none().op('s');
                     }),
                     "'a' twice"});
  gallery.push_back({"text beyond the end",
                     archive_bytes::archive(Pickle().op('X', "\xff\xff\xff\x7f").stop()),
                     "ends within an instruction"});
  gallery.push_back({"long text beyond the end",
                     archive_bytes::archive(Pickle(4).op(0x8D, std::string(8, '\xff')).stop()),
                     "ends within an instruction"});
  gallery.push_back(
      {"text that is not UTF-8", holds([](Pickle& p) { p.text("\xc0\x80"); }), "UTF-8"});
  gallery.push_back(
      {"frame beyond the end",
       archive_bytes::archive(Pickle(4).op(0x95, std::string(7, '\x01') + '\0').stop()),
       "frame beyond"});
  gallery.push_back({"protocol 9", archive_bytes::archive(Pickle(9).none().stop()), "protocol 9"});
  gallery.push_back({"protocol 0", archive_bytes::archive("N."), "protocol 2 to 5"});
  gallery.push_back({"name without end",
                     archive_bytes::archive(Pickle().op('c', std::string(5000, 'a')).stop()),
                     "without an end"});
  gallery.push_back(
      {"no STOP", archive_bytes::archive(Pickle().none().unfinished()), "ends within"});
  gallery.push_back({"STOP on nothing", archive_bytes::archive(Pickle().stop()), "0 values"});
  gallery.push_back(
      {"STOP on two values", archive_bytes::archive(Pickle().none().none().stop()), "2 values"});
  gallery.push_back(
      {"second pickle",
       archive_bytes::archive(archive_bytes::good_pickle() + archive_bytes::good_pickle()),
       "follow the pickle"});
  gallery.push_back({"number of 200 bytes",
                     holds([](Pickle& p) { p.op(0x8A, '\xc8' + std::string(200, '\x11')); }),
                     "more than 64 bits"});
  gallery.push_back({"bare storage", holds([](Pickle& p) { p.storage("FloatStorage", "0", 12); }),
                     "outside a tensor"});
  gallery.push_back({"bare function",
                     holds([](Pickle& p) { p.global("collections", "OrderedDict"); }),
                     "a type or function"});
}

inline void add_tensors(std::vector<Hostile>& gallery) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  const auto tensor = [&](const std::string& name, std::int64_t elements, std::int64_t offset,
                          const std::vector<std::int64_t>& sizes,
                          const std::vector<std::int64_t>& strides, const std::string& reason) {
    gallery.push_back(
        {name, holds([&](Pickle& p) { p.tensor("0", elements, offset, sizes, strides); }), reason});
  };
  tensor("negative offset", 12, -1, {3}, {1}, "negative offset");
  tensor("negative size", 12, 0, {-3}, {1}, "negative size");
  tensor("negative stride", 12, 11, {3}, {-1}, "negative stride");
  tensor("offset beyond", 12, 12, {1}, {1}, "beyond the storage's 12 elements");
  tensor("empty beyond", 12, 13, {0}, {1}, "beyond");
  tensor("one too many", 12, 1, {3, 4}, {4, 1}, "beyond");
  tensor("stride beyond", 12, 0, {2}, {12}, "beyond");
  tensor("strides that overflow", 12, 0, {3, 3}, {kHuge, kHuge}, "too large");
  tensor("sizes that overflow", 12, 0, {kHuge, kHuge}, {0, 0}, "too large");
  tensor("sizes that wrap to 0", 12, 0, {kHuge, 4}, {0, 0}, "too large");
  tensor("bytes that overflow", 12, 0, {kHuge}, {0}, "too large");
  tensor("overflow beside a zero", 12, 0, {0, kHuge, kHuge}, {1, 1, 1}, "too large");
  tensor("one number a million million times", 12, 0, {1000000, 1000000}, {0, 0}, "times its own");
  tensor("fewer strides than sizes", 12, 0, {3, 4}, {4}, "2 sizes and 1 strides");
  tensor("65 dimensions", 12, 0, std::vector<std::int64_t>(65, 1), std::vector<std::int64_t>(65, 1),
         "65 dimensions");
  tensor("longer than its entry", 1000, 0, {1000}, {1}, "4000 bytes, but its entry holds 48");
  tensor("shorter than its entry", 3, 0, {3}, {1}, "12 bytes, but its entry holds 48");
  tensor("negative storage", -12, 0, {0}, {1}, "storage of -12 elements");
  tensor("storage that overflows", kHuge, 0, {1}, {1}, "storage of");
  gallery.push_back({"view many times larger in all", holds([](Pickle& p) {
                       p.list().tensor("0", 12, 0, {1000000}, {0}).op('q', "\x01").op('a').mark();
                       for (int i = 0; i < 1000; ++i) p.op('h', "\x01");
                       p.op('e');
                     }),
                     "times its own"});
  gallery.push_back({"storage without entry",
                     holds([](Pickle& p) { p.tensor("1", 12, 0, {1}, {1}); }),
                     "no entry 'archive/data/1'"});
  gallery.push_back({"storage with a climbing key",
                     holds([](Pickle& p) { p.tensor("../../../etc/passwd", 12, 0, {1}, {1}); }),
                     "no entry 'archive/data/../../../etc/passwd'"});
  for (const auto* type :
       {"ComplexFloatStorage", "QInt8Storage", "Float8Storage", "QUInt4x2Storage"}) {
    gallery.push_back({std::string("type ") + type, holds([&](Pickle& p) {
                         p.global("torch._utils", "_rebuild_tensor_v2")
                             .mark()
                             .storage(type, "0", 12)
                             .view(0, {1}, {1})
                             .op('t')
                             .op('R');
                       }),
                       std::string("type 'torch.") + type + "'"});
  }
  gallery.push_back({"tensor of float8", holds([](Pickle& p) {
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
                           .number(0)
                           .tuple({1})
                           .tuple({1})
                           .op(0x89)
                           .ordered_dict()
                           .global("torch", "float8_e5m2")
                           .op('t')
                           .op('R');
                     }),
                     "whose type its storage does not tell"});
  gallery.push_back({"type that is called",
                     holds([](Pickle& p) { p.global("torch", "float32").op(')').op('R'); }),
                     "REDUCE of a type"});
  gallery.push_back({"size of no numbers", holds([](Pickle& p) {
                       p.global("torch", "Size").text("a").op(0x85).op(0x85).op('R');
                     }),
                     "torch.Size of what are not whole numbers"});
  gallery.push_back({"device of no text", holds([](Pickle& p) {
                       p.global("torch", "device").number(1).op(0x85).op('R');
                     }),
                     "torch.device of what is not"});
  gallery.push_back({"counter of no dict", holds([](Pickle& p) {
                       p.global("collections", "Counter").list().op(0x85).op('R');
                     }),
                     "Counter of what is not a dict"});
  gallery.push_back({"storage of two types", holds([](Pickle& p) {
                       p.list()
                           .tensor("0", 12, 0, {1}, {1})
                           .op('a')
                           .global("torch._utils", "_rebuild_tensor_v2")
                           .mark()
                           .storage("LongStorage", "0", 6)
                           .view(0, {1}, {1})
                           .op('t')
                           .op('R')
                           .op('a');
                     }),
                     "described in two ways"});
  gallery.push_back({"untyped storage in an old tensor", holds([](Pickle& p) {
                       p.global("torch._utils", "_rebuild_tensor_v2")
                           .mark()
                           .mark()
                           .text("storage")
                           .global("torch.storage", "UntypedStorage")
                           .text("0")
                           .text("cpu")
                           .number(48)
                           .op('t')
                           .op('Q')
                           .view(0, {1}, {1})
                           .op('t')
                           .op('R');
                     }),
                     "does not tell"});
  gallery.push_back({"tensor without storage", holds([](Pickle& p) {
                       p.global("torch._utils", "_rebuild_tensor_v2")
                           .mark()
                           .text("0")
                           .view(0, {1}, {1})
                           .op('t')
                           .op('R');
                     }),
                     "without a storage"});
  gallery.push_back({"tensor of two arguments", holds([](Pickle& p) {
                       p.global("torch._utils", "_rebuild_tensor_v2").tuple({1, 2}).op('R');
                     }),
                     "2 arguments"});
  gallery.push_back({"tensor with properties", holds([](Pickle& p) {
                       p.global("torch._utils", "_rebuild_tensor_v2")
                           .mark()
                           .storage("FloatStorage", "0", 12)
                           .view(0, {1}, {1})
                           .dict()
                           .text("neg")
                           .op(0x88)
                           .op('s')
                           .op('t')
                           .op('R');
                     }),
                     "hooks"});
  gallery.push_back({"sizes that are text", holds([](Pickle& p) {
                       p.global("torch._utils", "_rebuild_tensor_v2")
                           .mark()
                           .storage("FloatStorage", "0", 12)
                           .number(0)
                           .text("3")
                           .tuple({1})
                           .op(0x89)
                           .ordered_dict()
                           .op('t')
                           .op('R');
                     }),
                     "sizes are not a tuple"});
  gallery.push_back({"persistent id that is code", holds([](Pickle& p) {
                       p.mark()
                           .text("module")
                           .global("torch", "FloatStorage")
                           .text("a")
                           .text("b")
                           .number(1)
                           .op('t')
                           .op('Q');
                     }),
                     "not a storage"});
  gallery.push_back({"part of a storage, PyTorch 0.1", holds([](Pickle& p) {
                       p.mark()
                           .text("storage")
                           .global("torch", "FloatStorage")
                           .text("0")
                           .text("cpu")
                           .number(12)
                           .tuple({1, 2, 3})
                           .op('t')
                           .op('Q');
                     }),
                     "before 0.4"});
  auto flags = archive_bytes::entries(Pickle()
                                          .dict_of([](Pickle& p) {
                                            p.global("torch._utils", "_rebuild_tensor_v2")
                                                .mark()
                                                .storage("BoolStorage", "0", 48)
                                                .view(0, {48}, {1})
                                                .op('t')
                                                .op('R');
                                          })
                                          .stop());
  flags[3].content[5] = '\x02';
  gallery.push_back({"bool that is 2", archive_bytes::zip(flags), "of bool holds 0x02"});
}

inline void add_zips(std::vector<Hostile>& gallery) {
  using archive_bytes::Entry;
  using archive_bytes::zip;
  using archive_bytes::ZipOptions;
  const auto good = archive_bytes::entries(archive_bytes::good_pickle());
  const auto with = [&](const std::string& name, const std::string& reason,
                        const std::function<void(std::vector<Entry>&)>& change,
                        const ZipOptions& options = {}) {
    auto entries = good;
    change(entries);
    gallery.push_back({name, zip(entries, options), reason});
  };
  const auto nothing = [](std::vector<Entry>&) {};
  with("zip in a zip", "protocol 2 to 5", [&](auto& e) { e[0].content = zip(good); });
  with("encrypted", "is encrypted", [](auto& e) { e[0].flags = 1; });
  with("compressed", "compressed (method 8)", [](auto& e) { e[3].method = 8; });
  with("bomb", "compressed", [](auto& e) { e[3].method = 8, e[3].size = 4000000000; });
  with("stored bomb", "takes 48 bytes for 4000000000", [](auto& e) { e[3].size = 4000000000; });
  with("unknown flags", "flags 0x0040", [](auto& e) { e[0].flags = 0x40; });
  with("climbing name", "climbs out", [](auto& e) { e[3].name = "archive/../../raven_pwned"; });
  with("climbing folder", "climbs out", [](auto& e) { e[3].name = "../archive/data/0"; });
  with("absolute name", "absolute", [](auto& e) { e[3].name = "/tmp/raven_pwned"; });
  with("backslash", "backslash", [](auto& e) { e[3].name = "archive\\..\\raven_pwned"; });
  with("zero byte in a name", "zero byte",
       [](auto& e) { e[3].name = std::string("archive/data/0\0x", 16); });
  with("name that is not UTF-8", "not UTF-8", [](auto& e) { e[3].name = "archive/data/\xff"; });
  with("empty part of a name", "empty part", [](auto& e) { e[3].name = "archive//data/0"; });
  with("folder entry", "empty part", [](auto& e) { e[3].name = "archive/"; });
  with("no name", "without a name", [](auto& e) { e[3].name = e[3].local_name = ""; });
  with("entry twice", "is there twice", [](auto& e) { e.push_back(e[0]); });
  with("another folder", "outside the archive's folder",
       [](auto& e) { e[3].name = "other/data/0"; });
  with("no folder", "outside the archive's folder", [](auto& e) { e[3].name = "data.pkl"; });
  with("unknown entry", "not one that torch.save writes",
       [](auto& e) { e.push_back({.name = "archive/setup.py", .content = kCommand}); });
  with("TorchScript", "TorchScript",
       [](auto& e) { e.push_back({.name = "archive/code/__torch__.py", .content = kCommand}); });
  with("TorchScript as torch.jit.save compresses it", "is a TorchScript archive", [](auto& e) {
    e.push_back({.name = "archive/code/__torch__.py", .content = kCommand, .method = 8});
  });
  with("big-endian", "big-endian", [](auto& e) { e[2].content = "big"; });
  with("odd byte order", "byteorder 'middle'", [](auto& e) { e[2].content = "middle"; });
  with("no version", "no entry 'archive/version'", [](auto& e) { e.erase(e.begin() + 1); });
  with("version 11", "version '11'", [](auto& e) { e[1].content = "11\n"; });
  with("version that is text", "version 'x'", [](auto& e) { e[1].content = "x\n"; });
  with("no pickle", "no entry 'archive/data.pkl'", [](auto& e) { e.erase(e.begin()); });
  with("entries over each other", "overlaps", [](auto& e) {
    e[3].name = e[3].local_name = "archive/data/0";
    e[2].content = "little";
    // The second header of data/0 lies within the content of another entry.
    e.insert(e.begin() + 3, {.name = "archive/data/1", .content = zip({e[3]}).substr(0, 92)});
    e[4].offset = static_cast<std::int64_t>(zip({e[0], e[1], e[2]}).find("PK\x01\x02")) + 30 + 14;
  });
  with("one header for two entries", "another name", [](auto& e) { e[3].offset = 0; });
  with("another name in its own header", "another name",
       [](auto& e) { e[3].local_name = "archive/data/9"; });
  with("size beyond the file", "has 5000 bytes, where only",
       [](auto& e) { e[3].size = e[3].stored = e[3].local_size = 5000; });
  with("size that wraps", "zip64 field", [](auto& e) { e[3].size = e[3].stored = 0xFFFFFFFF; });
  with("zip64 size beyond the file", "where only", [](auto& e) {
    e[3].size = e[3].stored = e[3].local_size = 0xFFFFFFFF;
    e[3].extra = std::string("\x01\x00\x10\x00", 4) + std::string(16, '\xff');
  });
  with("two zip64 fields", "two zip64 fields",
       [](auto& e) { e[3].extra = std::string("\x01\x00\x00\x00\x01\x00\x00\x00", 8); });
  with("extra field beyond its end", "malformed extra",
       [](auto& e) { e[3].extra = std::string("\x01\x00\xff\xff", 4); });
  with("sizes that disagree", "by its own header", [](auto& e) { e[3].local_size = 44; });
  with("header beyond the directory", "beyond the entries",
       [](auto& e) { e[3].offset = 100000000; });
  with("header that is none", "has no header", [](auto& e) { e[3].offset = 1; });
  with("bytes between entries", "unexplained bytes", [](auto& e) {
    e.insert(e.begin() + 2, {.name = "archive/data/7", .content = "x"});
    e[2].size = e[2].stored = e[2].local_size = 0;
  });
  with("bytes before", "", nothing, {.before = "#!/bin/sh\n" + std::string(kCommand) + "\n"});
  with("bytes after", "not at the file's end", nothing, {.after = "x"});
  with("comment", "not at the file's end", nothing, {.comment = "x"});
  with("more entries than there are", "ends within an entry", nothing, {.count = 5});
  with("65,534 entries", "65534 entries in a directory", nothing, {.count = 65534});
  with("fewer entries than there are", "belong to no entry", nothing, {.count = 3});
  with("directory larger than the file", "has room for", nothing, {.directory_size = 2000000000});
  with("directory elsewhere", "has room for", nothing, {.directory_offset = 4});
  with("directory beyond the file", "has room for", nothing, {.directory_offset = 4000000000});
  with("one disk of several", "one part of several", nothing, {.disk = 3});
  with("zip64 end missing", "zip64 end", nothing, {.directory_offset = 0xFFFFFFFF});
  with("zip64 end elsewhere", "not where its locator says", nothing,
       {.end64 = archive_bytes::little(0x07064B50U) + archive_bytes::little(0U) +
                 archive_bytes::little(std::uint64_t{0xFFFFFFFFFFFF}) + archive_bytes::little(1U)});
}

inline void add_others(std::vector<Hostile>& gallery) {
  using archive_bytes::legacy_keys;
  using archive_bytes::legacy_pickle;
  using archive_bytes::legacy_start;
  const auto data = archive_bytes::little(std::int64_t{12}) + std::string(48, '\x01');
  const auto old = [&](const std::string& name, const std::string& bytes,
                       const std::string& reason) {
    gallery.push_back({name, bytes, reason});
  };
  old("empty file", "", "is empty");
  old("one byte", "P", "begins like no file");
  old("Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
      "LFS");
  old("web page", "<!DOCTYPE html><html>not found</html>", "web page");
  old("tar file", std::string(257, 'a') + "ustar" + std::string(300, '\0'), "tar file");
  old("shell script", std::string("#!/bin/sh\n") + kCommand, "begins like no file");
  old("plain pickle", Pickle().none().stop(), "magic number");
  old("plain pickle of a command",
      Pickle().global("posix", "system").mark().text(kCommand).op('t').op('R').stop(),
      "asks for 'posix.system'");
  old("older layout, command",
      legacy_start() + Pickle().global("os", "system").text(kCommand).op(0x85).op('R').stop(),
      "asks for 'os.system'");
  old("older layout, command in the list of storages",
      legacy_start() + legacy_pickle() +
          Pickle().global("os", "system").text(kCommand).op(0x85).op('R').stop() + data,
      "asks for 'os.system'");
  old("older layout, big-endian", legacy_start(0x89) + legacy_pickle() + legacy_keys({"17"}) + data,
      "big-endian");
  old("older layout, another version",
      legacy_start().substr(0, 15) + Pickle().number(7).stop() + data, "another layout");
  old("older layout, no list", legacy_start() + legacy_pickle() + Pickle().none().stop() + data,
      "not a list");
  old("older layout, storage not listed", legacy_start() + legacy_pickle() + legacy_keys({}) + data,
      "is not in the file");
  old("older layout, storage listed twice",
      legacy_start() + legacy_pickle() + legacy_keys({"17", "17"}) + data + data,
      "lists a storage twice");
  old("older layout, unknown storage",
      legacy_start() + legacy_pickle() + legacy_keys({"18"}) + data, "no tensor has");
  old("older layout, another count",
      legacy_start() + legacy_pickle() + legacy_keys({"17"}) +
          archive_bytes::little(std::int64_t{11}) + std::string(48, '\x01'),
      "11 by its own count");
  old("older layout, more follows", archive_bytes::good_legacy_file() + "x",
      "follow the last storage");
}

/// Every case. Names are unique.
inline std::vector<Hostile> hostile_archives() {
  std::vector<Hostile> gallery;
  add_calls(gallery);
  add_stack_abuse(gallery);
  add_tensors(gallery);
  add_zips(gallery);
  add_others(gallery);
  return gallery;
}

}  // namespace raven::weights
