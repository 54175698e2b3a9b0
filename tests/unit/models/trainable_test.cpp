#include <algorithm>

#include "unit/models/tiny_llama.h"

namespace qzo::models {
namespace {

using testing::expect_user_error;
using testing::TempFolder;
using testing::TinyLlama;

class Trainable : public ::testing::Test {
 protected:
  std::vector<std::string> chosen() {
    std::vector<std::string> names;
    for (const quant::PackedWeight* weight : model_->weights()) {
      if (weight->trainable) names.push_back(weight->name);
    }
    return names;
  }
  TempFolder folder_;
  io::Checkpoint checkpoint_ = TinyLlama().write(folder_.path());
  std::unique_ptr<CausalLm> model_ = load_causal_lm(checkpoint_);
};

TEST_F(Trainable, AllQuantizedDecoderLinears) {
  select_trainable(*model_, {"*"}, {});
  EXPECT_EQ(chosen().size(), 14u);
}

TEST_F(Trainable, IdsFollowSortedNamesWhateverIsChosen) {
  select_trainable(*model_, {"*.v_proj", "*.1.mlp.*"}, {"*down*"});
  EXPECT_EQ(chosen(), (std::vector<std::string>{"model.layers.0.self_attn.v_proj", "model.layers.1.self_attn.v_proj",
                                                "model.layers.1.mlp.gate_proj", "model.layers.1.mlp.up_proj"}));
  std::vector<quant::PackedWeight*> weights = model_->decoder_linears();
  std::ranges::sort(weights, {}, &quant::PackedWeight::tensor_id);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    EXPECT_EQ(weights[i]->tensor_id, i);
    if (i > 0) {
      EXPECT_LT(weights[i - 1]->name, weights[i]->name);
    }
  }
}

TEST_F(Trainable, GlobsThatChooseNothingAreRefused) {
  expect_user_error([&] { select_trainable(*model_, {"blk.*"}, {}); },
                    {"zo.include: \"blk.*\" matches none of the 14", "model.layers.0"});
  expect_user_error([&] { select_trainable(*model_, {"*"}, {"*.qproj"}); }, {"zo.exclude"});
  expect_user_error([&] { select_trainable(*model_, {"*"}, {"*"}); }, {"leave none of the 14"});
  expect_user_error([&] { select_trainable(*model_, {}, {}); }, {"leave none"});
}

TEST(TrainableDense, NothingQuantizedIsRefused) {
  const TempFolder folder;
  TinyLlama tiny;
  tiny.config.erase("quantization_config");
  tiny.config["num_hidden_layers"] = 1;
  for (const auto& [name, out, in] :
       std::vector<std::tuple<const char*, std::size_t, std::size_t>>{{"self_attn.q_proj", 32, 32},
                                                                      {"self_attn.k_proj", 16, 32},
                                                                      {"self_attn.v_proj", 16, 32},
                                                                      {"self_attn.o_proj", 32, 32},
                                                                      {"mlp.gate_proj", 48, 32},
                                                                      {"mlp.up_proj", 48, 32},
                                                                      {"mlp.down_proj", 32, 48}}) {
    const std::string stem = std::string("model.layers.0.") + name;
    for (const char* part : {".qweight", ".qzeros", ".scales", ".g_idx"}) tiny.tensors.erase(stem + part);
    tiny.floats(stem + ".weight", {out, in}, 0.1F);
  }
  const io::Checkpoint checkpoint = tiny.write(folder.path());
  const std::unique_ptr<CausalLm> model = load_causal_lm(checkpoint);
  EXPECT_TRUE(model->decoder_linears().empty());
  expect_user_error([&] { select_trainable(*model, {"*"}, {}); }, {"no quantized weights", "no scales to train"});
}

}  // namespace
}  // namespace qzo::models
