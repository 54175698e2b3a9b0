// Whole checkpoints: what is written is what the readers of the formats make of it.

#include "qzo/quantize/quantize.h"

#include <algorithm>
#include <fstream>
#include <map>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/ops/linear.h"
#include "qzo/quantize/grouped_codes.h"

#include "support/tiny_formats.h"
#include "unit/io/test_files.h"

namespace qzo::quantize {
namespace {

namespace fs = std::filesystem;
using io::testing::expect_user_error;

fs::path tiny() { return fs::path(QZO_SOURCE_DIR) / "tests/data/tiny"; }

struct Model {
  explicit Model(const fs::path& path)
      : checkpoint(io::open_checkpoint(path)), model(models::load_causal_lm(checkpoint)) {}
  io::Checkpoint checkpoint;
  std::unique_ptr<models::CausalLm> model;

  // Every weight in fp32, by name.
  std::map<std::string, at::Tensor> values() {
    std::map<std::string, at::Tensor> all;
    for (const quant::PackedWeight* weight : model->weights()) {
      quant::ScaleBuffers buffers;
      const auto scales = quant::effective_scales(*weight, {.rounded = true}, buffers).plus;
      std::vector<std::int32_t> rows;
      for (std::int32_t row = 0; row < weight->codes.out; ++row) rows.push_back(row);
      all[weight->name] = ops::dequantized_rows(weight->codes, scales, rows).clone();
    }
    return all;
  }
};

// Remembers what a target made.
class Recorder final : public Target {
 public:
  explicit Recorder(std::unique_ptr<Target> inner) : inner_(std::move(inner)) {}
  std::string name() const override { return inner_->name(); }
  io::CheckpointKind kind() const override { return inner_->kind(); }
  bool can_calibrate() const override { return inner_->can_calibrate(); }
  std::vector<io::TensorPlan> plan(const WeightShape& shape) const override { return inner_->plan(shape); }
  Encoded encode(const WeightShape& shape, const at::Tensor& weight, const at::Tensor& hessian) const override {
    Encoded encoded = inner_->encode(shape, weight, hessian);
    made[shape.stem] = encoded.values;
    return encoded;
  }
  core::Json settings() const override { return inner_->settings(); }

  mutable std::map<std::string, at::Tensor> made;

 private:
  std::unique_ptr<Target> inner_;
};

class Quantize : public testing::Test {
 protected:
  void SetUp() override { test::write_tiny_dense(tiny() / "gptq", dense()); }
  fs::path dense() const { return folder_.path() / "dense"; }
  fs::path out() const { return folder_.path() / "out"; }

  static std::vector<std::vector<std::int32_t>> samples() {
    std::vector<std::vector<std::int32_t>> all;
    for (std::int32_t i = 0; i < 40; ++i) {
      all.emplace_back();
      for (std::int32_t t = 0; t < 20 + i % 3; ++t) all.back().push_back((i * 37 + t * t * 11) % 380);
    }
    return all;
  }

  // Readers give back what was chosen; all other weights stay.
  Report check(const fs::path& source, std::unique_ptr<Target> target, const Options& options) {
    Model before(source);
    const Recorder recorder(std::move(target));
    const Report report = quantize(before.checkpoint, *before.model, recorder, options, out());
    const auto expected = before.values(), found = Model(out()).values();
    EXPECT_EQ(expected.size(), found.size());
    for (const auto& [name, values] : found) {
      const auto made = recorder.made.find(name);
      EXPECT_TRUE(at::equal(values, made == recorder.made.end() ? expected.at(name) : made->second)) << name;
    }
    EXPECT_EQ(recorder.made.size(), 35);
    EXPECT_EQ(report.weights, 35);
    EXPECT_FALSE(fs::exists(folder_.path() / ".out.partial"));
    return report;
  }

  io::testing::TempFolder folder_;
};

TEST_F(Quantize, gptq_folders_hold_what_was_chosen) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const std::int64_t group : {-1, 32, 128}) {
      for (const bool symmetric : {true, false}) {
        SCOPED_TRACE(testing::Message() << bits << " bits, group " << group << ", symmetric " << symmetric);
        const GptqOptions options{.bits = bits, .group_size = group, .symmetric = symmetric};
        check(dense(), make_gptq_target(options), {});
        const io::Checkpoint written = io::open_checkpoint(out());
        EXPECT_EQ(written.quantization.at("bits"), bits);
        EXPECT_EQ(written.quantization.at("group_size"), group);
        EXPECT_EQ(written.quantization.at("sym"), symmetric);
        fs::remove_all(out());
      }
    }
  }
}

TEST_F(Quantize, calibrated_gptq_with_and_without_order) {
  for (const bool order : {false, true}) {
    const GptqOptions options{.bits = 4, .group_size = 32, .symmetric = !order, .act_order = order};
    Options calibrated;
    calibrated.samples = samples();
    const Report solved = check(dense(), make_gptq_target(options), calibrated);
    EXPECT_GT(solved.output_error, 0);
    const Model written(out());
    const io::TensorEntry& index = *written.checkpoint.tensors.find("model.layers.0.mlp.down_proj.g_idx");
    const auto* group_of = reinterpret_cast<const std::int32_t*>(index.bytes.data());
    EXPECT_EQ(std::is_sorted(group_of, group_of + 192), !order);
    fs::remove_all(out());
  }
}

// The second of two equal halves of the walk sees what the first made: hidden states are those of the quantized model.
TEST_F(Quantize, calibration_lowers_the_error_of_the_whole_model) {
  models::PackedBatch batch;
  for (const auto& sample : samples()) {
    batch.add(sample);
    batch.scored.push_back(batch.rows() - 1);
  }
  const auto hidden = [&](const fs::path& path) {
    Model model(path);
    return model.model->forward(batch, {.scales = {.rounded = true}}).clone();
  };
  const at::Tensor truth = hidden(dense());
  const auto error = [&](bool calibrated) {
    Options options;
    if (calibrated) options.samples = samples();
    Model model(dense());
    quantize(model.checkpoint, *model.model, *make_gptq_target({.bits = 3, .group_size = 32}), options, out());
    // The model is as it was.
    EXPECT_TRUE(at::equal(model.model->forward(batch, {.scales = {.rounded = true}}), truth));
    const double sum = at::square(hidden(out()) - truth).sum().item<double>();
    fs::remove_all(out());
    return sum;
  };
  EXPECT_LT(error(true), 0.7 * error(false));
}

// A first token that counts a thousand times keeps more of what it was, all the way through the model.
TEST_F(Quantize, first_tokens_count_for_more) {
  models::PackedBatch batch;
  for (const auto& sample : samples()) {
    batch.scored.push_back(batch.rows());
    batch.add(sample);
  }
  const auto hidden = [&](const fs::path& path) {
    Model model(path);
    return model.model->forward(batch, {.scales = {.rounded = true}}).clone();
  };
  const at::Tensor truth = hidden(dense());
  const auto error = [&](double first_token) {
    Model model(dense());
    quantize(model.checkpoint, *model.model, *make_gptq_target({.bits = 3, .group_size = 32}),
             {.samples = samples(), .first_token = first_token}, out());
    const double sum = at::square(hidden(out()) - truth).sum().item<double>();
    fs::remove_all(out());
    return sum;
  };
  EXPECT_LT(error(1000), 0.7 * error(1));
}

TEST_F(Quantize, nf4_folder) {
  check(dense(), make_nf4_target(), {});
  EXPECT_FALSE(fs::exists(out() / "quantize_config.json"));
}

TEST_F(Quantize, gguf_files_keep_their_metadata) {
  for (const core::Dtype dtype : {core::Dtype::kQ4_0, core::Dtype::kQ4_1}) {
    for (const bool calibrated : {false, true}) {
      Options options;
      options.requantize = true;
      if (calibrated) options.samples = samples();
      check(tiny() / "tiny.gguf", make_gguf_target(dtype, 0.01), options);
      io::GgufMetadata before = io::open_checkpoint(tiny() / "tiny.gguf").metadata;
      io::GgufMetadata after = io::open_checkpoint(out()).metadata;
      EXPECT_EQ(after.integer("general.file_type"), dtype == core::Dtype::kQ4_0 ? 2 : 3);
      before.values["general.file_type"] = after.values["general.file_type"];
      before.values["general.quantization_version"] = std::int64_t{2};
      EXPECT_EQ(before.values, after.values);
      fs::remove(out());
    }
  }
}

// What was rounded once lies on its own grid.
TEST_F(Quantize, q4_1_of_a_q4_1_file_is_the_same_weight) {
  Options options;
  options.requantize = true;
  Model model(tiny() / "tiny.gguf");
  const auto before = model.values();
  quantize(model.checkpoint, *model.model, *make_gguf_target(core::Dtype::kQ4_1, 0.01), options, out());
  const auto after = Model(out()).values();
  int same = 0;
  for (const quant::PackedWeight* weight : model.model->decoder_linears()) {
    if (weight->format != "q4_1") continue;
    EXPECT_TRUE(at::equal(before.at(weight->name), after.at(weight->name))) << weight->name;
    ++same;
  }
  EXPECT_EQ(same, 30);
}

TEST_F(Quantize, dense_fp16_and_quantized_sources) {
  const fs::path halves = folder_.path() / "halves";
  test::write_tiny_dense(tiny() / "gptq", halves, core::Dtype::kF16);
  check(halves, make_gptq_target({}), {});
  fs::remove_all(out());
  Model stored(tiny() / "gptq");
  expect_user_error([&] { return quantize(stored.checkpoint, *stored.model, *make_gptq_target({}), {}, out()); },
                    {"model.layers.0.self_attn.q_proj", "gptq", "--requantize"});
  EXPECT_FALSE(fs::exists(out()));
  Options options;
  options.requantize = true;
  check(tiny() / "gptq", make_gptq_target({.bits = 8, .group_size = 64}), options);
}

TEST_F(Quantize, refusals_leave_nothing) {
  Model model(dense());
  const auto attempt = [&](const Target& target, const fs::path& place) {
    return quantize(model.checkpoint, *model.model, target, {}, place);
  };
  fs::create_directory(out());
  expect_user_error([&] { return attempt(*make_gptq_target({}), out()); }, {"exists already"});
  EXPECT_TRUE(fs::is_empty(out()));
  fs::remove(out());
  expect_user_error([&] { return attempt(*make_gptq_target({}), dense() / "inside"); }, {"inside"});
  expect_user_error([&] { return attempt(*make_gguf_target(core::Dtype::kQ4_0, 0.01), out()); },
                    {"Hugging Face folder", "q4_0"});
  EXPECT_FALSE(fs::exists(out()));
  // A weight that cannot be stored, found when most are written.
  const quant::PackedWeight& last = *model.model->weights().at(35);
  auto* bytes = const_cast<std::byte*>(last.codes.codes);
  std::vector<float> values(static_cast<std::size_t>(last.codes.out * last.codes.in), 1e9F);
  std::memcpy(values.data(), bytes, 64);
  std::vector<std::byte> whole(values.size() * sizeof(float));
  std::memcpy(whole.data(), values.data(), whole.size());
  const_cast<quant::PackedWeight&>(last).codes.codes = whole.data();
  expect_user_error([&] { return attempt(*make_gptq_target({}), out()); }, {last.name, "half precision"});
  for (float& value : values) value = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(whole.data(), values.data(), whole.size());
  expect_user_error([&] { return attempt(*make_nf4_target(), out()); }, {last.name, "[0, 0] is nan"});
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1) << "only the source";
}

}  // namespace
}  // namespace qzo::quantize
