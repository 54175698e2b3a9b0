// Documentation from the declarations: JSON Schema, text table, a complete recipe.

#include <algorithm>

#include "qzo/config/load.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "config/field.h"

namespace qzo::config {
namespace {

using core::Json;
using core::text;

Json field_schema(const Field& field) {
  static const std::vector<Json> types = {"boolean", "integer", "number", Json({"number", "null"}),
                                          "string",  "string",  "array"};
  const Value& standard = default_value(field);
  Json schema = {{"type", types[standard.index()]}};
  std::string description = field.rules.text;
  if (!field.rules.unit.empty()) description += " Unit: " + field.rules.unit + ".";
  if (!field.rules.default_text.empty()) {
    description += " Default: " + field.rules.default_text + ".";
  } else if (!field.rules.required) {
    schema["default"] = value_to_json(standard);
  }
  schema["description"] = description;
  if (schema["type"] == "array") schema["items"] = {{"type", "string"}};
  if (!field.rules.choices.empty()) schema["enum"] = field.rules.choices;
  const auto bound = [&](const char* name, const std::optional<double>& value) {
    if (!value) return;
    schema[name] = standard.index() == 1 ? Json(static_cast<std::int64_t>(*value)) : Json(*value);
  };
  bound("exclusiveMinimum", field.rules.above);
  bound("minimum", field.rules.at_least);
  bound("maximum", field.rules.at_most);
  return schema;
}

std::string described(const Field& field) {
  std::string out = text(field.key, "\n    ", type_text(field));
  if (field.rules.required) {
    out += "; required";
  } else {
    out +=
        "; default " + (field.rules.default_text.empty() ? value_text(default_value(field)) : field.rules.default_text);
  }
  if (!field.rules.unit.empty()) out += "; unit: " + field.rules.unit;
  out += "\n    " + field.rules.text + "\n";
  if (field.rules.effect == Effect::kTrajectory) out += "    Fixed once a run has begun.\n";
  return out;
}

}  // namespace

Json json_schema() {
  Json schema = {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", "qzo recipe"},
      {"type", "object"},
      {"additionalProperties", false},
      {"required", {"model", "data", "task", "output"}},
      {"properties",
       {{"$schema", {{"type", "string"}}}, {"about", {{"description", "Remarks; not read by the programs."}}}}}};
  for (const std::string& group : all_groups()) {
    Json properties = Json::object();
    Json required = Json::array();
    for (const Field& field : all_fields()) {
      if (field.group() != group) continue;
      properties[field.name()] = field_schema(field);
      if (field.rules.required) required.push_back(field.name());
    }
    Json object = {{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
    if (!required.empty()) object["required"] = std::move(required);
    if (group == "task") {
      object = {{"oneOf", {{{"type", "string"}, {"description", "Name of a built-in task."}}, std::move(object)}}};
    }
    schema["properties"][group] = std::move(object);
  }
  return schema;
}

std::string describe_keys(const std::string& prefix) {
  std::string out;
  for (const Field& field : all_fields()) {
    if (prefix.empty() || field.key == prefix || field.group() == prefix) out += described(field);
  }
  if (!out.empty()) return out;
  std::vector<std::string> known = all_keys();
  for (std::string& group : all_groups()) known.push_back(std::move(group));
  const std::string nearest = core::nearest_name(prefix, known);
  throw core::UserError(text(
      "--describe: there is no key or group ", core::quoted(prefix), ". ",
      nearest.empty() ? std::string("Without a name all keys are listed.") : text("Did you mean \"", nearest, "\"?")));
}

Json default_config(const std::string& format) {
  if (format != "gptq") {
    throw core::UserError(
        text("--print-default ", format,
             ": settings are published for gptq only. For GGUF files start from configs/sst2_smollm2.json."));
  }
  LoadedConfig config;
  for (const Field& field : all_fields()) config.sources[field.key] = Source::kDefault;
  apply_format_defaults(config, format);
  config.values.model.path = "path/to/gptq-model";
  config.values.data.train = "path/to/train.tsv";
  config.values.output.dir = "runs/my-run";
  Json out = Json::object();
  for (const Field& field : all_fields()) {
    // Optimizers by gradients have keys that may not be stated beside qzo.
    if (field.group() == "method" && field.key != "method.name") continue;
    if (field.group() != "task") out[field.group()][field.name()] = value_to_json(field.get(config.values));
  }
  out["task"] = "sst2";
  return out;
}

}  // namespace qzo::config
