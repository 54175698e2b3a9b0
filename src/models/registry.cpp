#include <array>
#include <string>

#include "qzo/core/error.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"
#include "qzo/models/causal_lm.h"

#include "models/decoder/decoder.h"
#include "models/families/families.h"

namespace qzo::models {
namespace {

struct Family {
  const char* hf;    // model_type; null: not in this format
  const char* gguf;  // general.architecture; null: not in this format
  DecoderSpec (*read)(const io::Checkpoint&);
};
constexpr std::array<Family, 9> kFamilies = {{
    {"llama", "llama", read_llama},
    {"mistral", nullptr, read_mistral},  // GGUF calls it llama
    {"qwen2", "qwen2", read_qwen2},
    {"qwen3", "qwen3", read_qwen3},
    {"phi3", "phi3", read_phi3},
    {"gemma2", "gemma2", read_gemma2},
    {"gemma3_text", "gemma3", read_gemma3},
    {"opt", nullptr, read_opt},
    {"gpt2", "gpt2", read_gpt2},
}};

std::string stated_name(const io::Checkpoint& checkpoint) {
  if (checkpoint.kind == io::CheckpointKind::kGguf) return checkpoint.metadata.string("general.architecture");
  const auto value = checkpoint.config.find("model_type");
  if (value != checkpoint.config.end() && value->is_string()) return value->get<std::string>();
  throw core::UserError(core::text((checkpoint.root / "config.json").string(), ": model_type ",
                                   value == checkpoint.config.end() ? "is missing" : "is not a string",
                                   ", expected the name of a model family such as \"llama\""));
}

const Family& family_of(const io::Checkpoint& checkpoint) {
  const std::string name = stated_name(checkpoint);
  const bool gguf = checkpoint.kind == io::CheckpointKind::kGguf;
  std::string supported;
  for (const Family& family : kFamilies) {
    const char* own = gguf ? family.gguf : family.hf;
    if (own == nullptr) continue;
    if (name == own) return family;
    supported += core::text(supported.empty() ? "" : ", ", own);
  }
  throw core::UserError(core::text((gguf ? checkpoint.root : checkpoint.root / "config.json").string(),
                                   ": model family ", core::quoted(name), " is not supported; supported: ", supported));
}

void warn_of_ambiguous_zeros(const io::Checkpoint& checkpoint, CausalLm& model) {
  std::int64_t count = 0;
  for (const quant::PackedWeight* weight : model.weights()) count += weight->ambiguous_zeros;
  if (count == 0) return;
  core::log_warning(core::text(checkpoint.tensors.where(), ": ", count,
                               " stored zero points are the largest code and read as 0; if ",
                               "the file was converted to gptq (v1) word by word, their neighbours are off by one"));
}

}  // namespace

std::unique_ptr<CausalLm> load_causal_lm(const io::Checkpoint& checkpoint, const ModelLoadOptions& options) {
  const Family& family = family_of(checkpoint);
  quant::check_quantization_settings(checkpoint);
  std::unique_ptr<CausalLm> model = load_decoder(checkpoint, family.read(checkpoint), options);
  warn_of_ambiguous_zeros(checkpoint, *model);
  return model;
}

ModelSummary read_summary(const io::Checkpoint& checkpoint) {
  return decoder_summary(checkpoint, family_of(checkpoint).read(checkpoint));
}

}  // namespace qzo::models
