#include <algorithm>
#include <cmath>

#include "qzo/core/text.h"

#include "tokenizer/chat_template/builtins.h"

namespace qzo::tokenizer::chat_template {

namespace {

[[noreturn]] void mismatch(const std::string& name, const Value& left, const Value& right) {
  throw Failure{core::text(kind_name(left), " and ", kind_name(right), " do not go with the operator ", name)};
}

void check_size(std::size_t size) {
  if (size > kLargestValue) throw Failure{core::text("a value grows over ", kLargestValue, " characters or items")};
}

bool contains(const Value& whole, const Value& part) {
  if (const std::string* text = whole.text()) {
    if (part.text() == nullptr) mismatch("in", part, whole);
    return text->find(*part.text()) != std::string::npos;
  }
  if (const List* list = whole.list()) {
    return std::any_of(list->begin(), list->end(), [&](const Value& item) { return equal(item, part); });
  }
  if (const Dict* dict = whole.dict()) return part.text() != nullptr && find(*dict, *part.text()) != nullptr;
  mismatch("in", part, whole);
}

// Integers as Python counts them, truth values among them.
const std::int64_t* integer_of(const Value& value, std::int64_t& flag) {
  if (const bool* truth_value = value.as<bool>()) {
    flag = *truth_value ? 1 : 0;
    return &flag;
  }
  return value.as<std::int64_t>();
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

Value integer_operation(const std::string& name, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  bool overflow = false;
  if (name == "+") overflow = __builtin_add_overflow(a, b, &out);
  if (name == "-") overflow = __builtin_sub_overflow(a, b, &out);
  if (name == "*") overflow = __builtin_mul_overflow(a, b, &out);
  if (name == "//" || name == "%" || name == "/") {
    if (b == 0) throw Failure{"a division by zero"};
    if (name == "/") return {static_cast<double>(a) / static_cast<double>(b)};
    overflow = b == -1 && a == INT64_MIN;
    if (!overflow) out = name == "//" ? floor_divide(a, b) : a - floor_divide(a, b) * b;
  }
  if (overflow) throw Failure{"an integer outside of 64 bits"};
  return {out};
}

Value real_operation(const std::string& name, double a, double b) {
  if (name == "+") return {a + b};
  if (name == "-") return {a - b};
  if (name == "*") return {a * b};
  if (b == 0) throw Failure{"a division by zero"};
  if (name == "/") return {a / b};
  if (name == "//") return {std::floor(a / b)};
  return {a - std::floor(a / b) * b};
}

double real_of(const Value& value, const std::int64_t* integer) {
  return integer != nullptr ? static_cast<double>(*integer) : *value.as<double>();
}

Value order(const std::string& name, const Value& left, const Value& right) {
  std::int64_t flags[2] = {0, 0};
  const std::int64_t* a = integer_of(left, flags[0]);
  const std::int64_t* b = integer_of(right, flags[1]);
  int sign = 0;  // of left - right
  if (left.text() != nullptr && right.text() != nullptr) {
    sign = left.text()->compare(*right.text());
  } else if ((a != nullptr || left.as<double>() != nullptr) && (b != nullptr || right.as<double>() != nullptr)) {
    const double x = real_of(left, a);
    const double y = real_of(right, b);
    sign = x < y ? -1 : x > y ? 1 : 0;
  } else {
    mismatch(name, left, right);
  }
  if (name == "<") return {sign < 0};
  if (name == "<=") return {sign <= 0};
  if (name == ">") return {sign > 0};
  return {sign >= 0};
}

Value arithmetic(const std::string& name, const Value& left, const Value& right) {
  if (name == "+" && left.text() != nullptr && right.text() != nullptr) {
    check_size(left.text()->size() + right.text()->size());
    return Value::text(*left.text() + *right.text());
  }
  if (name == "+" && left.list() != nullptr && right.list() != nullptr) {
    check_size(left.list()->size() + right.list()->size());
    List out = *left.list();
    out.insert(out.end(), right.list()->begin(), right.list()->end());
    return Value::list(std::move(out));
  }
  std::int64_t flags[2] = {0, 0};
  const std::int64_t* a = integer_of(left, flags[0]);
  const std::int64_t* b = integer_of(right, flags[1]);
  if (name == "*" && left.text() != nullptr && b != nullptr) {
    const auto times = static_cast<std::size_t>(std::max<std::int64_t>(*b, 0));
    if (!left.text()->empty() && times > kLargestValue / left.text()->size()) check_size(kLargestValue + 1);
    std::string out;
    for (std::size_t i = 0; i < times && !left.text()->empty(); ++i) out += *left.text();
    return Value::text(std::move(out));
  }
  if (a != nullptr && b != nullptr) return integer_operation(name, *a, *b);
  const bool numbers =
      (a != nullptr || left.as<double>() != nullptr) && (b != nullptr || right.as<double>() != nullptr);
  if (!numbers) mismatch(name, left, right);
  return real_operation(name, real_of(left, a), real_of(right, b));
}

// Where a slice begins or ends, as Python corrects it.
std::int64_t bound(const Value& value, std::int64_t otherwise, std::int64_t size, bool backwards) {
  if (value.none()) return otherwise;
  const auto* given = value.as<std::int64_t>();
  if (given == nullptr) throw Failure{core::text("a slice needs integers, not ", kind_name(value))};
  const std::int64_t at = *given < 0 ? *given + size : *given;
  return std::clamp<std::int64_t>(at, backwards ? -1 : 0, backwards ? size - 1 : size);
}

template <class Items>
Items pick(const Items& items, const Value& begin, const Value& end, const Value& step) {
  const auto* given = step.as<std::int64_t>();
  if (!step.none() && (given == nullptr || *given == 0)) throw Failure{"the step of a slice must be an integer, not 0"};
  const std::int64_t stride = given == nullptr ? 1 : std::clamp<std::int64_t>(*given, -INT32_MAX, INT32_MAX);
  const auto size = static_cast<std::int64_t>(items.size());
  const bool backwards = stride < 0;
  const std::int64_t last = bound(end, backwards ? -1 : size, size, backwards);
  Items out;
  for (std::int64_t i = bound(begin, backwards ? size - 1 : 0, size, backwards); backwards ? i > last : i < last;
       i += stride) {
    out.push_back(items[static_cast<std::size_t>(i)]);
  }
  return out;
}

template <class Items>
const typename Items::value_type* at(const Items& items, const Value& key) {
  const auto* given = key.as<std::int64_t>();
  if (given == nullptr) return nullptr;
  const auto size = static_cast<std::int64_t>(items.size());
  const std::int64_t place = *given < 0 ? *given + size : *given;
  return place < 0 || place >= size ? nullptr : &items[static_cast<std::size_t>(place)];
}

}  // namespace

Value binary(const std::string& name, const Value& left, const Value& right) {
  if (name == "==") return {equal(left, right)};
  if (name == "!=") return {!equal(left, right)};
  if (left.undefined() && name != "~" && name != "in" && name != "not in") {
    throw Failure{core::quoted(left.as<Undefined>()->name) + " is undefined"};
  }
  if (right.undefined() && name != "~") throw Failure{core::quoted(right.as<Undefined>()->name) + " is undefined"};
  if (name == "in") return {contains(right, left)};
  if (name == "not in") return {!contains(right, left)};
  if (name == "~") return binary("+", Value::text(to_text(left)), Value::text(to_text(right)));
  if (name.front() == '<' || name.front() == '>') return order(name, left, right);
  return arithmetic(name, left, right);
}

Value item(const Value& owner, const Value& key) {
  const Value* found = nullptr;
  if (const Dict* dict = owner.dict(); dict != nullptr && key.text() != nullptr) found = find(*dict, *key.text());
  if (const List* list = owner.list()) found = at(*list, key);
  if (found != nullptr) return *found;
  if (owner.text() != nullptr) {
    const std::vector<std::string> all = characters(*owner.text());
    if (const std::string* character = at(all, key)) return Value::text(*character);
  }
  return {Undefined{core::text(kind_name(owner), "[", to_text(key), "]")}};
}

Value slice(const Value& owner, const Value& begin, const Value& end, const Value& step) {
  if (const List* list = owner.list()) return Value::list(pick(*list, begin, end, step));
  if (owner.text() == nullptr) throw Failure{core::text(kind_name(owner), " cannot be sliced")};
  std::string out;
  for (const std::string& character : pick(characters(*owner.text()), begin, end, step)) out += character;
  return Value::text(std::move(out));
}

List items_of(const Value& value) {
  if (const List* list = value.list()) return *list;
  List out;
  if (const Dict* dict = value.dict()) {
    for (const auto& [key, unused] : *dict) out.push_back(Value::text(key));
  } else if (const std::string* text = value.text()) {
    for (std::string& character : characters(*text)) out.push_back(Value::text(std::move(character)));
  } else if (!value.undefined()) {
    throw Failure{core::text(kind_name(value), " is nothing to walk over")};
  }
  return out;
}

}  // namespace qzo::tokenizer::chat_template
