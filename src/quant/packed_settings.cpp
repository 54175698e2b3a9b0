#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>

#include "qzo/core/log.h"

#include "quant/settings.h"
#include "quant/settings_values.h"

namespace qzo::quant {
namespace {

using core::Json;

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// An object under `key`; none if absent or null.
const Json* object_of(const Json& values, const Settings& settings, std::string_view key) {
  const auto found = values.find(key);
  if (found == values.end() || found->is_null()) return nullptr;
  if (!found->is_object()) settings.fail(key, core::text("is ", found->dump()), "an object");
  return &*found;
}

std::int64_t awq_group_size(const Settings& settings) {
  const std::int64_t bits = settings.integer({"bits", "w_bit", "wbits"});
  if (bits != 4) settings.refuse("bits", core::text(bits, " (AWQ)"), "4");
  const std::string version = lower_case(settings.string({"version", "checkpoint_format", "format"}).value_or("gemm"));
  if (version != "gemm") settings.refuse("version", core::quoted(version), "gemm");
  if (!settings.boolean("zero_point").value_or(true)) settings.refuse("zero_point", "false", "true");
  return settings.group_size();
}

// Codes of one group of layers. What a weight has (bits, groups, zero points) is read from its tensors.
void check_scheme(const Json& group, const std::string& file) {
  const Settings scheme(group, file);
  for (const std::string_view key : {"input_activations", "output_activations"}) {
    if (scheme.find({key}) != nullptr) scheme.refuse(key, "(quantized activations)", "null");
  }
  const Json* weights = object_of(group, scheme, "weights");
  if (weights == nullptr) scheme.fail("weights", "is missing", "an object with num_bits and strategy");
  const Settings settings(*weights, file);
  const std::int64_t bits = settings.integer({"num_bits"});
  if (bits != 4 && bits != 8) settings.refuse("num_bits", core::text(bits), "4, 8");
  const std::string type = settings.string({"type"}).value_or("int");
  if (type != "int") settings.refuse("type", core::quoted(type), "int");
  const std::string strategy = settings.string({"strategy"}).value_or("channel");
  if (strategy != "group" && strategy != "channel")
    settings.refuse("strategy", core::quoted(strategy), "group, channel");
}

void check_compressed_tensors(const Json& values, const Settings& settings, const std::string& file) {
  const std::string format = settings.string({"format"}).value_or("pack-quantized");
  if (format != "pack-quantized") settings.refuse("format", core::quoted(format), "pack-quantized");
  if (settings.find({"kv_cache_scheme"}) != nullptr) settings.refuse("kv_cache_scheme", "(a quantized cache)", "null");
  const Json* groups = object_of(values, settings, "config_groups");
  if (groups == nullptr) settings.fail("config_groups", "is missing", "an object of quantization schemes");
  for (const auto& [name, group] : groups->items()) {
    if (!group.is_object()) settings.fail("config_groups." + name, core::text("is ", group.dump()), "an object");
    check_scheme(group, file);
  }
}

// quant_config as hqq writes it; bits, groups and axis are tensors of each layer.
void check_hqq(const Json& values, const Settings& settings, const std::string& file) {
  const Json* config = object_of(values, settings, "quant_config");
  if (config == nullptr) return;
  for (const std::string_view key : {"scale_quant_params", "zero_quant_params"}) {
    if (object_of(*config, settings, key) != nullptr) settings.refuse(key, "(quantized scales or zeros)", "null");
  }
  const Json* weights = object_of(*config, settings, "weight_quant_params");
  if (weights == nullptr) return;
  const Settings parameters(*weights, file);
  const std::int64_t bits = parameters.integer({"nbits"});
  if (bits != 4 && bits != 8) parameters.refuse("nbits", core::text(bits, " (HQQ)"), "4, 8");
}

struct Method {
  std::string_view name;
  std::string_view tensor_ending;
};
constexpr std::array<Method, 3> kMethods = {{
    {"compressed-tensors", ".weight_packed"}, {"hqq", ".W_q"}, {"awq", ".qweight"},  // of which GPTQ has a g_idx
}};

std::string method_of(const io::Checkpoint& checkpoint, const Settings& settings) {
  if (const auto named = settings.string({"quant_method"})) return *named;
  for (const Method& method : kMethods) {
    if (!has_tensor_ending(checkpoint, method.tensor_ending)) continue;
    if (method.name == "awq" && has_tensor_ending(checkpoint, ".g_idx")) return "";
    core::log_info(core::text(checkpoint.quantization_file, " names no quant_method: taken as ", method.name,
                              ", from the tensors"));
    return std::string(method.name);
  }
  return "";
}

}  // namespace

std::int64_t read_awq_group_size(const io::Checkpoint& checkpoint) {
  const Settings settings(checkpoint.quantization, checkpoint.quantization_file);
  if (const auto method = settings.string({"quant_method"}); method && *method != "awq") {
    settings.fail("quant_method", core::text("is ", core::quoted(*method)),
                  "\"awq\", since there are weights stored as AWQ (qweight without g_idx)");
  }
  return awq_group_size(settings);
}

bool check_packed_settings(const io::Checkpoint& checkpoint) {
  const Json& values = checkpoint.quantization;
  const std::string& file = checkpoint.quantization_file;
  const Settings settings(values, file);
  const std::string method = method_of(checkpoint, settings);
  if (method == "awq") {
    awq_group_size(settings);
  } else if (method == "compressed-tensors") {
    check_compressed_tensors(values, settings, file);
  } else if (method == "hqq") {
    check_hqq(values, settings, file);
  } else {
    return false;
  }
  return true;
}

}  // namespace qzo::quant
