// Training by gradients with the real programs: all weights of a dense model, and adapters on a quantized one.

#include <cmath>
#include <random>

#include "qzo/optim/registry.h"

#include "support/dense_tiny.h"
#include "support/same_run.h"

namespace qzo::tests {
namespace {

class FirstOrder : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    if (!IsSkipped()) write_dense_tiny(tiny(), folder_ / "dense");
  }

  [[nodiscard]] std::vector<std::string> recipe_run(const fs::path& output, const std::vector<std::string>& settings,
                                                    const std::string& config = "tiny_lora.json") const {
    std::vector<std::string> arguments = {"--config", recipe(config), "--resume",
                                          "auto",     "--set",        "output.dir=" + output.string()};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    return arguments;
  }

  // The recipe for all weights, written as a file: the one in configs/ is for adapters.
  [[nodiscard]] std::vector<std::string> dense_run(const fs::path& output, const std::string& optimizer,
                                                   const std::vector<std::string>& settings) const {
    Json config = core::read_json(recipe("tiny_lora.json"));
    config["model"]["path"] = path("dense");
    config["method"] = {{"name", optimizer}, {"weight_decay", 0.01}, {"state_threshold", 0}};
    config["train"]["lr"] = 2e-4;
    for (const char* part : {"train", "dev", "test"})
      config["data"][part] = (tiny() / (std::string(part) + ".jsonl")).string();
    const std::string file = path("dense.json");
    std::ofstream(file) << config.dump(2);
    std::vector<std::string> arguments = recipe_run(output, settings);
    arguments[1] = file;
    return arguments;
  }

  // 12 steps, checkpoints every 4.
  static std::vector<std::string> short_run(const std::vector<std::string>& more = {}) {
    std::vector<std::string> settings = {"train.steps=12",    "train.eval_every=6",  "train.save_every=4",
                                         "train.warmup=2",    "train.sync_every=3",  "train.batch_size=6",
                                         "data.num_train=60", "data.num_dev=20",     "data.num_test=10",
                                         "model.threads=1",   "method.micro_batch=4"};
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
  }

  static double dev_loss(const fs::path& run, const char* when) {
    return core::read_json(run / "result.json").at(when).at("loss").get<double>();
  }

  [[nodiscard]] double eval_loss() const {
    return core::read_json(path("eval.json")).at("metrics").at("loss").get<double>();
  }

  static std::vector<Json> steps_of(const fs::path& run) {
    std::vector<Json> steps;
    std::ifstream log(run / "log.jsonl");
    for (std::string line; std::getline(log, line);) {
      Json record = Json::parse(line);
      if (record.contains("loss")) steps.push_back(std::move(record));
    }
    return steps;
  }

  // Killed at the given shares of the time that a whole run takes, then finished.
  void expect_same_after_kills(const std::vector<std::string>& whole_arguments,
                               const std::vector<std::string>& killed_arguments, const fs::path& whole,
                               const fs::path& killed, std::chrono::steady_clock::duration duration, int kills) {
    std::mt19937 random(11);
    int hit = 0;
    for (int i = 0; i < kills; ++i) {
      const pid_t child = start("qzo-train", killed_arguments);
      std::this_thread::sleep_for(duration * std::uniform_real_distribution<double>(0.3, 0.9)(random));
      kill(child, SIGKILL);
      hit += finish(child).code == 1000 + SIGKILL ? 1 : 0;
    }
    EXPECT_GE(hit, 1);
    const Outcome outcome = run("qzo-train", killed_arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    expect_same_run(whole, killed, whole_arguments[5], 8);
  }
};

TEST_F(FirstOrder, all_weights_learn_with_fp32_and_4_bit_states) {
  for (const char* optimizer : {"adamw32", "adamw4bit_block", "adamw4bit_rank1", "factor4bit"}) {
    const fs::path output = folder_ / optimizer;
    const Outcome outcome = run("qzo-train", dense_run(output, optimizer, {"train.steps=40"}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const double before = dev_loss(output, "zero_shot"), after = dev_loss(output, "best");
    EXPECT_LT(after, 0.6 * before) << optimizer;
    // The exported folder is a model of its own, and what was evaluated is what was saved.
    const Outcome eval = run("qzo-eval", {"--model", (output / "model").string(), "--config", path("dense.json"),
                                          "--split", "dev", "--json", path("eval.json"), "--quiet"});
    ASSERT_EQ(eval.code, 0) << eval.err;
    EXPECT_NEAR(eval_loss(), after, 1e-6);
    EXPECT_EQ(core::read_json(output / "model/config.json").at("torch_dtype"), "float32");
  }
}

TEST_F(FirstOrder, adapters_learn_on_gptq_and_gguf_and_load_again) {
  for (const char* model : {"gptq", "tiny.gguf"}) {
    const fs::path output = folder_ / model;
    const Outcome outcome = run("qzo-train", recipe_run(output, {"model.path=" + (tiny() / model).string()}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_LT(dev_loss(output, "best"), 0.7 * dev_loss(output, "zero_shot")) << model;
    const Json adapter = core::read_json(output / "model/adapter_config.json");
    EXPECT_EQ(adapter.at("peft_type"), "LORA");
    EXPECT_EQ(adapter.at("r"), 8);
    // From the adapter's files: what the live model had on its dev set.
    const Outcome eval = run("qzo-eval", {"--model", output.string(), "--split", "dev", "--json", path("eval.json")});
    ASSERT_EQ(eval.code, 0) << eval.err;
    EXPECT_NEAR(eval_loss(), dev_loss(output, "best"), 1e-6);
  }
}

class EveryOptimizer : public FirstOrder, public testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(Optimizers, EveryOptimizer, testing::ValuesIn(optim::optimizer_names()),
                         [](const auto& optimizer) { return optimizer.param; });

TEST_P(EveryOptimizer, killed_and_resumed_gives_the_same_bytes) {
  const fs::path whole = folder_ / "whole", killed = folder_ / "killed";
  const std::vector<std::string> settings = short_run();
  const auto began = std::chrono::steady_clock::now();
  const Outcome outcome = run("qzo-train", dense_run(whole, GetParam(), settings));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto duration = std::chrono::steady_clock::now() - began;
  expect_same_after_kills(dense_run(whole, GetParam(), settings), dense_run(killed, GetParam(), settings), whole,
                          killed, duration, 3);
}

TEST_F(FirstOrder, adapters_in_bf16_killed_and_resumed_give_the_same_bytes) {
  const fs::path whole = folder_ / "whole", killed = folder_ / "killed";
  const std::vector<std::string> settings = short_run({"method.weights=bf16"});
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(run("qzo-train", recipe_run(whole, settings)).code, 0);
  const auto duration = std::chrono::steady_clock::now() - began;
  expect_same_after_kills(recipe_run(whole, settings), recipe_run(killed, settings), whole, killed, duration, 3);
}

TEST_F(FirstOrder, threads_and_recomputed_layers_keep_the_bits) {
  const fs::path one = folder_ / "one";
  ASSERT_EQ(run("qzo-train", dense_run(one, "adamw4bit_rank1", short_run())).code, 0);
  for (const char* variant : {"model.threads=2", "method.recompute=true"}) {
    const fs::path other = folder_ / "other";
    const Outcome outcome = run("qzo-train", dense_run(other, "adamw4bit_rank1", short_run({variant})));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(read(one / "model/model.safetensors") == read(other / "model/model.safetensors")) << variant;
    EXPECT_TRUE(read(one / "journal.bin").substr(64) == read(other / "journal.bin").substr(64)) << variant;
    fs::remove_all(other);
  }
}

TEST_F(FirstOrder, micro_batches_add_up_to_the_batch_and_norms_are_clipped) {
  const fs::path whole = folder_ / "whole", parts = folder_ / "parts", tight = folder_ / "tight";
  const std::vector<std::string> once =
      short_run({"method.micro_batch=0", "train.batch_size=7", "method.max_norm=null"});
  ASSERT_EQ(run("qzo-train", dense_run(whole, "sgd", once)).code, 0);
  // 7 examples in parts of 3, 3 and 1: the mean over the batch, not the mean of the means.
  std::vector<std::string> split = once;
  split[11] = "method.micro_batch=3";
  ASSERT_EQ(run("qzo-train", dense_run(parts, "sgd", split)).code, 0);
  const std::vector<Json> a = steps_of(whole), b = steps_of(parts);
  ASSERT_EQ(a.size(), 12U);
  ASSERT_EQ(b.size(), 12U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i].at("loss").get<double>(), b[i].at("loss").get<double>(), 1e-5);
    EXPECT_NEAR(a[i].at("grad_norm").get<double>() / b[i].at("grad_norm").get<double>(), 1, 1e-4);
    EXPECT_EQ(a[i].at("clipped"), false);
  }
  // Linear with two steps of warm-up.
  EXPECT_NEAR(a[0].at("lr").get<double>(), 2e-4 / 3, 1e-9);
  EXPECT_NEAR(a[2].at("lr").get<double>(), 2e-4, 1e-9);
  EXPECT_LT(a[11].at("lr").get<double>(), 0.2 * 2e-4);
  std::vector<std::string> clipped = once;
  clipped.emplace_back("method.max_norm=0.01");
  ASSERT_EQ(run("qzo-train", dense_run(tight, "sgd", clipped)).code, 0);
  for (const Json& step : steps_of(tight)) {
    EXPECT_EQ(step.at("clipped"), true);
    EXPECT_NEAR(step.at("grad_norm_clipped").get<double>(), 0.01, 1e-6);
  }
}

TEST_F(FirstOrder, losses_that_are_not_finite_skip_the_step_and_end_in_the_guard) {
  const fs::path output = folder_ / "wild";
  const Outcome outcome = run("qzo-train", dense_run(output, "sgd",
                                                     short_run({"train.lr=1000", "train.warmup=0", "train.steps=40",
                                                                "method.max_norm=null", "train.nonfinite_limit=3"})));
  EXPECT_EQ(outcome.code, 3) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "not finite for 3 steps in a row")) << outcome.err;
  EXPECT_TRUE(contains(read(output / "events.jsonl"), "norm of the gradient")) << read(output / "events.jsonl");
  EXPECT_GE(core::read_json(output / "result.json").at("skipped"), 3);
}

TEST_F(FirstOrder, what_belongs_to_another_method_or_model_is_refused_in_words) {
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& words) {
    const Outcome outcome = run("qzo-train", arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, words)) << outcome.err;
  };
  const fs::path output = folder_ / "none";
  refused(recipe_run(output, {"zo.eps=0.1"}), "zo.eps is stated, but method.name is \"adamw4bit_rank1\"");
  refused(recipe_run(output, {"method.rank=4"}, "tiny.json"), "method.rank is stated, but method.name is \"qzo\"");
  refused(recipe_run(output, {"model.precision=int8"}), "computes in fp32");
  refused(recipe_run(output, {"method.include=[\"*.no_proj\"]"}), "matches none of the 35 linears");
  refused(dense_run(output, "adamw32", {"model.path=" + (tiny() / "gptq").string()}), "set method.adapter to \"lora\"");
  refused(dense_run(output, "adamw32", {"model.path=" + (tiny() / "tiny.gguf").string()}), "GGUF");
  EXPECT_FALSE(fs::exists(output / "journal.bin"));
  // The states of one optimizer are not those of another.
  ASSERT_EQ(run("qzo-train", dense_run(output, "adamw4bit_rank1", short_run())).code, 0);
  refused(dense_run(output, "adamw32", short_run()), "method.name: \"adamw4bit_rank1\" there, \"adamw32\" here");
  const Outcome replayed = run("qzo-replay", {path("dense"), output.string(), path("replayed")});
  EXPECT_EQ(replayed.code, 2);
  EXPECT_TRUE(contains(replayed.err, "cannot be replayed")) << replayed.err;
}

TEST_F(FirstOrder, the_comparison_of_optimizers_goes_on_where_it_stopped) {
  (void)dense_run(path("unused"), "adamw32", {});  // writes dense.json
  std::vector<std::string> arguments = {
      path("compared"), path("dense.json"), "--seeds",    "2",         "--optimizer",
      "adamw32",        "--optimizer",      "factor4bit", "--program", (fs::path(QZO_BIN_DIR) / "qzo-train").string()};
  for (const std::string& setting : short_run({"train.steps=2", "train.eval_every=2", "train.warmup=0"}))
    arguments.insert(arguments.end(), {"--set", setting});
  const std::string script = (fs::path(QZO_SOURCE_DIR) / "scripts/compare_optimizers.py").string();
  const Outcome first = run(script, arguments);
  ASSERT_EQ(first.code, 0) << first.err;
  for (const char* line : {"dense: adamw32, seed 0", "dense: factor4bit, seed 1", "| `factor4bit` |"})
    EXPECT_TRUE(contains(first.out, line)) << first.out;
  const Json found = core::read_json(folder_ / "compared/comparison.json").at("dense");
  const Json &reference = found.at("adamw32"), &factored = found.at("factor4bit");
  EXPECT_EQ(reference.at("state_bytes_per_weight"), 8.0);
  EXPECT_LT(factored.at("state_bytes_per_weight"), 1.0);
  EXPECT_NE(reference.at("loss").at("values").at(0), reference.at("loss").at("values").at(1));
  for (int seed = 0; seed < 2; ++seed) {
    const fs::path folder = folder_ / "compared/dense" / ("factor4bit-" + std::to_string(seed));
    EXPECT_EQ(factored.at("loss").at("values").at(static_cast<std::size_t>(seed)), dev_loss(folder, "final"));
  }
  fs::remove_all(folder_ / "compared/dense/factor4bit-1");
  const Outcome again = run(script, arguments);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(contains(again.out, "dense: factor4bit, seed 1")) << again.out;
  EXPECT_FALSE(contains(again.out, "seed 0\n")) << again.out;
  EXPECT_EQ(core::read_json(folder_ / "compared/comparison.json").at("dense").at("factor4bit").at("loss"),
            factored.at("loss"));
}

// LLaMA-7B: 75.40 GiB in all, 43.53 saved with 4-bit AdamW in blocks (arXiv 2309.01507, table 4).
TEST_F(FirstOrder, state_bytes_on_the_shape_of_a_7b_model_are_the_published_ones) {
  const Outcome shown = run("qzo-bench", {"states", "--shape", "llama-2-7b", "--optimizer", "adamw4bit_block", "--json",
                                          path("states.json")});
  ASSERT_EQ(shown.code, 0) << shown.err;
  constexpr double kGib = 1 << 30;
  const Json results = core::read_json(folder_ / "states.json").at("results");
  ASSERT_EQ(results.size(), 1U) << shown.out;
  const double saved = results[0].at("saved_bytes"), left = results[0].at("total_bytes");
  EXPECT_NEAR(saved / kGib, 43.53, 0.02);
  EXPECT_NEAR((saved + left) / kGib, 75.40, 0.2);
}

TEST_F(FirstOrder, dry_run_shows_states_gradients_and_activations) {
  std::vector<std::string> arguments = dense_run(folder_ / "dry", "adamw4bit_rank1", {});
  arguments.emplace_back("--dry-run");
  const Outcome outcome = run("qzo-train", arguments);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part : {"gradients", "states of the optimizer", "adamw4bit_rank1: ", "activations of a micro-batch",
                           "model.layers.*.self_attn.q_proj.weight", "decay"})
    EXPECT_TRUE(contains(outcome.out, part)) << part << "\n" << outcome.out;
  EXPECT_FALSE(fs::exists(folder_ / "dry"));
}

}  // namespace
}  // namespace qzo::tests
