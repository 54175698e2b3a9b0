// What a run writes into its folder, and what makes two runs the same.

#include <algorithm>

#include "qzo/config/load.h"
#include "qzo/core/error.h"
#include "qzo/core/hash.h"
#include "qzo/core/text.h"

#include "config/field.h"
#include "config/origin.h"

namespace qzo::config {
namespace {

using core::text;

// With a constant rate a longer run only adds steps to a shorter one; with a falling rate it is another trajectory.
bool matters(const Field& field, const RunConfig& config) {
  if (field.key == "train.steps") return config.train.schedule != "constant";
  // What belongs to the other method says nothing; method.name tells them apart.
  const bool other = field.group() == (config.method.first_order() ? "zo" : "method");
  if (other && field.key != "method.name") return false;
  return field.rules.effect == Effect::kTrajectory;
}

}  // namespace

void apply_format_defaults(LoadedConfig& config, const std::string& format) {
  const bool published = format == "gptq" && config.values.zo.eps_mode == "absolute";
  // arXiv 2505.13430, section 4.1, for GPTQ: absolute eps 1e-3, constant learning rate 1e-7.
  const auto fill = [&](const char* key, double& value, double published_value) -> std::string {
    if (config.sources.at(key) != Source::kDefault) return "";
    if (!published) return key;
    value = published_value;
    config.sources[key] = Source::kFormatDefault;
    return "";
  };
  const std::string eps = fill("zo.eps", config.values.zo.eps, 1e-3);
  const std::string lr = fill("train.lr", config.values.train.lr, 1e-7);
  if (eps.empty() && lr.empty()) return;
  const std::string keys = eps.empty() ? lr : lr.empty() ? eps : eps + " and " + lr;
  throw core::UserError(
      text(config.file.string(), ": ", keys, " must be stated: for ",
           format == "gptq" ? std::string("zo.eps_mode \"relative\"") : text("weights in format ", format),
           " no settings are published. For GGUF files zo.eps_mode \"relative\", zo.eps 0.02, train.lr 0.006 with "
           "train.schedule ",
           "\"linear\" and zo.clip 3 are a start (configs/sst2_smollm2.json)."));
}

void resolve_auto(LoadedConfig& config, const std::string& key, const std::string& chosen) {
  const Field* field = find_field(key);
  if (field == nullptr || field->get(config.values) != Value(std::string("auto"))) return;
  field->set(config.values, Value(chosen));
  config.sources[key] = Source::kDetected;
}

core::Json effective_json(const LoadedConfig& config) {
  core::Json out = core::Json::object();
  for (const Field& field : all_fields()) {
    out[field.group()][field.name()] = {{"value", value_to_json(field.get(config.values))},
                                        {"source", origin_text(config, field.key)}};
  }
  return out;
}

std::string effective_text(const LoadedConfig& config) {
  std::size_t width = 0;
  for (const Field& field : all_fields()) width = std::max(width, field.key.size());
  std::string out;
  for (const Field& field : all_fields()) {
    const std::string value = value_text(field.get(config.values));
    out += field.key + std::string(width + 2 - field.key.size(), ' ') + value + "  (" + origin_text(config, field.key) +
           ")\n";
  }
  return out;
}

std::uint64_t trajectory_hash(const RunConfig& config) {
  std::string canonical;
  for (const Field& field : all_fields()) {
    if (matters(field, config)) canonical += field.key + "=" + value_text(field.get(config)) + "\n";
  }
  return core::xxh3_64(std::as_bytes(std::span(canonical)));
}

std::vector<std::string> trajectory_differences(const RunConfig& there, const RunConfig& here) {
  std::vector<std::string> out;
  for (const Field& field : all_fields()) {
    if (!matters(field, there) && !matters(field, here)) continue;
    const std::string old_value = value_text(field.get(there));
    const std::string new_value = value_text(field.get(here));
    if (old_value != new_value) out.push_back(text(field.key, ": ", old_value, " there, ", new_value, " here"));
  }
  return out;
}

}  // namespace qzo::config
