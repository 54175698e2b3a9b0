#include "qzo/config/load.h"

#include <algorithm>
#include <set>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"

#include "config/field.h"
#include "config/origin.h"
#include "config/validate.h"

namespace qzo::config {
namespace {

using core::Json;
using core::text;

std::filesystem::path absolute_path(const std::filesystem::path& path, const std::filesystem::path& base) {
  if (path.empty()) return path;
  return std::filesystem::absolute(base / path).lexically_normal();
}

// Collects values and problems; nothing is thrown before everything has been looked at.
class Loader {
 public:
  explicit Loader(const std::filesystem::path& file) : name_(file.string()), base_(file.parent_path()) {
    config_.file = file;
    for (const Field& field : all_fields()) config_.sources[field.key] = Source::kDefault;
  }

  void read_document(const Json& document, const std::map<std::string, int>& lines) {
    lines_ = lines;
    if (!document.is_object()) {
      problems_.push_back(text(name_, " is not a JSON object with the groups ", listed(all_groups())));
      return;
    }
    for (const auto& [group, content] : document.items()) {
      // "$schema" names the schema for editors; "about" is the place for remarks, as JSON has no comments.
      if (group == "$schema" || group == "about") continue;
      if (group == "task" && content.is_string()) {
        assign("task.name", content, Source::kFile, place("task"));
        config_.lines["task.name"] = line_of("task");
        continue;
      }
      read_group(group, content);
    }
  }

  // {"zo": {"eps": {"value": ..., "source": ...}}}: the config of a run.
  void read_effective(const Json& document) {
    for (const Field& field : all_fields()) {
      const auto group = document.find(field.group());
      const Json* entry = nullptr;
      if (group != document.end() && group->is_object() && group->contains(field.name()))
        entry = &(*group)[field.name()];
      if (entry == nullptr || !entry->is_object() || !entry->contains("value") || !entry->contains("source") ||
          !(*entry)["source"].is_string()) {
        problems_.push_back(text("\"", field.key, "\" is missing in ", name_, " (expected a value and its source)"));
        continue;
      }
      // A value that was never stated (eps before the format's default) stands below its own bound: keep the default.
      const Origin origin = origin_from_text((*entry)["source"].get<std::string>());
      if (origin.source == Source::kDefault && (*entry)["value"] == value_to_json(default_value(field))) continue;
      assign(field.key, (*entry)["value"], origin.source, text(" (", name_, ")"));
      if (origin.line == 0) continue;
      config_.lines[field.key] = origin.line;
      config_.file = origin.file;
    }
  }

  void apply_override(const std::string& assignment) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      problems_.push_back(text("--set ", assignment, ": expected KEY=VALUE, for example --set train.steps=100"));
      return;
    }
    if (!core::valid_utf8(assignment)) {
      problems_.push_back(text("--set ", core::quoted(assignment), ": not valid UTF-8"));
      return;
    }
    std::string key = assignment.substr(0, equals);
    const std::string raw = assignment.substr(equals + 1);
    if (key == "task") key = "task.name";
    const Field* field = find_field(key);
    if (field == nullptr) {
      report_unknown(key, " (--set)");
      return;
    }
    assign(key, override_value(*field, raw), Source::kCommandLine, " (--set)", std::filesystem::current_path());
  }

  LoadedConfig finish() {
    for (std::string& problem : cross_field_problems(config_, unusable_)) problems_.push_back(std::move(problem));
    throw_problems(problems_, name_);
    return std::move(config_);
  }

 private:
  static std::string listed(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "\"" : ", \"") + name + '"';
    return out;
  }

  [[nodiscard]] int line_of(const std::string& key) const {
    const auto line = lines_.find(key);
    return line == lines_.end() ? 0 : line->second;
  }

  [[nodiscard]] std::string place(const std::string& key) const {
    const int line = line_of(key);
    return line == 0 ? text(" (", name_, ")") : text(" (", name_, ":", line, ")");
  }

  void report_unknown(const std::string& key, const std::string& where) {
    std::vector<std::string> known = all_keys();
    for (std::string& group : all_groups()) known.push_back(std::move(group));
    const std::string nearest = core::nearest_name(key, known);
    problems_.push_back(text("unknown key ", core::quoted(key), where, ". ",
                             nearest.empty() ? std::string("qzo-train --describe lists all keys")
                                             : text("Did you mean \"", nearest, "\"?")));
  }

  void read_group(const std::string& group, const Json& content) {
    const std::vector<std::string> groups = all_groups();
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) {
      report_unknown(group, place(group));
      return;
    }
    if (!content.is_object()) {
      problems_.push_back(text("\"", group, "\"", place(group), " is ", core::quoted(content.dump()),
                               ", expected an object with keys",
                               group == "task" ? " or the name of a built-in task" : ""));
      for (const Field& field : all_fields()) {
        if (field.group() == group) unusable_.insert(field.key);
      }
      return;
    }
    for (const auto& [name, value] : content.items()) {
      std::string key = group;
      key += ".";
      key += name;
      if (find_field(key) == nullptr) {
        report_unknown(key, place(key));
        continue;
      }
      config_.lines[key] = line_of(key);
      assign(key, value, Source::kFile, place(key));
    }
  }

  // Text keys take the characters as they are unless they are a JSON string; so --set data.train=7.csv means a file.
  static Json override_value(const Field& field, const std::string& raw) {
    Json value = Json::parse(raw, nullptr, false);
    const bool wants_text = std::holds_alternative<std::string>(default_value(field)) ||
                            std::holds_alternative<std::filesystem::path>(default_value(field));
    if (value.is_discarded() || (wants_text && !value.is_string())) value = raw;
    return value;
  }

  void assign(const std::string& key, const Json& json, Source source, const std::string& where) {
    assign(key, json, source, where, base_);
  }

  void assign(const std::string& key, const Json& json, Source source, const std::string& where,
              const std::filesystem::path& base) {
    const Field& field = *find_field(key);
    auto outcome = value_from_json(field, json);
    if (const auto* problem = std::get_if<std::string>(&outcome)) {
      problems_.push_back(text("\"", key, "\"", where, " ", *problem));
      unusable_.insert(key);
      return;
    }
    auto& value = std::get<Value>(outcome);
    if (auto* path = std::get_if<std::filesystem::path>(&value)) *path = absolute_path(*path, base);
    field.set(config_.values, std::move(value));
    config_.sources[key] = source;
    unusable_.erase(key);
  }

  LoadedConfig config_;
  std::string name_;  // of the file in messages
  std::filesystem::path base_;
  std::map<std::string, int> lines_;
  std::set<std::string> unusable_;  // keys whose value was refused: no further complaints about them
  std::vector<std::string> problems_;
};

}  // namespace

LoadedConfig load_config_text(std::string_view json, const std::string& name,
                              const std::vector<std::string>& overrides) {
  Loader loader(name);
  loader.read_document(core::parse_json(json, name), core::json_key_lines(json));
  for (const std::string& assignment : overrides) loader.apply_override(assignment);
  return loader.finish();
}

LoadedConfig load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  constexpr std::uint64_t kMaxRecipe = 1u << 20;
  return load_config_text(core::read_file(file, kMaxRecipe), file.string(), overrides);
}

LoadedConfig load_effective(const Json& json, const std::string& source, const std::vector<std::string>& overrides) {
  Loader loader(source);
  loader.read_effective(json);
  for (const std::string& assignment : overrides) loader.apply_override(assignment);
  return loader.finish();
}

RunConfig from_effective_json(const Json& json, const std::string& source) {
  return load_effective(json, source).values;
}

}  // namespace qzo::config
