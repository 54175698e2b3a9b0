#include "quant/settings.h"

#include <string>
#include <string_view>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"

#include "quant/settings_values.h"

namespace qzo::quant {
namespace {

using core::Json;

constexpr std::string_view kMethods = "gptq, awq, compressed-tensors, bitsandbytes, aqlm, hqq";

void check_method(const io::Checkpoint& checkpoint, const Settings& settings) {
  const std::optional<std::string> method = settings.string({"quant_method"});
  if (method && *method != "gptq") settings.refuse("quant_method", core::quoted(*method), kMethods);
  if (method || (has_tensor_ending(checkpoint, ".qweight") && has_tensor_ending(checkpoint, ".g_idx"))) return;
  settings.fail("quant_method", "is missing and the tensors do not look like GPTQ (qweight, g_idx)", "\"gptq\"");
}

ZeroVersion checked_label(const Settings& settings, std::int64_t bits) {
  if (settings.boolean("is_marlin_format").value_or(false))
    settings.refuse("is_marlin_format", "true", "gptq, gptq_v2");
  const std::string label = settings.string({"checkpoint_format", "format"}).value_or("gptq");
  if (label == "gptq") return ZeroVersion::kV1;
  // GPTQModel's planar layout has the words of gptq_v2 where they hold 4-bit codes, and planes of bits elsewhere.
  if (label == "gptq_v2" || (label == "gptq_p" && bits == 4)) return ZeroVersion::kV2;
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
  result.bits = settings.integer({"bits", "w_bit", "wbits"});
  if (result.bits != 2 && result.bits != 3 && result.bits != 4 && result.bits != 8) {
    throw core::UserError(core::text(checkpoint.quantization_file, ": ", result.bits,
                                     "-bit GPTQ is not supported yet; supported: 2, 3, 4 and 8-bit"));
  }
  result.label = checked_label(settings, result.bits);
  if (const auto pack = settings.string({"pack_dtype"}); pack && *pack != "int32") {
    settings.refuse("pack_dtype", core::quoted(*pack), "int32");
  }
  check_dynamic(settings);
  result.group_size = settings.group_size();
  result.symmetric = settings.boolean("sym");
  return result;
}

void check_quantization_settings(const io::Checkpoint& checkpoint) {
  if (checkpoint.quantization.is_null()) return;
  if (is_method(checkpoint, "bitsandbytes", ".weight.absmax"))
    return check_bitsandbytes_settings(Settings(checkpoint.quantization, checkpoint.quantization_file));
  if (is_method(checkpoint, "aqlm", ".codebooks")) return static_cast<void>(read_aqlm_settings(checkpoint));
  if (check_packed_settings(checkpoint)) return;
  read_gptq_settings(checkpoint);
  if (Settings(checkpoint.quantization, checkpoint.quantization_file).string({"quant_method"})) return;
  core::log_info(core::text(checkpoint.quantization_file, " names no quant_method: taken as gptq, from the tensors"));
}

}  // namespace qzo::quant
