#include "weights/pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "weights/pickle_names.h"
#include "weights/pickle_opcodes.h"
#include "weights/pickle_view.h"

namespace raven::weights {
namespace {

using Kind = PickleKind;
using Name = PickleName;
using Index = PickleIndex;
using Type = c10::ScalarType;

class Machine {
 public:
  Machine(std::string_view bytes, const std::string& source, PickleHeap& heap)
      : bytes_(bytes), source_(source), heap_(heap) {}

  Index run(std::uint64_t& used) {
    if (bytes_.empty() || byte() != kProto) refuse("not a pickle of protocol 2 to 5");
    if (const auto protocol = byte(); protocol < 2 || protocol > 5) {
      refuse(fmt::format("pickle protocol {}, expected 2 to 5", protocol));
    }
    while (true) {
      start_ = position_;
      const auto opcode = byte();
      if (opcode == kStop) break;
      step(opcode);
    }
    if (stack_.size() != 1 || !marks_.empty()) {
      refuse(fmt::format("STOP with {} values on the stack, expected 1", stack_.size()));
    }
    used = position_;
    return stack_.front();
  }

 private:
  /// What torch.save does not write: the file is damaged, or of another program.
  [[noreturn]] void refuse(const std::string& problem) const { refuse(problem, kSaveAnew); }
  /// What a file may well hold beside its weights, but this reader does not build.
  [[noreturn]] void refuse_foreign(const std::string& problem) const {
    refuse(problem, kSaveTensorsAlone);
  }
  [[noreturn]] void refuse(const std::string& problem, std::string_view advice) const {
    throw CheckpointError(fmt::format("{}, byte {}: {}; {}", source_, start_, problem, advice));
  }

  // --- bytes ---
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - position_) refuse("the pickle ends within an instruction");
    const auto part = bytes_.substr(position_, count);
    position_ += count;
    return part;
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(take(1).front()); }
  template <class Integer>
  Integer little() {
    Integer value{};
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
    return value;
  }
  std::string_view line() {
    const auto end = bytes_.substr(position_, 256).find('\n');
    if (end == std::string_view::npos) refuse("a name without an end");
    const auto text = take(end);
    take(1);
    return text;
  }

  // --- nodes and stack ---
  Index add(PickleNode node) {
    if (heap_.nodes.size() >= kMaxPickleNodes) {
      refuse(fmt::format("more than {} values", kMaxPickleNodes));
    }
    heap_.nodes.push_back(node);
    return static_cast<Index>(heap_.nodes.size() - 1);
  }
  void push(Index index) {
    if (stack_.size() >= kMaxPickleNodes) refuse("the stack grows without end");
    stack_.push_back(index);
  }
  void push_new(PickleNode node) { push(add(node)); }
  void push_sequence(Kind kind, std::vector<Index> items) {
    const auto node = add({.kind = kind, .index = static_cast<Index>(heap_.lists.size())});
    heap_.lists.push_back(std::move(items));
    push(node);
  }
  Index pop() {
    if (stack_.size() <= floor()) refuse("takes a value from an empty stack");
    const auto top = stack_.back();
    stack_.pop_back();
    return top;
  }
  [[nodiscard]] std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleNode& node(Index index) { return heap_.nodes[index]; }
  PickleNode& top() {
    if (stack_.size() <= floor()) refuse("looks at an empty stack");
    return node(stack_.back());
  }
  std::vector<Index> pop_to_mark() {
    if (marks_.empty()) refuse("no MARK on the stack");
    std::vector<Index> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()),
                             stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  std::vector<Index> pop_last(std::size_t count) {
    std::vector<Index> items(count);
    for (auto item = items.rbegin(); item != items.rend(); ++item) *item = pop();
    return items;
  }

  // --- instructions ---
  void step(std::uint8_t opcode) {
    switch (opcode) {
      case kMark:
        if (marks_.size() >= kMaxPickleNodes) refuse("MARK without end");
        marks_.push_back(stack_.size());
        return;
      case kNone:
        return push_new({.kind = Kind::kNone});
      case kNewTrue:
        return push_new({.kind = Kind::kBool, .integer = 1});
      case kNewFalse:
        return push_new({.kind = Kind::kBool, .integer = 0});
      case kBinInt:
        return push_integer(little<std::int32_t>());
      case kBinInt1:
        return push_integer(byte());
      case kBinInt2:
        return push_integer(little<std::uint16_t>());
      case kLong1:
        return push_long(take(byte()));
      case kBinFloat:
        return push_new(
            {.kind = Kind::kNumber,
             .number = std::bit_cast<double>(__builtin_bswap64(little<std::uint64_t>()))});
      case kBinUnicode:
        return push_text(little<std::uint32_t>());
      case kShortBinUnicode:
        return push_text(byte());
      case kBinUnicode8:
        return push_text(little<std::uint64_t>());
      case kShortBinString:
        return push_text(byte());  // text of Python 2
      case kBinString:
        return push_text(little<std::uint32_t>());
      case kEmptyDict:
        return push_sequence(Kind::kDict, {});
      case kEmptyList:
        return push_sequence(Kind::kList, {});
      case kEmptyTuple:
        return push_sequence(Kind::kTuple, {});
      case kTuple:
        return push_sequence(Kind::kTuple, pop_to_mark());
      case kTuple1:
        return push_sequence(Kind::kTuple, pop_last(1));
      case kTuple2:
        return push_sequence(Kind::kTuple, pop_last(2));
      case kTuple3:
        return push_sequence(Kind::kTuple, pop_last(3));
      case kAppend:
        return append(pop_last(1));
      case kAppends:
        return append(pop_to_mark());
      case kSetItem:
        return set_items(pop_last(2));
      case kSetItems:
        return set_items(pop_to_mark());
      case kBinGet:
        return get(byte());
      case kLongBinGet:
        return get(little<std::uint32_t>());
      case kBinPut:
        return put(byte());
      case kLongBinPut:
        return put(little<std::uint32_t>());
      case kMemoize:
        return put(static_cast<std::uint32_t>(memo_.size()));
      case kGlobal: {
        const auto module = line();
        return push_name(module, line());
      }
      case kStackGlobal:
        return stack_global();
      case kReduce:
        return reduce();
      case kBuild:
        return build();
      case kBinPersid:
        return persistent();
      case kFrame:
        if (little<std::uint64_t>() > bytes_.size() - position_) refuse("a frame beyond the end");
        return;
      default:
        return refuse_opcode(opcode);
    }
  }

  [[noreturn]] void refuse_opcode(std::uint8_t opcode) const {
    if (const auto name = refused_instruction(opcode); !name.empty()) {
      refuse_foreign(
          fmt::format("instruction {}, which torch.save does not need for tensors, dicts, "
                      "lists, numbers and text; it was not carried out",
                      name));
    }
    refuse(fmt::format("{:#04x} is not a pickle instruction that this reader knows", opcode));
  }

  void push_integer(std::int64_t value) { push_new({.kind = Kind::kInteger, .integer = value}); }

  /// Little-endian two's complement of any length.
  void push_long(std::string_view digits) {
    if (digits.size() > sizeof(std::int64_t)) {
      return push_new({.kind = Kind::kBigInteger, .text = digits});
    }
    const bool negative = !digits.empty() && (static_cast<std::uint8_t>(digits.back()) & 0x80) != 0;
    std::int64_t value = negative ? -1 : 0;
    std::memcpy(&value, digits.data(), digits.size());
    push_integer(value);
  }

  void push_text(std::uint64_t length) {
    const auto text = take(length);
    if (!is_utf8(text)) refuse("text that is not UTF-8");
    push_new({.kind = Kind::kText, .text = text});
  }

  void append(const std::vector<Index>& items) {
    auto& list = top();
    if (list.kind != Kind::kList) refuse("appends to what is not a list");
    auto& into = heap_.lists[list.index];
    count_links(items.size());
    into.insert(into.end(), items.begin(), items.end());
  }

  void set_items(const std::vector<Index>& items) {
    auto& dict = top();
    if (dict.kind != Kind::kDict) refuse("sets an item of what is not a dict");
    if (items.size() % 2 != 0) refuse("a key without a value");
    add_items(dict, items);
  }

  void add_items(const PickleNode& dict, const std::vector<Index>& items) {
    for (std::size_t i = 0; i < items.size(); i += 2) {
      const auto kind = node(items[i]).kind;
      if (kind != Kind::kText && kind != Kind::kInteger) {
        refuse_foreign("a key that is neither text nor a whole number");
      }
    }
    auto& into = heap_.lists[dict.index];
    count_links(items.size());
    into.insert(into.end(), items.begin(), items.end());
  }

  /// Each value that is put somewhere costs four bytes of the pickle's memory.
  void count_links(std::size_t count) {
    links_ += count;
    if (links_ > 2 * kMaxPickleNodes) refuse("more items than a file of tensors has");
  }

  void get(std::uint32_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) refuse(fmt::format("memo {} was never set", key));
    push(found->second);
  }

  void put(std::uint32_t key) {
    (void)top();
    if (memo_.size() >= kMaxPickleNodes) refuse("a memo without end");
    if (!memo_.emplace(key, stack_.back()).second) {
      refuse(fmt::format("memo {} is set twice", key));
    }
  }

  void push_name(std::string_view module, std::string_view name) {
    if (const auto known = allowed_name(module, name)) {
      return push_new({.kind = Kind::kName,
                       .name = known->meaning,
                       .type = known->type,
                       .text = known->meaning == Name::kDtype ? known->name : std::string_view()});
    }
    if (module == "torch" || module == "torch.storage") {
      if (const auto end = name.rfind("Storage"); end != name.npos && end + 7 == name.size()) {
        refuse_foreign(fmt::format("storage of type '{}.{}', expected a float or integer type",
                                   printable(module), printable(name)));
      }
    }
    refuse_foreign(
        fmt::format("asks for '{}.{}', which is not on the list of what tensors, dicts, lists, "
                    "numbers and text need; nothing was run",
                    printable(module.substr(0, 100)), printable(name.substr(0, 100))));
  }

  void stack_global() {
    const auto names = pop_last(2);
    if (node(names[0]).kind != Kind::kText || node(names[1]).kind != Kind::kText) {
      refuse("a name that is not text");
    }
    push_name(node(names[0]).text, node(names[1]).text);
  }

  // --- what a "call" gives ---
  void reduce() {
    const auto arguments = pop(), callee = pop();
    if (node(arguments).kind != Kind::kTuple) refuse("REDUCE with arguments that are not a tuple");
    if (node(callee).kind != Kind::kName) refuse("REDUCE of what cannot be called");
    const auto& given = heap_.items(node(arguments));
    switch (node(callee).name) {
      case Name::kOrderedDict:
        return ordered_dict(given);
      case Name::kCounter:
        return counter(given);
      case Name::kSize:
        return size(given);
      case Name::kDevice:
        return device(given);
      case Name::kRebuildTensor:
        return tensor(given, 4, 4);
      case Name::kRebuildTensorV2:
        return tensor(given, 6, 7);
      case Name::kRebuildTensorV3:
        return tensor(given, 7, 8);
      case Name::kRebuildParameter:
        return parameter(given);
      case Name::kStorageType:
      case Name::kDtype:
        break;
    }
    refuse("REDUCE of a type, which is not called in files of torch.save");
  }

  /// OrderedDict() or, from Python 2, OrderedDict([[key, value], ...]).
  void ordered_dict(const std::vector<Index>& given) {
    if (given.size() > 1) refuse("OrderedDict with more than one argument");
    std::vector<Index> items;
    if (given.size() == 1) {
      if (node(given[0]).kind != Kind::kList) refuse("OrderedDict of what is not a list");
      for (const auto pair : heap_.items(node(given[0]))) {
        const auto& one = node(pair);
        if ((one.kind != Kind::kList && one.kind != Kind::kTuple) || heap_.items(one).size() != 2) {
          refuse("OrderedDict of what are not pairs");
        }
        items.push_back(heap_.items(one)[0]);
        items.push_back(heap_.items(one)[1]);
      }
    }
    push_sequence(Kind::kDict, {});
    top().ordered = true;
    add_items(top(), items);
  }

  /// Counter({key: count, ...}), as learning rate schedules of PyTorch keep their milestones.
  void counter(const std::vector<Index>& given) {
    if (given.size() > 1 || (given.size() == 1 && node(given[0]).kind != Kind::kDict)) {
      refuse("Counter of what is not a dict");
    }
    const auto items = given.empty() ? std::vector<Index>() : heap_.items(node(given[0]));
    push_sequence(Kind::kDict, {});
    add_items(top(), items);
  }

  /// torch.Size((2, 3)): a tuple.
  void size(const std::vector<Index>& given) {
    const bool is_one = given.size() == 1 &&
                        (node(given[0]).kind == Kind::kTuple || node(given[0]).kind == Kind::kList);
    if (!is_one) refuse("torch.Size of what is not a tuple");
    const auto items = heap_.items(node(given[0]));
    for (const auto item : items) {
      if (node(item).kind != Kind::kInteger) refuse("torch.Size of what are not whole numbers");
    }
    count_links(items.size());
    push_sequence(Kind::kTuple, items);
  }

  /// torch.device('cuda', 0): the text "cuda:0".
  void device(const std::vector<Index>& given) {
    const bool is_one = (given.size() == 1 || given.size() == 2) &&
                        node(given[0]).kind == Kind::kText &&
                        (given.size() == 1 || node(given[1]).kind == Kind::kInteger);
    if (!is_one) refuse("torch.device of what is not its kind and perhaps a number");
    auto text = node(given[0]).text;
    if (given.size() == 2) {
      if (heap_.made_texts.size() >= kMaxPickleTensors) refuse("devices without end");
      text = heap_.made_texts.emplace_back(
          fmt::format("{}:{}", text.substr(0, 100), node(given[1]).integer));
    }
    push_new({.kind = Kind::kText, .text = text});
  }

  void parameter(const std::vector<Index>& given) {
    if (given.size() != 3 || node(given[0]).kind != Kind::kTensor ||
        node(given[1]).kind != Kind::kBool) {
      refuse("_rebuild_parameter takes a tensor, true or false, and hooks");
    }
    refuse_hooks(given[2]);
    push(given[0]);
  }

  void refuse_hooks(Index hooks) {
    const auto& dict = node(hooks);
    if (dict.kind == Kind::kNone) return;
    if (dict.kind != Kind::kDict || !heap_.items(dict).empty()) {
      refuse_foreign("a tensor with hooks, which are code");
    }
  }

  /// Arguments: storage, offset, sizes, strides; in version 2 also requires_grad and hooks; in
  /// version 3 the type as well; then perhaps properties, which must be empty.
  void tensor(const std::vector<Index>& given, std::size_t least, std::size_t most) {
    if (given.size() < least || given.size() > most) {
      refuse(fmt::format("a tensor of {} arguments, expected {}", given.size(), least));
    }
    const auto& storage_node = node(given[0]);
    if (storage_node.kind != Kind::kStorage) refuse("a tensor without a storage");
    PickleTensor made;
    made.storage = storage_node.index;
    auto& storage = heap_.storages[made.storage];
    made.type = storage.type;
    if (node(given[1]).kind != Kind::kInteger) refuse("a tensor's offset is not a number");
    made.offset = node(given[1]).integer;
    made.sizes = numbers(given[2], "sizes");
    made.strides = numbers(given[3], "strides");
    if (least >= 6) {
      if (node(given[4]).kind != Kind::kBool) refuse("requires_grad is not true or false");
      refuse_hooks(given[5]);
    }
    if (least == 7) {
      const auto& type = node(given[6]);
      if (type.kind != Kind::kName || type.name != Name::kDtype) refuse("a tensor of unknown type");
      made.type = type.type;
    }
    if (made.type == Type::Undefined || (least == 7) != (storage.type == Type::Undefined)) {
      refuse("a tensor whose type its storage does not tell");
    }
    if (storage.viewed_as != Type::Undefined && storage.viewed_as != made.type) {
      refuse("two tensors of one storage have different types");
    }
    storage.viewed_as = made.type;
    if (given.size() == most && most > least) refuse_hooks(given[most - 1]);
    if (const auto problem = view_problem(made, storage); !problem.empty()) refuse(problem);
    dimensions_ += made.sizes.size();
    if (heap_.tensors.size() >= kMaxPickleTensors || dimensions_ > 4 * kMaxPickleTensors) {
      refuse(fmt::format("more than {} tensors", kMaxPickleTensors));
    }
    const auto index = static_cast<Index>(heap_.tensors.size());
    heap_.tensors.push_back(std::move(made));
    push_new({.kind = Kind::kTensor, .index = index});
  }

  std::vector<std::int64_t> numbers(Index index, const char* what) {
    const auto& tuple = node(index);
    if (tuple.kind != Kind::kTuple) refuse(fmt::format("a tensor's {} are not a tuple", what));
    const auto& items = heap_.items(tuple);
    if (items.size() > kMaxDimensions) {
      refuse(fmt::format("a tensor of {} dimensions, expected at most {}", items.size(),
                         kMaxDimensions));
    }
    std::vector<std::int64_t> values;
    values.reserve(items.size());
    for (const auto item : items) {
      if (node(item).kind != Kind::kInteger) {
        refuse(fmt::format("a tensor's {} are not whole numbers", what));
      }
      values.push_back(node(item).integer);
    }
    return values;
  }

  /// ('storage', type, key, device, elements), and in the older format one more: None, or the
  /// (key, offset, elements) of a part, which no PyTorch since 0.4 writes.
  void persistent() {
    const auto& tuple = node(pop());
    if (tuple.kind != Kind::kTuple) refuse("a persistent id that is not a tuple");
    const auto& items = heap_.items(tuple);
    if (items.size() < 5 || items.size() > 6 || node(items[0]).kind != Kind::kText ||
        node(items[0]).text != "storage") {
      refuse("a persistent id that is not a storage");
    }
    const auto& type = node(items[1]);
    if (type.kind != Kind::kName || type.name != Name::kStorageType) {
      refuse("a storage without a type");
    }
    const auto &key = node(items[2]), &device = node(items[3]), &elements = node(items[4]);
    if (key.kind != Kind::kText || device.kind != Kind::kText || elements.kind != Kind::kInteger) {
      refuse("a storage whose key, device or size is of the wrong kind");
    }
    if (items.size() == 6 && node(items[5]).kind != Kind::kNone) {
      refuse_foreign("a storage that is part of another, as PyTorch before 0.4 wrote it");
    }
    if (elements.integer < 0) refuse(fmt::format("a storage of {} elements", elements.integer));
    push_storage({.key = key.text,
                  .type = type.type,
                  .elements = static_cast<std::uint64_t>(elements.integer)});
  }

  void push_storage(PickleStorage storage) {
    const auto element = storage.type == Type::Undefined ? 1 : c10::elementSize(storage.type);
    if (__builtin_mul_overflow(storage.elements, element, &storage.bytes) ||
        storage.bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      refuse(fmt::format("a storage of {} elements", storage.elements));
    }
    const auto [known, added] =
        storages_.emplace(storage.key, static_cast<Index>(heap_.storages.size()));
    if (added) {
      heap_.storages.push_back(storage);
    } else if (const auto& other = heap_.storages[known->second];
               other.type != storage.type || other.elements != storage.elements) {
      refuse(fmt::format("storage '{}' is described in two ways",
                         printable(storage.key.substr(0, 100))));
    }
    push_new({.kind = Kind::kStorage, .index = known->second});
  }

  /// Sets attributes of an object. Only OrderedDict has one in these files: a module's _metadata
  /// (versions of its layers), which is dropped.
  void build() {
    const auto& state = node(pop());
    auto& object = top();
    if (object.kind != Kind::kDict || !object.ordered)
      refuse_foreign("BUILD of what is not an OrderedDict");
    if (state.kind != Kind::kDict) refuse("BUILD with a state that is not a dict");
    const auto& items = heap_.items(state);
    if (items.size() != 2 || node(items[0]).kind != Kind::kText ||
        node(items[0]).text != "_metadata") {
      refuse_foreign("BUILD of attributes other than _metadata");
    }
  }

  std::string_view bytes_;
  const std::string& source_;
  PickleHeap& heap_;
  std::uint64_t position_ = 0, start_ = 0;
  std::vector<Index> stack_;
  std::vector<std::size_t> marks_;
  std::size_t links_ = 0, dimensions_ = 0;
  std::unordered_map<std::uint32_t, Index> memo_;
  std::unordered_map<std::string_view, Index> storages_;
};

}  // namespace

PickleIndex run_pickle(std::string_view bytes, const std::string& source, PickleHeap& heap,
                       std::uint64_t& used) {
  return Machine(bytes, source, heap).run(used);
}

}  // namespace raven::weights
