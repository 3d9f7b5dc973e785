// A configuration struct as a list of fields that can be read, set and described without knowing
// the struct. Everything that works on configurations (reader, writer, reference) works on this
// list.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "raven/config/fields.h"

namespace raven::config {

enum class FieldType { kBool, kInteger, kNumber, kText, kChoice };

/// One value; a choice is held by its name.
using Scalar = std::variant<bool, std::int64_t, double, std::string>;

/// What a field holds: nothing (null), one scalar, or a list of them.
struct FieldValue {
  bool null = false;
  std::vector<Scalar> items;
};

/// One field of one configuration object; `get` and `set` reach into that object.
struct Field {
  std::string key;  // "mask.prob"
  FieldType type = FieldType::kText;
  bool list = false;
  bool optional = false;
  Range range;
  std::vector<std::string> choices;  // names, for kChoice
  std::string meaning;
  std::function<FieldValue()> get;
  std::function<void(const FieldValue&)> set;  // the value must be of this type

  /// The user has to give a value and has not.
  [[nodiscard]] bool missing() const;
  /// "number", "list of whole numbers, or null", "one of: fp32, tf32, bf16"
  [[nodiscard]] std::string type_text() const;
};

struct FieldGroup {
  std::string key;  // "mask"
  std::string meaning;
};

struct Schema {
  std::vector<Field> fields;  // in the order of the structs
  std::vector<FieldGroup> groups;

  [[nodiscard]] const Field* find(std::string_view key) const;
  [[nodiscard]] bool has_group(std::string_view key) const;
};

namespace detail {

template <class T>
struct Element {
  using type = T;
  static constexpr bool kList = false, kOptional = false;
};
template <class T>
struct Element<std::vector<T>> {
  using type = T;
  static constexpr bool kList = true, kOptional = false;
};
template <class T>
struct Element<std::optional<T>> {
  using type = T;
  static constexpr bool kList = false, kOptional = true;
};

template <class T>
constexpr FieldType field_type() {
  if constexpr (std::is_same_v<T, bool>) {
    return FieldType::kBool;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return FieldType::kInteger;
  } else if constexpr (std::is_same_v<T, double>) {
    return FieldType::kNumber;
  } else if constexpr (std::is_enum_v<T>) {
    return FieldType::kChoice;
  } else {
    static_assert(std::is_same_v<T, std::string>, "not a type that a configuration field may have");
    return FieldType::kText;
  }
}

template <class T>
Scalar to_scalar(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::string(enum_name(value));
  } else {
    return value;
  }
}

template <class T>
T from_scalar(const Scalar& scalar) {
  if constexpr (std::is_enum_v<T>) {
    for (const auto& [value, name] : EnumNames<T>::kNames) {
      if (name == std::get<std::string>(scalar)) return value;
    }
    return {};
  } else {
    return std::get<T>(scalar);
  }
}

template <class T>
FieldValue get_value(const T& member) {
  FieldValue value;
  if constexpr (Element<T>::kList) {
    for (const auto& item : member) value.items.push_back(to_scalar(item));
  } else if constexpr (Element<T>::kOptional) {
    value.null = !member.has_value();
    if (member) value.items.push_back(to_scalar(*member));
  } else {
    value.items.push_back(to_scalar(member));
  }
  return value;
}

template <class T>
void set_value(T& member, const FieldValue& value) {
  using Type = typename Element<T>::type;
  if constexpr (Element<T>::kList) {
    member.clear();
    for (const Scalar& item : value.items) member.push_back(from_scalar<Type>(item));
  } else if constexpr (Element<T>::kOptional) {
    member.reset();
    if (!value.null) member = from_scalar<Type>(value.items.front());
  } else {
    member = from_scalar<Type>(value.items.front());
  }
}

/// The visitor of `Struct::fields` that fills a Schema.
template <class Struct>
class Binder {
 public:
  Binder(Struct& object, std::string prefix, Schema& schema)
      : object_(object), prefix_(std::move(prefix)), schema_(schema) {}

  // Get: a pointer to a member (also of a base that lists its own fields), or a function that gives
  // the member of a given struct.
  template <class Get>
  void field(std::string_view name, Get get, std::string meaning) {
    field(name, get, any_number(), std::move(meaning));
  }

  template <class Get>
  void field(std::string_view name, Get get, const Range& range, std::string meaning) {
    auto* value = &std::invoke(get, object_);
    using T = std::remove_pointer_t<decltype(value)>;
    using Type = typename Element<T>::type;
    Field field;
    field.key = prefix_ + std::string(name);
    field.type = field_type<Type>();
    field.list = Element<T>::kList;
    field.optional = Element<T>::kOptional;
    field.range = range;
    field.meaning = std::move(meaning);
    if constexpr (std::is_enum_v<Type>) {
      for (const auto& entry : EnumNames<Type>::kNames) field.choices.emplace_back(entry.second);
    }
    field.get = [value] { return get_value(*value); };
    field.set = [value](const FieldValue& given) { set_value(*value, given); };
    schema_.fields.push_back(std::move(field));
  }

  template <class Get>
  void group(std::string_view name, Get get, std::string meaning) {
    const std::string key = prefix_ + std::string(name);
    schema_.groups.push_back({key, std::move(meaning)});
    auto& member = std::invoke(get, object_);
    using T = std::remove_reference_t<decltype(member)>;
    Binder<T> inner(member, key + ".", schema_);
    T::fields(inner);
  }

 private:
  Struct& object_;
  std::string prefix_;
  Schema& schema_;
};

}  // namespace detail

/// The fields of `config`, which must outlive the result.
template <class Config>
Schema bind(Config& config) {
  Schema schema;
  detail::Binder<Config> binder(config, "", schema);
  Config::fields(binder);
  return schema;
}

}  // namespace raven::config
