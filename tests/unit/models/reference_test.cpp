// The reference in double against the inference model of the same weights: other code, other arithmetic.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/models/reference_lm.h"

#include "support/oracle.h"

namespace qzo::models {
namespace {

class Reference : public testing::TestWithParam<const char*> {};

TEST_P(Reference, agrees_with_the_inference_model_at_each_sign) {
  const auto folder = tests::oracles() / GetParam();
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no golden model: " << folder;
  const auto gguf = folder / "model.gguf";
  const io::Checkpoint checkpoint = io::open_checkpoint(std::filesystem::exists(gguf) ? gguf : folder);
  const auto model = load_causal_lm(checkpoint);
  const bool quantized = !model->decoder_linears().empty();
  if (quantized) select_trainable(*model, {"*"}, {});
  PackedBatch batch;
  const std::int64_t prompt = batch.add(std::vector<std::int32_t>{3, 40, 77, 5, 12, 9});
  batch.add(std::vector<std::int32_t>{8, 2}, prompt);
  batch.add(std::vector<std::int32_t>{60, 61, 62, 63});
  batch.scored = {5, 7, 11};
  const kernels::PhiloxNoise noise({.seed = 3, .step = 1, .direction = 0});
  const auto reference = make_reference(*model);
  at::Tensor last;
  for (const kernels::Signs sign : {kernels::Signs::kPlus, kernels::Signs::kMinus}) {
    const kernels::Probe probe{.noise = &noise, .eps = 0.02F, .mode = kernels::EpsMode::kRelative, .signs = sign};
    const ForwardContext context{.scales = {.probe = &probe}};
    const at::Tensor got = model->logits(model->forward(batch, context), context).to(at::kDouble);
    const at::Tensor wanted = reference->logits(batch, context.scales);
    ASSERT_EQ(wanted.scalar_type(), at::kDouble);
    EXPECT_LT(((got - wanted).norm() / wanted.norm()).item<double>(), 5e-6);
    if (last.defined()) {
      EXPECT_EQ(wanted.equal(last), !quantized) << "the signs have scales of their own";
    }
    last = wanted;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Reference,
                         testing::Values("models/llama_gqa_tied_rope3", "models/qwen2", "models/qwen3", "models/phi3",
                                         "models/gemma2", "models/gemma3_text", "quant/gguf_mix",
                                         "quant/gguf_q4_k_q6_k", "quant/awq_gemm_g128", "quant/hqq_4bit_g64_axis0",
                                         "quant/bnb_nf4_double"));

TEST(ReferenceFamilies, others_are_refused_by_name) {
  const auto place = tests::oracles() / "models/gpt2";
  if (!std::filesystem::exists(place)) GTEST_SKIP() << "no golden model: " << place;
  const io::Checkpoint checkpoint = io::open_checkpoint(place);
  const auto model = load_causal_lm(checkpoint);
  EXPECT_THROW(make_reference(*model), core::UserError);
}

}  // namespace
}  // namespace qzo::models
