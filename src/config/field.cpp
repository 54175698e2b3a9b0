#include "config/field.h"

#include <cmath>
#include <map>

#include "qzo/core/text.h"

namespace qzo::config {
namespace {

using core::Json;
using core::text;
using Outcome = std::variant<Value, std::string>;

// Largest integer that every double up to it represents exactly: 2e4 may stand for 20000, 1e300 for nothing.
constexpr double kExactIntegers = 9007199254740992.0;

std::string found(const Json& json) {
  if (json.is_object()) return "an object";
  if (json.is_array()) return "a list";
  if (json.is_null()) return "null";
  if (json.is_string()) return "the string " + core::quoted(json.get<std::string>());
  return json.dump();
}

std::string number_text(double value) { return Json(value).dump(); }

std::string bounds_text(const Rules& rules, bool integer) {
  const auto number = [integer](double value) {
    return integer ? std::to_string(static_cast<std::int64_t>(value)) : number_text(value);
  };
  std::string out;
  if (rules.above) out += " above " + number(*rules.above);
  if (rules.at_least) out += " of at least " + number(*rules.at_least);
  if (rules.at_most) out += text(rules.above || rules.at_least ? " and" : " of", " at most ", number(*rules.at_most));
  return out;
}

bool in_bounds(const Rules& rules, double value) {
  return std::isfinite(value) && (!rules.above || value > *rules.above) &&
         (!rules.at_least || value >= *rules.at_least) && (!rules.at_most || value <= *rules.at_most);
}

// Whole numbers also as 2e4; nullopt if not a whole number that fits.
std::optional<std::int64_t> whole_number(const Json& json) {
  if (json.is_number_unsigned()) {
    const auto value = json.get<std::uint64_t>();
    if (value > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<std::int64_t>(value);
  }
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (!json.is_number_float()) return std::nullopt;
  const double value = json.get<double>();
  if (!(std::fabs(value) <= kExactIntegers) || value != std::trunc(value)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

Outcome text_from_json(const Field& field, const Json& json, const std::string& wrong) {
  if (!json.is_string()) return wrong;
  auto value = json.get<std::string>();
  if (field.rules.choices.empty()) return Value(std::move(value));
  for (const std::string& choice : field.rules.choices) {
    if (choice == value) return Value(std::move(value));
  }
  const std::string nearest = core::nearest_name(value, field.rules.choices);
  return nearest.empty() ? wrong : text(wrong, ". Did you mean \"", nearest, "\"?");
}

}  // namespace

Outcome value_from_json(const Field& field, const Json& json) {
  const std::string wrong = text("is ", found(json), ", expected ", type_text(field));
  switch (default_value(field).index()) {
    case 0:
      if (!json.is_boolean()) return wrong;
      return Value(json.get<bool>());
    case 1: {
      const auto value = whole_number(json);
      if (!value || !in_bounds(field.rules, static_cast<double>(*value))) return wrong;
      return Value(*value);
    }
    case 2:
      if (!json.is_number() || !in_bounds(field.rules, json.get<double>())) return wrong;
      return Value(json.get<double>());
    case 3:
      if (json.is_null()) return Value(std::optional<double>());
      if (!json.is_number() || !in_bounds(field.rules, json.get<double>())) return wrong;
      return Value(std::optional<double>(json.get<double>()));
    case 4:
      return text_from_json(field, json, wrong);
    case 5:
      if (!json.is_string()) return wrong;
      return Value(std::filesystem::path(json.get<std::string>()));
    default: {
      if (!json.is_array()) return wrong;
      std::vector<std::string> list;
      for (const Json& item : json) {
        if (!item.is_string()) return text("holds ", found(item), ", expected ", type_text(field));
        list.push_back(item.get<std::string>());
      }
      return Value(std::move(list));
    }
  }
}

Json value_to_json(const Value& value) {
  return std::visit(
      [](const auto& held) -> Json {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::optional<double>>) {
          return held ? Json(*held) : Json(nullptr);
        } else if constexpr (std::is_same_v<Held, std::filesystem::path>) {
          return Json(held.string());
        } else {
          return Json(held);
        }
      },
      value);
}

std::string type_text(const Field& field) {
  const Rules& rules = field.rules;
  switch (default_value(field).index()) {
    case 0:
      return "true or false";
    case 1:
      return "a whole number" + bounds_text(rules, true);
    case 2:
      return "a number" + bounds_text(rules, false);
    case 3:
      return "a number" + bounds_text(rules, false) + ", or null";
    case 4: {
      if (rules.choices.empty()) return "a string";
      std::string out = "one of";
      for (const std::string& choice : rules.choices)
        out += text(&choice == &rules.choices[0] ? " " : ", ", '"', choice, '"');
      return out;
    }
    case 5:
      return "a path";
    default:
      return "a list of strings";
  }
}

std::string value_text(const Value& value) { return value_to_json(value).dump(); }

const Value& default_value(const Field& field) {
  static const std::map<std::string, Value> defaults = [] {
    std::map<std::string, Value> out;
    const RunConfig fresh;
    for (const Field& each : all_fields()) out.emplace(each.key, each.get(fresh));
    return out;
  }();
  return defaults.at(field.key);
}

const Field* find_field(const std::string& key) {
  for (const Field& field : all_fields()) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

std::vector<std::string> all_keys() {
  std::vector<std::string> keys;
  for (const Field& field : all_fields()) keys.push_back(field.key);
  return keys;
}

std::vector<std::string> all_groups() {
  std::vector<std::string> groups;
  for (const Field& field : all_fields()) {
    if (groups.empty() || groups.back() != field.group()) groups.push_back(field.group());
  }
  return groups;
}

}  // namespace qzo::config
