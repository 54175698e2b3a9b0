#pragma once
// How a setting describes itself: key, where it lives in RunConfig, bounds, choices, unit, text. The one place that
// parser, checks, JSON Schema and --describe read. Defaults are those of a default-constructed RunConfig.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "qzo/config/run_config.h"
#include "qzo/core/json_file.h"

namespace qzo::config {

using Value = std::variant<bool, std::int64_t, double, std::optional<double>, std::string, std::filesystem::path,
                           std::vector<std::string>>;

enum class Effect {
  kTrajectory,  // other values give other scales: may not change when a run is resumed
  kNone,        // paths, logging, speed
};

struct Rules {
  Effect effect = Effect::kTrajectory;
  bool required = false;
  std::optional<double> above = {};     // exclusive lower bound
  std::optional<double> at_least = {};  // inclusive
  std::optional<double> at_most = {};
  std::vector<std::string> choices = {};
  std::string default_text = {};  // where the default is not a constant
  std::string unit = {};
  std::string text = {};
};

struct Field {
  std::string key;  // "zo.eps"
  Rules rules;
  std::function<Value(const RunConfig&)> get;
  std::function<void(RunConfig&, Value)> set;

  [[nodiscard]] std::string group() const { return key.substr(0, key.find('.')); }
  [[nodiscard]] std::string name() const { return key.substr(key.find('.') + 1); }
};

// Declares the keys of one group: GroupFields<ZoConfig>(fields, "zo", &RunConfig::zo).add("eps", &ZoConfig::eps,
// {...}).
template <class Group>
class GroupFields {
 public:
  GroupFields(std::vector<Field>& fields, std::string name, Group RunConfig::*group)
      : fields_(fields), name_(std::move(name)), group_(group) {}

  template <class Member>
  GroupFields& add(const std::string& key, Member Group::*member, Rules rules) {
    using Stored = std::conditional_t<std::is_same_v<Member, int>, std::int64_t, Member>;
    Field field;
    field.key = name_ + "." + key;
    field.rules = std::move(rules);
    field.get = [group = group_, member](const RunConfig& config) -> Value {
      return static_cast<Stored>((config.*group).*member);
    };
    field.set = [group = group_, member](RunConfig& config, Value value) {
      (config.*group).*member = static_cast<Member>(std::get<Stored>(std::move(value)));
    };
    fields_.push_back(std::move(field));
    return *this;
  }

 private:
  std::vector<Field>& fields_;
  std::string name_;
  Group RunConfig::*group_;
};

// All settings, grouped, in the order of RunConfig.
const std::vector<Field>& all_fields();
const Field* find_field(const std::string& key);  // null if unknown
std::vector<std::string> all_keys();
std::vector<std::string> all_groups();

// The value in the type of `field`, or what is wrong with it ("is a string, expected a number").
std::variant<Value, std::string> value_from_json(const Field& field, const core::Json& json);
core::Json value_to_json(const Value& value);
std::string type_text(const Field& field);   // "number above 0"
std::string value_text(const Value& value);  // as JSON
const Value& default_value(const Field& field);

}  // namespace qzo::config
