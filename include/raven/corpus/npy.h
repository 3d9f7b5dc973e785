// NumPy's .npy files (format versions 1 to 3): plain numbers in, plain numbers out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace raven::corpus {

/// What a .npy file holds; `data` lies in the bytes that were parsed.
struct NpyView {
  std::string descr;                // "<f4": byte order, kind (b, i, u, f or c), bytes per element
  bool fortran_order = false;       // column-major
  std::vector<std::int64_t> shape;  // empty for a single number
  std::span<const std::byte> data;  // exactly the elements

  [[nodiscard]] std::int64_t num_elements() const;
};

/// Reads the header as the restricted literal it is: nothing is evaluated, and arrays of Python
/// objects are refused. `name` appears in messages. Throws DataError ("corrupt") when the file is
/// damaged, when its size is not the one its shape asks for, or when its type is none of the above.
NpyView parse_npy(std::span<const std::byte> bytes, const std::string& name);

/// The elements as double, some at a time, whatever their byte order and `fortran_order`. Types:
/// bool, signed and unsigned integers of 1, 2, 4, 8 bytes, floats of 2, 4 and 8.
class NpyNumbers {
 public:
  /// The bytes of `array` must live as long. Throws DataError ("corrupt") for another type.
  NpyNumbers(const NpyView& array, const std::string& name);

  /// Fills `values`, not empty, from element `first` on in row-major order; all of them must exist.
  void read(std::int64_t first, std::span<double> values) const;

 private:
  std::span<const std::byte> data_;
  std::vector<std::int64_t> shape_, strides_;
  void (*load_)(const std::byte*, bool, std::span<double>) = nullptr;
  std::size_t element_bytes_ = 1;
  bool swap_ = false, is_row_major_ = true;
};

/// All elements in row-major order, as NpyNumbers gives them.
std::vector<double> npy_as_doubles(const NpyView& array, const std::string& name);

/// What stands before the row-major elements of a version 1 file. They begin at a multiple of 64
/// bytes.
std::string npy_header(std::string_view descr, std::span<const std::int64_t> shape);

/// A whole version 1 file of row-major elements; `data` as they lie in memory.
std::string npy_bytes(std::string_view descr, std::span<const std::int64_t> shape,
                      std::span<const std::byte> data);

}  // namespace raven::corpus
