// The golden cases: logits and weights of checkpoints, steps of QZO with given noise, broken files. One test for each
// folder that is found; what is not built is skipped with the sentence a user would get, and only then.
// Expected values and tolerances: README.md of the oracles.

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "qzo/cli/training_problem.h"
#include "qzo/core/json_file.h"
#include "qzo/kernels/quant_matmul.h"
#include "qzo/models/causal_lm.h"
#include "qzo/objectives/answer_loss.h"
#include "qzo/objectives/classification.h"
#include "qzo/ops/threads.h"

#include "support/oracle_cases.h"

namespace qzo {
namespace {

namespace fs = std::filesystem;
using tests::OracleTensors;

constexpr double kLogitTolerance = 2e-4;
constexpr double kNllTolerance = 5e-5;
constexpr double kWeightTolerance = 1e-6;  // where more than one operation leads to a weight

struct Loaded {
  std::unique_ptr<io::Checkpoint> checkpoint;
  std::unique_ptr<models::CausalLm> model;
};

fs::path checkpoint_path(const fs::path& folder) {
  return fs::exists(folder / "model.gguf") ? folder / "model.gguf" : folder;
}

Loaded load(const fs::path& folder) {
  Loaded loaded;
  loaded.checkpoint = std::make_unique<io::Checkpoint>(io::open_checkpoint(checkpoint_path(folder)));
  loaded.model = models::load_causal_lm(*loaded.checkpoint);
  return loaded;
}

// The refusal, if the case needs something that is not built. Any other error is thrown on.
std::optional<std::string> refusal(const fs::path& folder, Loaded& loaded) {
  try {
    loaded = load(folder);
    return std::nullopt;
  } catch (const core::UserError& error) {
    if (std::string_view(error.what()).find("is not supported") == std::string_view::npos) throw;
    return error.what();
  }
}

#define QZO_LOAD_OR_SKIP(folder, loaded)                                          \
  do {                                                                            \
    if (const auto sentence = refusal(folder, loaded)) GTEST_SKIP() << *sentence; \
  } while (false)

// A test whose folder is known at run time only.
class FolderTest : public ::testing::Test {
 public:
  explicit FolderTest(fs::path folder) : folder_(std::move(folder)) {}

 protected:
  fs::path folder_;
};

// ---- models/ and quant/: logits, likelihoods, weights

class ForwardCase : public FolderTest {
 public:
  using FolderTest::FolderTest;
  void TestBody() override {
    QZO_LOAD_OR_SKIP(folder_, loaded_);
    const OracleTensors expected(folder_ / "expected.safetensors");
    compare_logits(expected);
    compare_weights(expected);
    compare_untouched_bytes();
  }

 private:
  // A run of 0 steps writes what the file holds.
  void compare_untouched_bytes() {
    std::size_t fields = 0;
    for (const quant::PackedWeight* weight : loaded_.model->weights()) {
      for (const io::FieldWrite& write : quant::scale_writes(*weight)) {
        ++fields;
        const std::span<const std::byte> file = loaded_.checkpoint->tensors.files()[write.field.file].bytes();
        std::int64_t different = 0;
        for (std::int64_t i = 0; i < write.field.count; ++i) {
          different += std::memcmp(write.values.data() + i * write.field.width,
                                   file.data() + write.field.offset + i * write.field.stride, write.field.width) != 0;
        }
        EXPECT_EQ(different, 0) << write.field.tensor;
      }
    }
    EXPECT_EQ(fields, quant::scale_fields(*loaded_.checkpoint).size());
  }

  // All rows in one packed batch, without their padding.
  void compare_logits(const OracleTensors& expected) {
    const std::vector<std::int64_t> ids = expected.integers("input_ids");
    const std::vector<std::int64_t> mask = expected.integers("attention_mask");
    const std::vector<std::int64_t>& shape = expected.entry("logits").shape;
    const std::int64_t batch_size = shape[0], padded = shape[1], vocabulary = shape[2];
    models::PackedBatch batch;
    std::vector<std::int64_t> lengths;
    for (std::int64_t b = 0; b < batch_size; ++b) {
      const auto length = std::count(mask.begin() + b * padded, mask.begin() + (b + 1) * padded, 1);
      const std::vector<std::int32_t> tokens(ids.begin() + b * padded, ids.begin() + b * padded + length);
      batch.add(tokens);
      lengths.push_back(length);
    }
    for (std::int64_t row = 0; row < batch.rows(); ++row) batch.scored.push_back(row);
    const at::Tensor hidden = loaded_.model->forward(batch, {});
    const at::Tensor logits = loaded_.model->logits(hidden, {});
    ASSERT_EQ(logits.size(1), vocabulary);

    const std::vector<float> expected_logits = expected.floats("logits");
    const std::vector<float> expected_nll = expected.floats("mean_nll");
    std::int64_t first = 0;
    for (std::int64_t b = 0; b < batch_size; first += lengths[b++]) {
      const at::Tensor wanted = at::from_blob(const_cast<float*>(expected_logits.data()) + b * padded * vocabulary,
                                              {lengths[b], vocabulary}, at::kFloat);
      const double worst = (logits.narrow(0, first, lengths[b]) - wanted).abs().max().item<double>();
      EXPECT_LE(worst, kLogitTolerance) << "logits of row " << b;
      compare_nll(batch, hidden, first, lengths[b], expected_nll[b]);
    }
  }

  void compare_nll(const models::PackedBatch& batch, const at::Tensor& hidden, std::int64_t first, std::int64_t length,
                   double expected) {
    const std::vector<std::int32_t> next(batch.tokens.begin() + first + 1, batch.tokens.begin() + first + length);
    const std::vector<float> scores = loaded_.model->log_probabilities(hidden.narrow(0, first, length - 1), next, {});
    double sum = 0;
    for (const float score : scores) sum -= score;
    EXPECT_NEAR(sum / static_cast<double>(scores.size()), expected, kNllTolerance);
  }

  void compare_weights(const OracleTensors& expected) {
    for (const io::TensorEntry& entry : expected.entries()) {
      if (entry.name.starts_with("dequant.")) compare_weight(stem_of(entry.name, "dequant."), entry, true);
      if (entry.name.starts_with("gguf_order.")) compare_weight(stem_of(entry.name, "gguf_order."), entry, false);
    }
  }

  static std::string stem_of(const std::string& name, std::string_view prefix) {
    return name.substr(prefix.size(), name.size() - prefix.size() - std::string_view(".weight").size());
  }

  void compare_weight(const std::string& name, const io::TensorEntry& entry, bool hf_order) {
    const bool gguf = loaded_.checkpoint->kind == io::CheckpointKind::kGguf;
    const std::string own = gguf && hf_order ? gguf_name(name) : name;
    const quant::PackedWeight* weight = nullptr;
    for (const quant::PackedWeight* candidate : loaded_.model->weights()) {
      if (candidate->name == own) weight = candidate;
    }
    ASSERT_NE(weight, nullptr) << own;
    ASSERT_EQ(entry.shape, (std::vector<std::int64_t>{weight->codes.out, weight->codes.in})) << own;
    quant::ScaleBuffers buffers;
    std::vector<float> values(static_cast<std::size_t>(weight->codes.out * weight->codes.in));
    kernels::dequantize_rows(weight->codes, quant::effective_scales(*weight, {}, buffers).plus, 0, weight->codes.out,
                             values.data());
    if (gguf && hf_order) values = in_hf_order(own, std::move(values), weight->codes.in);
    const std::vector<float> wanted = io::read_floats(entry);
    double worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
      worst = std::max(worst, std::fabs(static_cast<double>(values[i]) - static_cast<double>(wanted[i])));
    EXPECT_LE(worst, is_one_product(*weight) ? 0.0 : kWeightTolerance) << own << " (" << weight->format << ")";
  }

  // A scale times a code: every float has the oracle's bits. Others have minima, integer scales or sums in between.
  static bool is_one_product(const quant::PackedWeight& weight) {
    return weight.minimum.empty() && weight.part_scales.empty() && !weight.nested && weight.format != "aqlm";
  }

  static std::string gguf_name(const std::string& hf) {
    static const std::map<std::string, std::string> names = {
        {"self_attn.q_proj", "attn_q"},      {"self_attn.k_proj", "attn_k"}, {"self_attn.v_proj", "attn_v"},
        {"self_attn.o_proj", "attn_output"}, {"mlp.gate_proj", "ffn_gate"},  {"mlp.up_proj", "ffn_up"},
        {"mlp.down_proj", "ffn_down"}};
    const std::string behind = hf.substr(std::string_view("model.layers.").size());
    const std::size_t dot = behind.find('.');
    return "blk." + behind.substr(0, dot + 1) + names.at(behind.substr(dot + 1));
  }

  // Files of the Llama family interleave the two halves of each head's rows of q and k.
  std::vector<float> in_hf_order(const std::string& name, std::vector<float> values, std::int64_t in) const {
    const bool is_q = name.ends_with("attn_q");
    if (!is_q && !name.ends_with("attn_k")) return values;
    const models::ModelSummary& summary = loaded_.model->summary();
    const std::int64_t half = summary.head_dim / 2;
    std::vector<float> result(values.size());
    for (std::int64_t head = 0; head < (is_q ? summary.heads : summary.kv_heads); ++head) {
      for (std::int64_t i = 0; i < 2; ++i) {
        for (std::int64_t j = 0; j < half; ++j) {
          const std::int64_t hf_row = head * 2 * half + i * half + j;
          const std::int64_t own_row = head * 2 * half + 2 * j + i;
          std::copy_n(values.begin() + own_row * in, in, result.begin() + hf_row * in);
        }
      }
    }
    return result;
  }

  Loaded loaded_;
};

// ---- qzo/: steps with given noise

// bitsandbytes calls its scales absmax.
std::vector<float> values_of(const OracleTensors& tensors, const std::string& step, const std::string& weight) {
  const std::string name = step + "." + weight;
  return tensors.floats(tensors.has(name + ".scales") ? name + ".scales" : name + ".weight.absmax");
}

class GivenNoise final : public kernels::Noise {
 public:
  GivenNoise(const OracleTensors& z, const std::string& step, std::span<const zo::TrainableScales> tensors) {
    for (const zo::TrainableScales& tensor : tensors) z_[tensor.id] = values_of(z, step, tensor.name);
  }
  void fill(std::uint32_t tensor, std::int64_t first, std::span<float> out) const override {
    const std::vector<float>& z = z_.at(tensor);
    ASSERT_LE(static_cast<std::size_t>(first) + out.size(), z.size());
    std::copy_n(z.begin() + first, out.size(), out.begin());
  }

 private:
  std::map<std::uint32_t, std::vector<float>> z_;
};

struct StepTolerance {
  double loss, d, scale;
};

class QzoCase : public FolderTest {
 public:
  using FolderTest::FolderTest;
  void TestBody() override {
    const core::Json oracle = core::read_json(folder_ / "oracle.json");
    const fs::path checkpoint = folder_ / oracle.at("checkpoint").get<std::string>();
    for (const auto& [name, tolerance] :
         std::map<std::string, StepTolerance>{{"cls", {2e-4, 0.1, 5e-5}}, {"lm", {2e-5, 0.02, 1e-6}}}) {
      Loaded loaded;  // each run begins with the scales of the file
      QZO_LOAD_OR_SKIP(checkpoint, loaded);
      const ::testing::ScopedTrace trace(__FILE__, __LINE__, name);
      replay(oracle, name, tolerance, *loaded.model);
    }
  }

 private:
  void replay(const core::Json& oracle, const std::string& name, const StepTolerance& tolerance,
              models::CausalLm& model) {
    models::select_trainable(model, {"*"}, {});
    std::vector<zo::TrainableScales> tensors = cli::trainable_scales(model);
    ASSERT_EQ(tensors.size(), oracle.at("trained").size());
    const core::Json& run = oracle.at("runs").at(name);
    const OracleTensors z(folder_ / "z.safetensors");
    const OracleTensors expected(folder_ / (name + "_scales.safetensors"));
    const zo::QzoSettings settings{.eps = oracle.at("eps").get<double>(),
                                   .clip = run.at("C").get<double>(),
                                   .floor = oracle.at("floor").get<double>()};
    for (std::size_t step = 0; step < run.at("steps").size(); ++step) {
      const ::testing::ScopedTrace trace(__FILE__, __LINE__, "step " + std::to_string(step));
      const std::string prefix = "step" + std::to_string(step);
      const core::Json& wanted = run.at("steps")[step];
      const core::Json& batch = run.at("batches")[step];
      EXPECT_NEAR(loss(model, batch), wanted.at("L0").get<double>(), tolerance.loss);
      // Later steps carry the rounding of the scales before; there the losses are judged.
      if (step == 0 && wanted.contains("scores_at_L0")) compare_scores(model, batch, wanted.at("scores_at_L0"));
      const std::vector<zo::StepRecord> records = zo::qzo_step(
          settings, step, run.at("lr").get<double>(), tensors,
          [&](const kernels::Probe& probe) { return losses(model, batch, probe); },
          [&](kernels::NoiseKey) { return std::make_unique<GivenNoise>(z, prefix, tensors); });
      ASSERT_EQ(records.size(), 1u);
      compare_record(records[0], wanted, tolerance);
      compare_scales(tensors, expected, prefix, wanted, settings.floor, tolerance.scale);
      EXPECT_NEAR(loss(model, batch), wanted.at("L0_after_update").get<double>(), tolerance.loss);
    }
  }

  static void compare_record(const zo::StepRecord& record, const core::Json& wanted, const StepTolerance& tolerance) {
    EXPECT_FALSE(record.skipped);
    EXPECT_EQ(record.clipped, wanted.at("clipped").get<bool>());
    EXPECT_NEAR(record.loss_plus, wanted.at("L_plus").get<double>(), tolerance.loss);
    EXPECT_NEAR(record.loss_minus, wanted.at("L_minus").get<double>(), tolerance.loss);
    EXPECT_NEAR(record.d_raw, wanted.at("d").get<double>(), tolerance.d);
    EXPECT_NEAR(record.d_applied, wanted.at("d_clipped").get<double>(), tolerance.d);
  }

  static void compare_scales(std::span<const zo::TrainableScales> tensors, const OracleTensors& expected,
                             const std::string& prefix, const core::Json& wanted, double floor, double tolerance) {
    std::int64_t at_floor = 0;
    for (const zo::TrainableScales& tensor : tensors) {
      const std::vector<float> scales = values_of(expected, prefix, tensor.name);
      ASSERT_EQ(scales.size(), tensor.values.size()) << tensor.name;
      double worst = 0;
      for (std::size_t i = 0; i < scales.size(); ++i) {
        worst = std::max(worst, std::fabs(static_cast<double>(tensor.values[i]) - static_cast<double>(scales[i])));
        if (tensor.values[i] == static_cast<float>(floor)) ++at_floor;
      }
      EXPECT_LE(worst, tolerance) << tensor.name;
    }
    EXPECT_EQ(at_floor, wanted.at("scales_at_floor").get<std::int64_t>());
  }

  // Where all candidates are one token, scores lack the normaliser: only their differences can be compared.
  static void compare_scores(models::CausalLm& model, const core::Json& batch, const core::Json& wanted) {
    const std::vector<tasks::Example> examples = classification(batch);
    const auto scores = objectives::Classification(model, {}).scores(examples, false);
    for (std::size_t i = 0; i < examples.size(); ++i) {
      const auto expected = wanted[i].get<std::vector<double>>();
      ASSERT_EQ(scores[i].size(), expected.size());
      const bool relative = examples[i].single_token();
      for (std::size_t c = 0; c < expected.size(); ++c) {
        EXPECT_NEAR(scores[i][c] - (relative ? scores[i][0] : 0), expected[c] - (relative ? expected[0] : 0),
                    kLogitTolerance);
      }
    }
  }

  static std::vector<tasks::Example> classification(const core::Json& batch) {
    std::vector<tasks::Example> examples;
    for (const core::Json& item : batch) {
      tasks::Example example;
      example.prompt = item.at("prompt").get<std::vector<std::int32_t>>();
      example.candidates = item.at("candidates").get<std::vector<std::vector<std::int32_t>>>();
      example.label = item.at("label").get<std::int32_t>();
      examples.push_back(std::move(example));
    }
    return examples;
  }

  static std::vector<objectives::PromptAnswer> answers(const core::Json& batch) {
    std::vector<objectives::PromptAnswer> examples;
    for (const core::Json& item : batch) {
      examples.push_back(
          {item.at("prompt").get<std::vector<std::int32_t>>(), item.at("answer").get<std::vector<std::int32_t>>()});
    }
    return examples;
  }

  static double loss(models::CausalLm& model, const core::Json& batch) {
    if (batch[0].contains("candidates")) return objectives::Classification(model, {}).loss(classification(batch));
    return objectives::AnswerLoss(model, {}).loss(answers(batch));
  }
  static zo::LossPair losses(models::CausalLm& model, const core::Json& batch, const kernels::Probe& probe) {
    if (batch[0].contains("candidates"))
      return objectives::Classification(model, {}).loss(classification(batch), probe);
    return objectives::AnswerLoss(model, {}).loss(answers(batch), probe);
  }
};

// ---- illformed/: every fault is a plain error that names its place; the controls load

class IllformedCase : public FolderTest {
 public:
  using FolderTest::FolderTest;
  void TestBody() override {
    const std::string name = folder_.filename().string();
    if (name.starts_with("ok_")) {
      EXPECT_NO_THROW(load(folder_));
      return;
    }
    try {
      load(folder_);
      ADD_FAILURE() << "loaded without complaint";
    } catch (const core::UserError& error) {
      const std::string sentence = error.what();
      for (const std::string& part : must_name(name)) EXPECT_NE(sentence.find(part), std::string::npos) << sentence;
      EXPECT_EQ(error.code(), core::ExitCode::kUsage);
      EXPECT_EQ(sentence.find('\n'), std::string::npos) << sentence;
      RecordProperty("sentence", sentence);
    }
  }

 private:
  static std::vector<std::string> must_name(const std::string& name) {
    static const std::map<std::string, std::vector<std::string>> known = {
        {"st_truncated_data", {"model.safetensors"}},
        {"st_header_len_too_large", {"model.safetensors"}},
        {"st_overlapping_offsets", {"model.safetensors", "q_proj.weight"}},
        {"st_dtype_size_mismatch", {"model.safetensors", "k_proj.weight"}},
        {"missing_tensor", {"model.safetensors", "model.layers.0.mlp.up_proj.weight"}},
        {"index_missing_shard", {"model-00002-of-00002.safetensors"}},
        {"gptq_g_idx_too_large", {"model.safetensors", "k_proj.g_idx", "g_idx[5] is 9", "1 group"}},
        {"unknown_model_type", {"config.json", "zorblax"}},
        {"gptq_nan_scale", {"model.safetensors", "k_proj.scales", "[0, 3]", "nan"}},
        {"st_header_deep_json", {"model.safetensors"}},
        {"zero_size_tensor", {"model.safetensors", "k_proj.weight", "[0, 16]"}},
        {"st_empty_file", {"model.safetensors"}},
        {"config_not_json", {"config.json"}},
        {"unknown_quant_method", {"config.json", "frobnicate"}},
        {"config_heads_do_not_divide", {"config.json", "num_attention_heads", "3", "16"}}};
    const auto found = known.find(name);
    return found == known.end() ? std::vector<std::string>{name} : found->second;  // unknown: at least its folder
  }
};

void register_all() {
  const std::size_t found = tests::register_cases<ForwardCase, FolderTest>("Models", "models") +
                            tests::register_cases<ForwardCase, FolderTest>("Quant", "quant") +
                            tests::register_cases<QzoCase, FolderTest>("Qzo", "qzo") +
                            tests::register_cases<IllformedCase, FolderTest>("Illformed", "illformed");
  if (found == 0) tests::register_absence("Oracles");
}

}  // namespace
}  // namespace qzo

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  qzo::ops::configure_threads(0);
  qzo::register_all();
  return RUN_ALL_TESTS();
}
