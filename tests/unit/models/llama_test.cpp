// Exactness of the ways to compute the same thing. Absolute numbers: tests/integration/oracle_tests.cpp.

#include <cmath>
#include <map>

#include <ATen/ATen.h>

#include "qzo/core/log.h"
#include "qzo/core/thread_pool.h"

#include "unit/models/tiny_llama.h"

namespace qzo::models {
namespace {

using testing::expect_user_error;
using testing::TempFolder;
using testing::TinyLlama;

using Ids = std::vector<std::int32_t>;

class LlamaForward : public ::testing::Test {
 protected:
  void SetUp() override { select_trainable(*model_, {"*"}, {}); }

  static PackedBatch all_rows(const std::vector<Ids>& sequences) {
    PackedBatch batch;
    for (const Ids& ids : sequences) batch.add(ids);
    for (std::int64_t row = 0; row < batch.rows(); ++row) batch.scored.push_back(row);
    return batch;
  }
  at::Tensor hidden(const PackedBatch& batch, const ForwardContext& context = {}) {
    return model_->forward(batch, context);
  }

  TempFolder folder_;
  io::Checkpoint checkpoint_ = TinyLlama().write(folder_.path());
  std::unique_ptr<CausalLm> model_ = load_causal_lm(checkpoint_);
  kernels::PhiloxNoise noise_{{.seed = 11, .step = 2}};
  kernels::Probe probe_{.noise = &noise_, .eps = 0.002F};
  const Ids first_ = {1, 7, 3, 22, 39, 0, 5};
  const Ids second_ = {1, 30, 2};
};

TEST_F(LlamaForward, PackingChangesNoBit) {
  const at::Tensor packed = hidden(all_rows({first_, second_}));
  EXPECT_TRUE(at::equal(packed.narrow(0, 0, 7), hidden(all_rows({first_}))));
  EXPECT_TRUE(at::equal(packed.narrow(0, 7, 3), hidden(all_rows({second_}))));
  EXPECT_TRUE(at::isfinite(packed).all().item<bool>());
}

TEST_F(LlamaForward, ContinuedSegmentsEqualWholeSequences) {
  PackedBatch batch;
  const std::int64_t prompt = batch.add(Ids{1, 7, 3});
  batch.add(Ids{22, 39}, prompt);
  batch.add(Ids{4, 4, 9}, prompt);
  batch.scored = {3, 4, 5, 6, 7, 2};
  const at::Tensor shared = hidden(batch);
  const at::Tensor a = hidden(all_rows({{1, 7, 3, 22, 39}}));
  const at::Tensor b = hidden(all_rows({{1, 7, 3, 4, 4, 9}}));
  EXPECT_TRUE(at::equal(shared.narrow(0, 0, 2), a.narrow(0, 3, 2)));
  EXPECT_TRUE(at::equal(shared.narrow(0, 2, 3), b.narrow(0, 3, 3)));
  EXPECT_TRUE(at::equal(shared[5], a[2]));
}

TEST_F(LlamaForward, LeavingOutRowsBehindTheLastKeysIsExact) {
  PackedBatch batch = all_rows({first_, second_});
  const at::Tensor all = hidden(batch);
  batch.scored = {9, 2, 2};
  const at::Tensor some = hidden(batch);
  ASSERT_EQ(some.size(0), 3);
  EXPECT_TRUE(at::equal(some[0], all[9]));
  EXPECT_TRUE(at::equal(some[1], all[2]));
  EXPECT_TRUE(at::equal(some[2], all[2]));
  batch.scored.clear();
  EXPECT_EQ(hidden(batch).size(0), 0);
}

class TrainedPart : public LlamaForward, public ::testing::WithParamInterface<const char*> {};

TEST_P(TrainedPart, BothSignsInOneWalkEqualTwoWalks) {
  select_trainable(*model_, {GetParam()}, {});
  PackedBatch batch = all_rows({first_, second_});
  batch.scored = {6, 9};
  const at::Tensor both = hidden(batch, {.scales = {.probe = &probe_}});
  ASSERT_EQ(both.size(0), 4);
  probe_.signs = kernels::Signs::kPlus;
  const at::Tensor plus = hidden(batch, {.scales = {.probe = &probe_}});
  probe_.signs = kernels::Signs::kMinus;
  const at::Tensor minus = hidden(batch, {.scales = {.probe = &probe_}});
  EXPECT_TRUE(at::equal(both.narrow(0, 0, 2), plus));
  EXPECT_TRUE(at::equal(both.narrow(0, 2, 2), minus));
  EXPECT_FALSE(at::equal(plus, minus));
  EXPECT_FALSE(at::equal(plus, hidden(batch)));
}

// All layers; the upper one (the lower one is computed once for both signs); the lower one.
INSTANTIATE_TEST_SUITE_P(Layers, TrainedPart, ::testing::Values("*", "model.layers.1.*", "model.layers.0.*"));

TEST_F(LlamaForward, AProbeLeavesTheMastersAlone) {
  std::map<std::string, std::vector<float>> before;
  for (const quant::PackedWeight* weight : model_->weights()) before[weight->name] = weight->scales;
  const PackedBatch batch = all_rows({first_});
  const at::Tensor without = hidden(batch);
  hidden(batch, {.scales = {.probe = &probe_}});
  for (const quant::PackedWeight* weight : model_->weights()) EXPECT_EQ(weight->scales, before[weight->name]);
  EXPECT_TRUE(at::equal(hidden(batch), without));
}

TEST_F(LlamaForward, WhatIsNotTrainedIsNotProbed) {
  const PackedBatch batch = all_rows({first_});
  for (quant::PackedWeight* weight : model_->weights()) weight->trainable = false;
  const at::Tensor both = hidden(batch, {.scales = {.probe = &probe_}});
  EXPECT_TRUE(at::equal(both.narrow(0, 0, 7), hidden(batch)));
  EXPECT_TRUE(at::equal(both.narrow(0, 7, 7), hidden(batch)));
}

TEST_F(LlamaForward, RoundedScalesAreTheFilesOwnAtFirst) {
  const PackedBatch batch = all_rows({first_});
  EXPECT_TRUE(at::equal(hidden(batch, {.scales = {.rounded = true}}), hidden(batch)));
  for (quant::PackedWeight* weight : model_->decoder_linears()) {
    for (float& scale : weight->scales) scale *= 1.0001F;  // less than half a step of fp16 for most
  }
  EXPECT_FALSE(at::equal(hidden(batch, {.scales = {.rounded = true}}), hidden(batch)));
}

TEST_F(LlamaForward, ThreadsChangeNoBit) {
  const PackedBatch batch = all_rows({first_, second_});
  core::set_thread_count(1);
  const at::Tensor one = hidden(batch, {.scales = {.probe = &probe_}});
  core::set_thread_count(3);
  const at::Tensor three = hidden(batch, {.scales = {.probe = &probe_}});
  core::set_thread_count(0);
  EXPECT_TRUE(at::equal(one, three));
}

TEST_F(LlamaForward, TokenLogitsAndLogProbabilitiesAgreeWithLogits) {
  const at::Tensor states = hidden(all_rows({first_}));
  const at::Tensor full = model_->logits(states, {});
  ASSERT_EQ(full.sizes(), (at::IntArrayRef{7, 40}));
  const Ids tokens = {39, 0, 17};
  const at::Tensor chosen = model_->token_logits(states, tokens, {});
  for (std::int64_t i = 0; i < 3; ++i)
    EXPECT_TRUE(at::equal(chosen.select(1, i), full.select(1, tokens[static_cast<std::size_t>(i)])));
  const Ids targets = {7, 3, 22, 39, 0, 5, 12};
  const std::vector<float> scores = model_->log_probabilities(states, targets, {});
  const at::Tensor expected = at::log_softmax(full.to(at::kDouble), 1);
  for (std::size_t r = 0; r < 7; ++r)
    EXPECT_NEAR(scores[r], expected[static_cast<std::int64_t>(r)][targets[r]].item<double>(), 1e-5);
  EXPECT_THROW(model_->log_probabilities(states, Ids{1}, {}), core::InternalError);
}

TEST_F(LlamaForward, ForeignTokensAreRefused) {
  expect_user_error([&] { hidden(all_rows({{1, 40}})); }, {"token id 40", "vocabulary of 40", "tokenizer"});
  expect_user_error([&] { hidden(all_rows({{-1}})); }, {"token id -1"});
}

TEST_F(LlamaForward, PositionsBeyondTheTableGrowIt) {
  const Ids longer(300, 5);
  const at::Tensor at_once = hidden(all_rows({longer}));
  const std::unique_ptr<CausalLm> other = load_causal_lm(checkpoint_);
  other->forward(all_rows({first_}), {});  // a small table first
  EXPECT_TRUE(at::equal(other->forward(all_rows({longer}), {}), at_once));
}

// Files that lack something, or hold something they should not.
struct Broken {
  const char* name;
  void (*damage)(TinyLlama& tiny);
  std::initializer_list<std::string_view> parts;
};
class BrokenLlama : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenLlama, IsRefusedByName) {
  const TempFolder folder;
  TinyLlama tiny;
  GetParam().damage(tiny);
  const io::Checkpoint checkpoint = tiny.write(folder.path());
  expect_user_error([&] { load_causal_lm(checkpoint); }, GetParam().parts);
}

const Broken kBroken[] = {
    {"missing_linear",
     [](TinyLlama& t) {
       for (const char* part : {"qweight", "qzeros", "scales", "g_idx"})
         t.tensors.erase(std::string("model.layers.1.mlp.up_proj.") + part);
     },
     {"model.safetensors: tensor \"model.layers.1.mlp.up_proj.weight\" is missing"}},
    {"missing_norm", [](TinyLlama& t) { t.tensors.erase("model.norm.weight"); }, {"\"model.norm.weight\" is missing"}},
    {"missing_head", [](TinyLlama& t) { t.config["tie_word_embeddings"] = false; }, {"\"lm_head.weight\" is missing"}},
    {"other_vocabulary",
     [](TinyLlama& t) { t.config["vocab_size"] = 41; },
     {"model.embed_tokens.weight", "[40, 32]", "[41, 32]"}},
    {"norm_of_nan",
     [](TinyLlama& t) {
       t.tensors["model.norm.weight"].bytes.replace(8, 4, quant::testing::little_endian(std::nanf("")));
     },
     {"model.norm.weight", "element 2 is nan"}},
    {"unasked_bias",
     [](TinyLlama& t) { t.floats("model.layers.0.self_attn.q_proj.bias", {32}, 0.5F); },
     {"q_proj.bias\" is not zero", "attention_bias"}},
    {"missing_bias", [](TinyLlama& t) { t.config["mlp_bias"] = true; }, {"mlp.gate_proj.bias\" is missing"}},
    {"three_bits",
     [](TinyLlama& t) { t.config["quantization_config"]["bits"] = 3; },
     {"q_proj.qweight", "has shape [4, 32], expected [3, 32]"}},
};
INSTANTIATE_TEST_SUITE_P(Llama, BrokenLlama, ::testing::ValuesIn(kBroken),
                         [](const auto& test) { return test.param.name; });

TEST(LlamaWeights, BiasesOfZerosCountAsNone) {
  const TempFolder plain_folder, bias_folder;
  TinyLlama tiny;
  const io::Checkpoint plain_checkpoint = tiny.write(plain_folder.path());
  for (const char* name : {"self_attn.q_proj", "mlp.down_proj"})
    tiny.floats(std::string("model.layers.0.") + name + ".bias", {32}, 0.0F);
  const io::Checkpoint bias_checkpoint = tiny.write(bias_folder.path());
  PackedBatch batch;
  batch.add(Ids{1, 2, 3});
  batch.scored = {2};
  EXPECT_TRUE(at::equal(load_causal_lm(plain_checkpoint)->forward(batch, {}),
                        load_causal_lm(bias_checkpoint)->forward(batch, {})));
}

TEST(LlamaWeights, AStoredHeadIsUsedWithAWarningIfTheConfigDeniesIt) {
  const TempFolder folder;
  TinyLlama tiny;
  tiny.floats("lm_head.weight", {40, 32}, 1.0F);
  const io::Checkpoint checkpoint = tiny.write(folder.path());
  std::string warning;
  const core::LogCapture capture([&](core::LogLevel level, const std::string& message) {
    if (level == core::LogLevel::kWarning) warning = message;
  });
  const std::unique_ptr<CausalLm> model = load_causal_lm(checkpoint);
  EXPECT_FALSE(model->summary().tied_head);
  EXPECT_FALSE(read_summary(checkpoint).tied_head);
  EXPECT_EQ(model->weights().back()->name, "lm_head");
  EXPECT_NE(warning.find("the stored one is used"), std::string::npos) << warning;
}

TEST(LlamaWeights, AmbiguousZerosAreToldOnce) {
  const TempFolder folder;
  TinyLlama tiny;
  for (const char* name : {"model.layers.0.mlp.up_proj.qzeros", "model.layers.1.mlp.up_proj.qzeros"})
    tiny.tensors.at(name).bytes[0] = '\xff';  // two nibbles of 15
  const io::Checkpoint checkpoint = tiny.write(folder.path());
  std::vector<std::string> warnings;
  const core::LogCapture capture([&](core::LogLevel level, const std::string& message) {
    if (level == core::LogLevel::kWarning) warnings.push_back(message);
  });
  load_causal_lm(checkpoint);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find(": 4 stored zero points are the largest code"), std::string::npos) << warnings[0];
}

TEST(LlamaWeights, ProgressCountsEveryMatrix) {
  const TempFolder folder;
  const io::Checkpoint checkpoint = TinyLlama().write(folder.path());
  std::vector<std::int64_t> seen;
  const std::unique_ptr<CausalLm> model =
      load_causal_lm(checkpoint, {.progress = [&](std::int64_t done, std::int64_t total) {
                       EXPECT_EQ(total, 15);
                       seen.push_back(done);
                     }});
  EXPECT_EQ(seen.size(), 15u);
  EXPECT_EQ(seen.back(), 15);
  EXPECT_EQ(model->weights().size(), 15u);
}

}  // namespace
}  // namespace qzo::models
