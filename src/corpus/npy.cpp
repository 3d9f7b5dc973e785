#include "raven/corpus/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "raven/core/error.h"

namespace raven::corpus {
namespace {

static_assert(std::endian::native == std::endian::little,
              "elements are written as they lie in memory");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeaderBytes = 1 << 16;
constexpr std::size_t kMaxDimensions = 32;  // NumPy's own limit

[[noreturn]] void corrupt(const std::string& name, const std::string& what) {
  throw DataError(fmt::format("{}: not a usable .npy file: {}", name, what), "corrupt");
}

/// The header's text: one Python dict of a string, a bool and a tuple of integers.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  NpyView parse() {
    expect('{');
    while (!take('}')) {
      parse_item();
      if (!take(',') && peek() != '}') fail("',' or '}'");
    }
    skip_spaces();
    if (position_ != text_.size()) fail("the end of the header");
    if (!descr_ || !fortran_order_ || !shape_) {
      corrupt(name_, "the header lacks 'descr', 'fortran_order' or 'shape'");
    }
    return {.descr = *descr_, .fortran_order = *fortran_order_, .shape = *shape_, .data = {}};
  }

 private:
  void parse_item() {
    const auto key = parse_string();
    expect(':');
    if (key == "descr" && !descr_) {
      if (peek() == '[') corrupt(name_, "it holds records, expected plain numbers");
      descr_ = parse_string();
    } else if (key == "fortran_order" && !fortran_order_) {
      fortran_order_ = parse_bool();
    } else if (key == "shape" && !shape_) {
      shape_ = parse_shape();
    } else {
      corrupt(name_, "the header holds an unknown or repeated key");
    }
  }

  std::string parse_string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("a quoted string");
    ++position_;
    const auto end = text_.find(quote, position_);
    if (end == std::string_view::npos) fail("a closing quote");
    const auto value = text_.substr(position_, end - position_);
    position_ = end + 1;
    return std::string(value);
  }

  bool parse_bool() {
    peek();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(position_, word.size()) == word) {
        position_ += word.size();
        return value;
      }
    }
    fail("True or False");
  }

  std::vector<std::int64_t> parse_shape() {
    std::vector<std::int64_t> shape;
    expect('(');
    while (!take(')')) {
      if (shape.size() == kMaxDimensions) corrupt(name_, "more than 32 dimensions");
      shape.push_back(parse_integer());
      if (!take(',') && peek() != ')') fail("',' or ')'");
    }
    return shape;
  }

  std::int64_t parse_integer() {
    peek();
    std::int64_t value = 0;
    const auto start = position_;
    for (; position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9';
         ++position_) {
      const std::int64_t digit = text_[position_] - '0';
      if (value > (std::numeric_limits<std::int64_t>::max() - digit) / 10) {
        corrupt(name_, "a dimension is out of range");
      }
      value = 10 * value + digit;
    }
    if (position_ == start) fail("a dimension");
    if (position_ < text_.size() && text_[position_] == 'L') ++position_;  // written by Python 2
    return value;
  }

  void skip_spaces() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n'))
      ++position_;
  }

  char peek() {
    skip_spaces();
    return position_ < text_.size() ? text_[position_] : '\0';
  }

  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++position_;
    return true;
  }

  void expect(char wanted) {
    if (!take(wanted)) fail(fmt::format("'{}'", wanted));
  }

  [[noreturn]] void fail(const std::string& expected) {
    corrupt(name_,
            fmt::format("expected {} at character {} of the header", expected, position_ + 1));
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t position_ = 0;
  std::optional<std::string> descr_;
  std::optional<bool> fortran_order_;
  std::optional<std::vector<std::int64_t>> shape_;
};

struct ElementType {
  char order = '<', kind = 'f';
  std::size_t size = 0;  // bytes
};

ElementType element_type(std::string_view descr, const std::string& name) {
  if (descr.find('O') != std::string_view::npos) {
    corrupt(name,
            "it holds pickled Python objects, which are never executed; save it as plain numbers");
  }
  ElementType type;
  if (!descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos) {
    type.order = descr[0];
    descr.remove_prefix(1);
  }
  const bool known =
      descr.size() >= 2 && std::string_view("biufc").find(descr[0]) != std::string_view::npos;
  if (known) {
    type.kind = descr[0];
    const auto size = descr.substr(1);
    for (const std::size_t candidate : {1, 2, 4, 8, 16}) {
      if (size == std::to_string(candidate)) type.size = candidate;
    }
  }
  if (type.size == 0 || (type.kind == 'b' && type.size != 1)) {
    corrupt(name,
            "its type is not one of the plain numbers (b1, i1 to i8, u1 to u8, f2 to f8, c8, c16)");
  }
  return type;
}

std::size_t little_endian(std::span<const std::byte> bytes) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    value |= std::to_integer<std::size_t>(bytes[i]) << (8 * i);
  return value;
}

/// Number of elements, or nothing when the bytes of the dimensions that are not empty would not fit
/// 63 bits.
std::optional<std::int64_t> count_elements(std::span<const std::int64_t> shape,
                                           std::size_t element_bytes) {
  const auto limit =
      std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(element_bytes);
  std::int64_t count = 1;
  bool is_empty = false;
  for (const auto size : shape) {
    is_empty = is_empty || size == 0;
    if (size == 0) continue;
    if (count > limit / size) return std::nullopt;
    count *= size;
  }
  return is_empty ? 0 : count;
}

template <class T>
T load(const std::byte* element, bool swap) {
  std::array<std::byte, sizeof(T)> bytes{};
  std::copy_n(element, sizeof(T), bytes.begin());
  if (swap) std::reverse(bytes.begin(), bytes.end());
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

/// IEEE 754's binary16.
struct Half {
  std::uint16_t bits;

  explicit operator double() const {
    const int exponent = (bits >> 10) & 0x1F, fraction = bits & 0x3FF;
    double value = 0;
    if (exponent == 0x1F) {
      value = fraction == 0 ? std::numeric_limits<double>::infinity()
                            : std::numeric_limits<double>::quiet_NaN();
    } else if (exponent == 0) {
      value = std::ldexp(fraction, -24);
    } else {
      value = std::ldexp(fraction + 0x400, exponent - 25);
    }
    return (bits & 0x8000) != 0 ? -value : value;
  }
};

/// `values.size()` elements that lie one after another.
template <class T>
void load_all(const std::byte* elements, bool swap, std::span<double> values) {
  for (auto& value : values) {
    value = static_cast<double>(load<T>(elements, swap));
    elements += sizeof(T);
  }
}

using Loader = void (*)(const std::byte*, bool, std::span<double>);

Loader loader_of(const ElementType& type) {
  const auto key = std::string{type.kind} + std::to_string(type.size);
  if (key == "f2") return load_all<Half>;
  if (key == "f4") return load_all<float>;
  if (key == "f8") return load_all<double>;
  if (key == "i1") return load_all<std::int8_t>;
  if (key == "i2") return load_all<std::int16_t>;
  if (key == "i4") return load_all<std::int32_t>;
  if (key == "i8") return load_all<std::int64_t>;
  if (key == "u1" || key == "b1") return load_all<std::uint8_t>;
  if (key == "u2") return load_all<std::uint16_t>;
  if (key == "u4") return load_all<std::uint32_t>;
  if (key == "u8") return load_all<std::uint64_t>;
  return nullptr;
}

/// Distance in elements between neighbours along each dimension.
std::vector<std::int64_t> strides_of(const NpyView& array) {
  std::vector<std::int64_t> strides(array.shape.size());
  std::int64_t step = 1;
  for (std::size_t i = 0; i < strides.size(); ++i) {
    const auto dimension = array.fortran_order ? i : strides.size() - 1 - i;
    strides[dimension] = step;
    step *= array.shape[dimension];
  }
  return strides;
}

}  // namespace

std::int64_t NpyView::num_elements() const {
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  return count;
}

NpyView parse_npy(std::span<const std::byte> bytes, const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.substr(0, kMagic.size()) != kMagic) corrupt(name, "it does not start with NumPy's mark");
  if (bytes.size() < 10) corrupt(name, "it ends within its first line");
  const auto version = std::to_integer<int>(bytes[6]);
  if (version < 1 || version > 3 || bytes[7] != std::byte{0}) {
    corrupt(name, fmt::format("format version {}.{}, expected 1.0, 2.0 or 3.0", version,
                              std::to_integer<int>(bytes[7])));
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  if (bytes.size() < 8 + length_bytes) corrupt(name, "it ends within its first line");
  const auto header_bytes = little_endian(bytes.subspan(8, length_bytes));
  const auto start = 8 + length_bytes;
  if (header_bytes > kMaxHeaderBytes)
    corrupt(name, fmt::format("a header of {} bytes", header_bytes));
  if (header_bytes > bytes.size() - start) corrupt(name, "it ends within its header");

  auto array = HeaderParser(text.substr(start, header_bytes), name).parse();
  const auto type = element_type(array.descr, name);
  const auto count = count_elements(array.shape, type.size);
  if (!count) corrupt(name, "its shape is out of range");
  const auto expected = static_cast<std::uint64_t>(*count) * type.size;
  array.data = bytes.subspan(start + header_bytes);
  if (array.data.size() != expected) {
    corrupt(name, fmt::format("{} bytes of numbers, but its shape and type ask for {}",
                              array.data.size(), expected));
  }
  return array;
}

NpyNumbers::NpyNumbers(const NpyView& array, const std::string& name)
    : data_(array.data), shape_(array.shape), strides_(strides_of(array)) {
  const auto type = element_type(array.descr, name);
  load_ = loader_of(type);
  if (load_ == nullptr)
    corrupt(name, "its type is not bool, an integer or a float of 2 to 8 bytes");
  element_bytes_ = type.size;
  swap_ = type.order == '>' && type.size > 1;
  is_row_major_ = !array.fortran_order || shape_.size() < 2;
}

void NpyNumbers::read(std::int64_t first, std::span<double> values) const {
  const auto at = [&](std::int64_t offset) {
    return data_.data() + static_cast<std::size_t>(offset) * element_bytes_;
  };
  if (is_row_major_) return load_(at(first), swap_, values);
  std::vector<std::int64_t> index(shape_.size(), 0);
  std::int64_t offset = 0;  // of `index`, in elements
  for (std::size_t d = index.size(); d-- > 0; first /= shape_[d]) {
    index[d] = first % shape_[d];
    offset += index[d] * strides_[d];
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    load_(at(offset), swap_, values.subspan(i, 1));
    for (std::size_t d = index.size(); d-- > 0;) {  // counts up, last dimension fastest
      offset += strides_[d];
      if (++index[d] < shape_[d]) break;
      offset -= strides_[d] * shape_[d];
      index[d] = 0;
    }
  }
}

std::vector<double> npy_as_doubles(const NpyView& array, const std::string& name) {
  const NpyNumbers numbers(array, name);
  std::vector<double> values(static_cast<std::size_t>(array.num_elements()));
  if (!values.empty()) numbers.read(0, values);
  return values;
}

std::string npy_header(std::string_view descr, std::span<const std::int64_t> shape) {
  std::string dimensions;
  for (const auto size : shape) dimensions += fmt::format("{}, ", size);
  if (shape.size() > 1) dimensions.resize(dimensions.size() - 2);
  if (shape.size() == 1) dimensions.pop_back();  // a tuple of one keeps its comma
  auto header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, dimensions);
  constexpr std::size_t kStart = 10;  // mark, version, length
  header.append(63 - (kStart + header.size()) % 64, ' ');
  header += '\n';
  std::string start(kMagic);
  start +=
      {'\1', '\0', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  return start + header;
}

std::string npy_bytes(std::string_view descr, std::span<const std::int64_t> shape,
                      std::span<const std::byte> data) {
  const auto type = element_type(descr, "new array");
  const auto count = count_elements(shape, type.size);
  RAVEN_CHECK(count && static_cast<std::uint64_t>(*count) * type.size == data.size(),
              "{} bytes do not fill the shape", data.size());
  auto file = npy_header(descr, shape);
  file.append(reinterpret_cast<const char*>(data.data()), data.size());
  return file;
}

}  // namespace raven::corpus
