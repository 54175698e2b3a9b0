#pragma once
// A decoder language model on quantized weights. forward() gives hidden states at scored rows; heads turn them into
// logits only where they are needed. fp32 logits, norms, residual stream.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "qzo/io/checkpoint.h"
#include "qzo/models/packed_batch.h"
#include "qzo/ops/precision.h"
#include "qzo/quant/format.h"
#include "qzo/quant/packed_weight.h"

namespace qzo::models {

struct ForwardContext {
  quant::ScaleMode scales;  // probe (twin pass if its signs are kBoth), or masters, or rounded masters
  ops::Precision precision = ops::Precision::kFp32;

  [[nodiscard]] std::int64_t signs() const {
    return scales.probe != nullptr && scales.probe->signs == kernels::Signs::kBoth ? 2 : 1;
  }
};

struct ModelSummary {
  std::string family;  // "llama", "qwen2"
  std::int64_t layers = 0, hidden = 0, intermediate = 0, heads = 0, kv_heads = 0, head_dim = 0, vocabulary = 0;
  std::int64_t max_positions = 0;
  bool tied_head = false;
};

class CausalLm {
 public:
  virtual ~CausalLm() = default;
  [[nodiscard]] virtual const ModelSummary& summary() const = 0;

  // Hidden states of the batch's scored rows as the head wants them (final norm done): [signs * scored, C] fp32, plus
  // rows first.
  virtual at::Tensor forward(const PackedBatch& batch, const ForwardContext& context) = 0;

  // hidden [R, C] -> full logits [R, vocabulary] fp32.
  virtual at::Tensor logits(const at::Tensor& hidden, const ForwardContext& context) = 0;
  // Logits of chosen tokens only: [R, tokens.size()].
  virtual at::Tensor token_logits(const at::Tensor& hidden, std::span<const std::int32_t> tokens,
                                  const ForwardContext& context) = 0;
  // log p(target[r] | hidden[r]) over the full vocabulary, without the full logits in memory: R floats.
  virtual std::vector<float> log_probabilities(const at::Tensor& hidden, std::span<const std::int32_t> targets,
                                               const ForwardContext& context) = 0;

  // Every weight matrix (embedding and head included), in a fixed order.
  virtual std::vector<quant::PackedWeight*> weights() = 0;
  // Quantized linears of the decoder layers: what is trained by default.
  virtual std::vector<quant::PackedWeight*> decoder_linears() = 0;
};

struct ModelLoadOptions {
  quant::LoadOptions quant = {};
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};  // weights loaded
};

// By config.json model_type or general.architecture. UserError naming the family if it is not built, naming file and
// key or tensor for everything inconsistent. `checkpoint` must outlive the model.
std::unique_ptr<CausalLm> load_causal_lm(const io::Checkpoint& checkpoint, const ModelLoadOptions& options = {});

// The dimensions alone, from the checkpoint's configuration (for memory tables).
ModelSummary read_summary(const io::Checkpoint& checkpoint);

// Marks what is trained and numbers the noise streams: tensor ids count the sorted names of all quantized decoder
// linears, so they do not depend on include/exclude. Globs match weight names ("*.q_proj", "blk.3.*"); a glob that
// matches nothing is a UserError (`keys` for the message: zo.include / zo.exclude).
void select_trainable(CausalLm& model, const std::vector<std::string>& include,
                      const std::vector<std::string>& exclude);

}  // namespace qzo::models
