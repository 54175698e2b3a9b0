// Every quantized golden checkpoint, whatever its format: a few steps, the export, what differs in it, its scores when
// it is loaded again, and the same checkpoint from the records of the steps alone; in every precision.

#include <filesystem>
#include <memory>
#include <string_view>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "qzo/cli/training_problem.h"
#include "qzo/models/causal_lm.h"
#include "qzo/objectives/answer_loss.h"
#include "qzo/ops/threads.h"

#include "support/oracle_cases.h"

namespace qzo {
namespace {

namespace fs = std::filesystem;

struct Loaded {
  explicit Loaded(const fs::path& path)
      : checkpoint(std::make_unique<io::Checkpoint>(io::open_checkpoint(path))),
        model(models::load_causal_lm(*checkpoint)) {
    models::select_trainable(*model, {"*"}, {});
  }
  std::unique_ptr<io::Checkpoint> checkpoint;
  std::unique_ptr<models::CausalLm> model;
};

class RoundTrip : public ::testing::Test {
 public:
  explicit RoundTrip(fs::path folder) : folder_(std::move(folder)) {}

 protected:
  void SetUp() override {
    out_ = fs::temp_directory_path() / ("qzo_round_trip_" + std::to_string(getpid()));
    fs::remove_all(out_);
    fs::create_directories(out_);
  }
  void TearDown() override { fs::remove_all(out_); }

  void TestBody() override {
    std::unique_ptr<Loaded> base = load_or_skip();
    if (base == nullptr) return;
    read_batch(base->model->summary().vocabulary);
    for (const ops::Precision precision : ops::kAllPrecisions) {
      const ::testing::ScopedTrace trace(__FILE__, __LINE__, ops::precision_name(precision));
      if (base == nullptr) base = std::make_unique<Loaded>(path());
      check(*base, precision);
      base = nullptr;
      if (HasFailure()) return;
    }
  }

 private:
  fs::path path() const { return fs::exists(folder_ / "model.gguf") ? folder_ / "model.gguf" : folder_; }
  fs::path out(const std::string& name, const Loaded& base) const {
    return base.checkpoint->kind == io::CheckpointKind::kGguf ? out_ / (name + ".gguf") : out_ / name;
  }

  std::unique_ptr<Loaded> load_or_skip() {
    try {
      return std::make_unique<Loaded>(path());
    } catch (const core::UserError& error) {
      if (std::string_view(error.what()).find("is not supported") == std::string_view::npos) throw;
      [&] { GTEST_SKIP() << error.what(); }();
      return nullptr;
    }
  }

  // The prompts of the golden case, the second half of each as its answer.
  void read_batch(std::int64_t vocabulary) {
    const tests::OracleTensors expected(folder_ / "expected.safetensors");
    const std::vector<std::int64_t> ids = expected.integers("input_ids");
    const std::int64_t length = expected.entry("input_ids").shape[1];
    for (std::int64_t b = 0; b < 2; ++b) {
      objectives::PromptAnswer example;
      for (std::int64_t i = 0; i < 12; ++i) {
        const auto id = static_cast<std::int32_t>(ids[b * length + i] % vocabulary);
        (i < 6 ? example.prompt : example.answer).push_back(id);
      }
      batch_.push_back(example);
    }
  }

  void check(Loaded& base, ops::Precision precision) {
    std::vector<zo::TrainableScales> tensors = cli::trainable_scales(*base.model);
    const zo::QzoSettings settings{.eps = 0.01, .eps_mode = kernels::EpsMode::kRelative, .clip = 1, .seed = 5};
    std::vector<zo::StepRecord> records;
    objectives::AnswerLoss objective(*base.model, {.precision = precision});
    for (std::uint64_t step = 0; step < 2; ++step) {
      const auto done = zo::qzo_step(settings, step, 2e-3, tensors,
                                     [&](const kernels::Probe& probe) { return objective.loss(batch_, probe); });
      records.insert(records.end(), done.begin(), done.end());
      EXPECT_FALSE(done[0].skipped);
      EXPECT_NE(done[0].d_applied, 0.0F);
    }
    const fs::path tuned_path = out("tuned", base);
    cli::export_tuned(*base.checkpoint, *base.model, tuned_path);
    compare_bytes(base, tuned_path);
    compare_scores(base, Loaded(tuned_path));
    replay(base, records, settings, tuned_path);
  }

  // Scale bytes only, except where the format must grow (bitsandbytes, nested).
  static void compare_bytes(const Loaded& base, const fs::path& tuned_path) {
    const io::Checkpoint tuned = io::open_checkpoint(tuned_path);
    const io::DiffReport report = io::diff_checkpoints(*base.checkpoint, tuned, quant::scale_fields(*base.checkpoint));
    EXPECT_FALSE(report.identical());
    const bool nested = std::ranges::any_of(base.model->weights(), [](const auto* weight) { return weight->nested; });
    EXPECT_EQ(report.scales_only(), !nested);
    if (!nested) return;
    for (const io::TensorEntry& entry : tuned.tensors.entries()) {
      const io::TensorEntry& before = *base.checkpoint->tensors.find(entry.name);
      if (entry.name.ends_with(".absmax") || entry.name.find(".quant_state.") != std::string::npos) continue;
      EXPECT_TRUE(before.dtype == entry.dtype && std::ranges::equal(before.bytes, entry.bytes)) << entry.name;
    }
  }

  at::Tensor logits(models::CausalLm& model, bool rounded) const {
    models::PackedBatch batch;
    for (const objectives::PromptAnswer& example : batch_) batch.add(example.prompt);
    for (std::int64_t row = 0; row < batch.rows(); ++row) batch.scored.push_back(row);
    const models::ForwardContext context{.scales = {.rounded = rounded}};
    return model.logits(model.forward(batch, context), context);
  }

  // What the run reports as the model's scores is what the exported file gives, to the bit.
  void compare_scores(const Loaded& base, const Loaded& tuned) const {
    EXPECT_TRUE(at::equal(logits(*base.model, true), logits(*tuned.model, true)));
    EXPECT_FALSE(at::equal(logits(*Loaded(path()).model, true), logits(*tuned.model, true)));
  }

  void replay(const Loaded& base, const std::vector<zo::StepRecord>& records, const zo::QzoSettings& settings,
              const fs::path& tuned_path) const {
    Loaded again(path());
    std::vector<zo::TrainableScales> tensors = cli::trainable_scales(*again.model);
    for (const zo::StepRecord& record : records) zo::apply_record(record, settings.eps_mode, settings.floor, tensors);
    EXPECT_EQ(zo::scales_checksum(tensors), zo::scales_checksum(cli::trainable_scales(*base.model)));
    const fs::path replayed = out("replayed", again);
    cli::export_tuned(*again.checkpoint, *again.model, replayed);
    EXPECT_TRUE(io::diff_checkpoints(io::open_checkpoint(tuned_path), io::open_checkpoint(replayed), {}).identical());
  }

  fs::path folder_, out_;
  std::vector<objectives::PromptAnswer> batch_;
};

void register_all() {
  if (tests::register_cases<RoundTrip>("RoundTrip", "quant") == 0) tests::register_absence("RoundTrip");
}

}  // namespace
}  // namespace qzo

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  qzo::ops::configure_threads(0);
  qzo::register_all();
  return RUN_ALL_TESTS();
}
