#pragma once
// Filters, tests, methods and operators.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/chat_template/value.h"

namespace qzo::tokenizer::chat_template {

struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string, Value>> named;

  // The argument in this place or with this name; null if neither is there.
  [[nodiscard]] const Value* find(std::size_t place, std::string_view name) const;
};

bool is_filter(std::string_view name);
bool is_test(std::string_view name);
bool takes_argument(std::string_view test);  // written without parentheses: "is divisibleby 3"
bool is_method(const Value& owner, std::string_view name);

// These throw Failure.
Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments);
bool apply_test(const std::string& name, const Value& value, const Arguments& arguments);
Value call_method(const Value& owner, const std::string& name, const Arguments& arguments);
Value binary(const std::string& name, const Value& left, const Value& right);
Value item(const Value& owner, const Value& key);  // undefined if there is none
Value slice(const Value& owner, const Value& begin, const Value& end, const Value& step);
List items_of(const Value& value);  // what a loop walks over

inline constexpr int kDeepestValue = 50;
// A value is about to become part of another: not without end, and no namespace, which could become part of itself.
// Failure.
void check_nesting(const Value& value, int levels = kDeepestValue);

// A sentence; the evaluator adds template and line.
struct Failure {
  std::string sentence;
};

// Characters and items that one value may have.
inline constexpr std::size_t kLargestValue = 64'000'000;

}  // namespace qzo::tokenizer::chat_template
