// Training by gradients against the inference model of the same weights: equal losses, and derivatives that finite
// differences of the inference loss confirm, tensor by tensor.

#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/models/trainable_lm.h"

#include "support/oracle.h"

namespace qzo::models {
namespace {

struct Case {
  const char* folder;  // of the oracles
  bool adapters;
};

std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.folder << (one.adapters ? " adapters" : "");
}

class Gradients : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const auto folder = tests::oracles() / GetParam().folder;
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no golden model: " << folder;
    const auto gguf = folder / "model.gguf";
    checkpoint_ = std::make_unique<io::Checkpoint>(io::open_checkpoint(std::filesystem::exists(gguf) ? gguf : folder));
    model_ = load_causal_lm(*checkpoint_);
    // Two sequences, one with two continuations; tokens from everywhere in the vocabulary.
    const std::int64_t vocabulary = model_->summary().vocabulary;
    std::int32_t next = 3;
    const auto ids = [&](int count) {
      std::vector<std::int32_t> out;
      for (int i = 0; i < count; ++i) out.push_back(static_cast<std::int32_t>((next += 37) % vocabulary));
      return out;
    };
    const std::int64_t prompt = batch_.add(ids(9));
    batch_.add(ids(4), prompt);
    batch_.add(ids(3), prompt);
    batch_.add(ids(11));
    batch_.scored = {8, 10, 12, 15, 20, 26};
    targets_ = ids(6);
  }

  TrainableOptions options(bool recompute = false) const {
    TrainableOptions out;
    if (GetParam().adapters) out.adapters = AdapterOptions{.rank = 4, .alpha = 12, .seed = 5};
    out.recompute = recompute;
    return out;
  }

  double inference_loss() {
    const ForwardContext context;
    const std::vector<float> found = model_->log_probabilities(model_->forward(batch_, context), targets_, context);
    return -std::accumulate(found.begin(), found.end(), 0.0) / static_cast<double>(found.size());
  }

  double add_gradients(TrainableLm& trainable) {
    return trainable.add_gradients(batch_, [&](const at::Tensor& logits) {
      std::vector<std::int64_t> wide(targets_.begin(), targets_.end());
      const at::Tensor wanted = at::tensor(wide, at::kLong).unsqueeze(1);
      return -at::log_softmax(logits, 1).gather(1, wanted).mean();
    });
  }

  std::unique_ptr<io::Checkpoint> checkpoint_;
  std::unique_ptr<CausalLm> model_;
  PackedBatch batch_;
  std::vector<std::int32_t> targets_;
};

TEST_P(Gradients, agree_with_finite_differences_of_the_inference_loss) {
  const double before = inference_loss();
  const auto trainable = make_trainable(*model_, options());
  EXPECT_NEAR(inference_loss(), before, 1e-6) << "what is trained begins as the file has it";
  if (GetParam().adapters) {
    // B begins at zero, where A has no gradient: somewhere else both have one.
    for (TrainedTensor& tensor : trainable->tensors()) tensor.values.add_(0.02);
    trainable->changed();
  }
  EXPECT_NEAR(add_gradients(*trainable), inference_loss(), 1e-4);
  for (TrainedTensor& tensor : trainable->tensors()) {
    const double norm = tensor.gradient.norm().item<double>();
    ASSERT_TRUE(std::isfinite(norm)) << tensor.name;
    if (norm < 1e-4) continue;  // below what differences of fp32 losses can show
    // Along the gradient itself, so far that the loss moves by about 0.02.
    const at::Tensor move = tensor.gradient * (0.01 / norm / norm);
    const at::Tensor start = tensor.values.clone();
    tensor.values.add_(move);
    trainable->changed();
    const double up = inference_loss();
    tensor.values.copy_(start).sub_(move);
    trainable->changed();
    const double down = inference_loss();
    tensor.values.copy_(start);
    trainable->changed();
    EXPECT_NEAR(up - down, 0.02, 0.0015) << tensor.name << " norm " << norm;
  }
}

TEST_P(Gradients, recomputed_layers_give_the_same_bits_and_gradients_add_up) {
  const auto kept = make_trainable(*model_, options());
  if (GetParam().adapters) {
    for (TrainedTensor& tensor : kept->tensors()) tensor.values.add_(0.02);
  }
  const double loss = add_gradients(*kept);
  std::vector<at::Tensor> first;
  for (const TrainedTensor& tensor : kept->tensors()) first.push_back(tensor.gradient.clone());
  EXPECT_EQ(add_gradients(*kept), loss);
  // A tied embedding gets two parts each time, so the order of four additions matters there.
  for (std::size_t i = 0; i < first.size(); ++i)
    EXPECT_TRUE(at::allclose(kept->tensors()[i].gradient, first[i] * 2, 1e-5, 1e-7)) << kept->tensors()[i].name;

  const auto other = load_causal_lm(*checkpoint_);
  const auto recomputed = make_trainable(*other, options(true));
  if (GetParam().adapters) {
    for (TrainedTensor& tensor : recomputed->tensors()) tensor.values.add_(0.02);
  }
  EXPECT_EQ(add_gradients(*recomputed), loss);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(recomputed->tensors()[i].gradient.equal(first[i]));
}

INSTANTIATE_TEST_SUITE_P(Families, Gradients,
                         testing::Values(Case{"models/llama_mha", false}, Case{"models/llama_gqa_tied_rope3", false},
                                         Case{"models/llama_bias_linear_rope", false},
                                         Case{"models/mistral_swa", false}, Case{"models/qwen2", false},
                                         Case{"models/qwen3", false}, Case{"models/phi3", false},
                                         Case{"models/gemma2", false}, Case{"models/gemma3_text", false},
                                         Case{"models/qwen3", true}, Case{"models/phi3", true},
                                         Case{"quant/gptq_asym_v1_g128", true}, Case{"quant/bnb_nf4_double", true},
                                         Case{"quant/awq_gemm_g128", true}, Case{"quant/gguf_q4_k_q6_k", true},
                                         Case{"quant/gguf_mix", true}, Case{"quant/hqq_4bit_g64_axis0", true}));

TEST(TrainableFamilies, others_are_refused_by_name) {
  for (const char* folder : {"models/opt_preln", "models/gpt2"}) {
    const auto place = tests::oracles() / folder;
    if (!std::filesystem::exists(place)) GTEST_SKIP() << "no golden model: " << place;
    const io::Checkpoint checkpoint = io::open_checkpoint(place);
    const auto model = load_causal_lm(checkpoint);
    EXPECT_THROW(make_trainable(*model, {}), core::UserError) << folder;
  }
}

TEST(TrainableFamilies, quantized_weights_need_adapters) {
  const auto place = tests::oracles() / "quant/gptq_asym_v1_g128";
  if (!std::filesystem::exists(place)) GTEST_SKIP() << "no golden model: " << place;
  const io::Checkpoint checkpoint = io::open_checkpoint(place);
  const auto model = load_causal_lm(checkpoint);
  EXPECT_THROW(make_trainable(*model, {}), core::UserError);
}

}  // namespace
}  // namespace qzo::models
