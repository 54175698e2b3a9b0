#include "quant/settings.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"

namespace qzo::quant {
namespace {

using core::Json;

// Typed access to the merged settings; `file` begins every message.
class Settings {
 public:
  Settings(const Json& values, const std::string& file) : values_(values), file_(file) {}

  // The first of several spellings that is there and not null.
  const Json* find(std::initializer_list<std::string_view> keys, std::string_view* used = nullptr) const {
    for (const std::string_view key : keys) {
      const auto value = values_.find(key);
      if (value == values_.end() || value->is_null()) continue;
      if (used != nullptr) *used = key;
      return &*value;
    }
    return nullptr;
  }

  std::int64_t integer(std::initializer_list<std::string_view> keys) const {
    std::string_view key = *keys.begin();
    const Json* value = find(keys, &key);
    if (value == nullptr) fail(key, "is missing", "an integer");
    const bool too_large =
        value->is_number_unsigned() && value->get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max();
    if (!value->is_number_integer() || too_large) fail(key, core::text("is ", value->dump()), "an integer");
    return value->get<std::int64_t>();
  }

  std::optional<std::string> string(std::initializer_list<std::string_view> keys) const {
    std::string_view key;
    const Json* value = find(keys, &key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) fail(key, core::text("is ", value->dump()), "a string");
    return value->get<std::string>();
  }

  std::optional<bool> boolean(std::string_view key) const {
    const Json* value = find({key});
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) fail(key, core::text("is ", value->dump()), "true or false");
    return value->get<bool>();
  }

  [[noreturn]] void fail(std::string_view key, const std::string& found, std::string_view expected) const {
    throw core::UserError(core::text(file_, ": ", key, ' ', found, ", expected ", expected));
  }
  [[noreturn]] void refuse(std::string_view key, const std::string& value, std::string_view supported) const {
    throw core::UserError(core::text(file_, ": ", key, ' ', value, " is not supported yet; supported: ", supported));
  }

 private:
  const Json& values_;
  const std::string& file_;
};

bool has_tensor_ending(const io::Checkpoint& checkpoint, std::string_view ending) {
  return std::ranges::any_of(checkpoint.tensors.entries(),
                             [&](const io::TensorEntry& entry) { return entry.name.ends_with(ending); });
}

void check_method(const io::Checkpoint& checkpoint, const Settings& settings) {
  const std::optional<std::string> method = settings.string({"quant_method"});
  if (method && *method != "gptq") settings.refuse("quant_method", core::quoted(*method), "gptq, bitsandbytes, aqlm");
  if (method || (has_tensor_ending(checkpoint, ".qweight") && has_tensor_ending(checkpoint, ".g_idx"))) return;
  settings.fail("quant_method", "is missing and the tensors do not look like GPTQ (qweight, g_idx)", "\"gptq\"");
}

ZeroVersion checked_label(const Settings& settings) {
  if (settings.boolean("is_marlin_format").value_or(false))
    settings.refuse("is_marlin_format", "true", "gptq, gptq_v2");
  const std::string label = settings.string({"checkpoint_format", "format"}).value_or("gptq");
  if (label == "gptq") return ZeroVersion::kV1;
  // GPTQModel's planar layout has the words of gptq_v2 where they hold 4-bit codes.
  if (label == "gptq_v2" || label == "gptq_p") return ZeroVersion::kV2;
  settings.refuse("checkpoint_format", core::quoted(label), "gptq, gptq_v2");
}

// GPTQModel's rules per layer: "-:PATTERN" leaves layers unquantized, which their tensors show; anything else changes
// bits or groups.
void check_dynamic(const Settings& settings) {
  const Json* rules = settings.find({"dynamic"});
  if (rules == nullptr || rules->is_boolean()) return;
  if (!rules->is_object()) settings.fail("dynamic", core::text("is ", rules->type_name()), "an object of rules");
  for (const auto& [pattern, rule] : rules->items()) {
    if (!pattern.starts_with("-:")) {
      settings.refuse("dynamic rule", core::quoted(pattern), "rules that exclude layers (-:PATTERN)");
    }
  }
}

// Named so, or not named and shown by the tensors.
bool is_method(const io::Checkpoint& checkpoint, std::string_view method, std::string_view tensor_ending) {
  const auto named = Settings(checkpoint.quantization, checkpoint.quantization_file).string({"quant_method"});
  if (named) return *named == method;
  if (!has_tensor_ending(checkpoint, tensor_ending)) return false;
  core::log_info(
      core::text(checkpoint.quantization_file, " names no quant_method: taken as ", method, ", from the tensors"));
  return true;
}

// What the weights are is read from the tensors; here only what is not built is refused.
void check_bitsandbytes_settings(const Settings& settings) {
  for (const std::string_view key : {"load_in_8bit", "_load_in_8bit"}) {
    if (settings.boolean(key).value_or(false)) settings.refuse(key, "true (LLM.int8)", "load_in_4bit");
  }
  const std::string type = settings.string({"bnb_4bit_quant_type"}).value_or("nf4");
  if (type != "nf4" && type != "fp4") settings.refuse("bnb_4bit_quant_type", core::quoted(type), "nf4, fp4");
}

}  // namespace

std::optional<AqlmSettings> read_aqlm_settings(const io::Checkpoint& checkpoint) {
  if (checkpoint.quantization.is_null()) return std::nullopt;
  const Settings settings(checkpoint.quantization, checkpoint.quantization_file);
  const std::int64_t in_group = settings.integer({"in_group_size"});
  const std::int64_t out_group = settings.integer({"out_group_size"});
  if (in_group != 8) settings.refuse("in_group_size", core::text(in_group), "8");
  if (out_group != 1) settings.refuse("out_group_size", core::text(out_group), "1");
  return AqlmSettings{.books = settings.integer({"num_codebooks"}), .bits = settings.integer({"nbits_per_codebook"})};
}

GptqSettings read_gptq_settings(const io::Checkpoint& checkpoint) {
  const Settings settings(checkpoint.quantization, checkpoint.quantization_file);
  check_method(checkpoint, settings);
  GptqSettings result;
  result.label = checked_label(settings);
  const std::int64_t bits = settings.integer({"bits", "w_bit", "wbits"});
  if (bits != 4) {
    throw core::UserError(
        core::text(checkpoint.quantization_file, ": ", bits, "-bit GPTQ is not supported yet; supported: 4-bit"));
  }
  if (const auto pack = settings.string({"pack_dtype"}); pack && *pack != "int32") {
    settings.refuse("pack_dtype", core::quoted(*pack), "int32");
  }
  check_dynamic(settings);
  result.group_size = settings.integer({"group_size", "q_group_size"});
  if (result.group_size != -1 && result.group_size <= 0) {
    settings.fail("group_size", core::text("is ", result.group_size), "a positive number, or -1 for one group");
  }
  result.symmetric = settings.boolean("sym");
  return result;
}

void check_quantization_settings(const io::Checkpoint& checkpoint) {
  if (checkpoint.quantization.is_null()) return;
  if (is_method(checkpoint, "bitsandbytes", ".weight.absmax"))
    return check_bitsandbytes_settings(Settings(checkpoint.quantization, checkpoint.quantization_file));
  if (is_method(checkpoint, "aqlm", ".codebooks")) return static_cast<void>(read_aqlm_settings(checkpoint));
  read_gptq_settings(checkpoint);
  if (Settings(checkpoint.quantization, checkpoint.quantization_file).string({"quant_method"})) return;
  core::log_info(core::text(checkpoint.quantization_file, " names no quant_method: taken as gptq, from the tensors"));
}

}  // namespace qzo::quant
