#include <algorithm>

#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/models/causal_lm.h"

namespace qzo::models {
namespace {

using Weights = std::vector<quant::PackedWeight*>;

std::vector<bool> matches(const Weights& weights, const std::string& glob, const char* key) {
  std::vector<bool> found(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) found[i] = core::glob_match(glob, weights[i]->name);
  if (std::ranges::find(found, true) == found.end()) {
    throw core::UserError(core::text(key, ": ", core::quoted(glob), " matches none of the ", weights.size(),
                                     " quantized weights of the decoder, expected a pattern for names such as ",
                                     weights.front()->name));
  }
  return found;
}

}  // namespace

void select_trainable(CausalLm& model, const std::vector<std::string>& include,
                      const std::vector<std::string>& exclude) {
  for (quant::PackedWeight* weight : model.weights()) weight->trainable = false;
  Weights weights = model.decoder_linears();
  if (weights.empty()) {
    throw core::UserError(
        "the decoder of this model has no quantized weights, expected a 4-bit checkpoint (a quantized "
        "folder, or a GGUF file of blocks such as Q4_1 or Q4_K): there are no scales to train");
  }
  std::ranges::sort(weights, {}, &quant::PackedWeight::name);
  std::vector<bool> chosen(weights.size());
  for (const std::string& glob : include) {
    const std::vector<bool> found = matches(weights, glob, "zo.include");
    for (std::size_t i = 0; i < weights.size(); ++i) chosen[i] = chosen[i] || found[i];
  }
  for (const std::string& glob : exclude) {
    const std::vector<bool> found = matches(weights, glob, "zo.exclude");
    for (std::size_t i = 0; i < weights.size(); ++i) chosen[i] = chosen[i] && !found[i];
  }
  if (std::ranges::find(chosen, true) == chosen.end()) {
    throw core::UserError(core::text("zo.include and zo.exclude leave none of the ", weights.size(),
                                     " quantized weights to train, expected at least one"));
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i]->tensor_id = static_cast<std::uint32_t>(i);
    weights[i]->trainable = chosen[i];
  }
}

}  // namespace qzo::models
