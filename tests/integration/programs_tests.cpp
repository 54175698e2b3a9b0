// The real programs on the tiny model: exit codes, messages, files, and that run, export, diff and replay agree.

#include "qzo/core/text.h"

#include "support/programs.h"
#include "support/tiny_formats.h"

namespace qzo::tests {
namespace {

TEST_F(Cli, help_version_and_documentation) {
  for (const char* program : {"qzo-train", "qzo-eval", "qzo-inspect", "qzo-replay", "qzo-bench", "qzo-quantize"}) {
    Outcome outcome = run(program, {"--help"});
    EXPECT_EQ(outcome.code, 0) << program;
    EXPECT_TRUE(contains(outcome.out, "Usage: " + std::string(program))) << outcome.out;
    outcome = run(program, {"--version"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_TRUE(contains(outcome.out, "0.1.0")) << outcome.out;
    EXPECT_EQ(run(program, {"--no-such-option"}).code, 2);
  }
  EXPECT_EQ(Json::parse(run("qzo-train", {"--schema"}).out)["title"], "qzo recipe");
  EXPECT_TRUE(contains(run("qzo-train", {"--describe", "zo.eps"}).out, "Size of the probe"));
  EXPECT_EQ(Json::parse(run("qzo-train", {"--print-default", "gptq"}).out)["train"]["steps"], 20000);
  const Outcome machine = run("qzo-inspect", {"--machine"});
  EXPECT_EQ(machine.code, 0);
  EXPECT_TRUE(contains(machine.out, "kernel variants")) << machine.out;
}

TEST_F(Cli, wrong_usage_is_one_sentence_and_exit_code_2) {
  Outcome outcome = run("qzo-train", {});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err.rfind("error: ", 0), 0u) << outcome.err;
  EXPECT_EQ(run("qzo-train", {"--config", path("absent.json")}).code, 2);
  EXPECT_EQ(run("qzo-eval", {"--model", path("absent"), "--config", recipe("tiny.json")}).code, 2);
  EXPECT_EQ(run("qzo-inspect", {path("absent")}).code, 2);
  EXPECT_EQ(run("qzo-replay", {(tiny() / "gptq").string(), path("absent"), path("out")}).code, 2);
}

TEST_F(Cli, problems_of_a_config_are_numbered_with_lines) {
  std::ofstream(folder_ / "bad.json") << R"({
  "model": {"path": "nothing"},
  "zo": {"epz": 1},
  "train": {"steps": -4},
  "data": {"train": "nothing.tsv"}, "task": "sst2", "output": {"dir": "o"}
})";
  const Outcome outcome = run("qzo-train", {"--config", path("bad.json"), "--dry-run"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, "2 problems")) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "bad.json:3). Did you mean \"zo.eps\"?")) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "\"train.steps\" (" + path("bad.json") + ":4) is -4")) << outcome.err;
}

TEST_F(Cli, files_that_do_not_exist_are_named_together) {
  const Outcome outcome =
      run("qzo-train", training("tiny.json", "run", {"--set", "model.path=no-model", "--set", "data.dev=no-dev.csv"}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, "no-model") && contains(outcome.err, "no-dev.csv")) << outcome.err;
}

TEST_F(Cli, dry_run_shows_everything_and_writes_nothing) {
  const Outcome outcome = run("qzo-train", training("tiny.json", "run", {"--dry-run"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part : {"zo.eps", "0.02  (tiny.json:", "train.steps", "6  (--set)", "gptq", "trained", ">>> ",
                           "master scales", "total / usable", "OK"}) {
    EXPECT_TRUE(contains(outcome.out, part)) << part << " in\n" << outcome.out;
  }
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

// The two tiny checkpoints as they are, and what they become in the formats of other quantizers.
class Formats : public Cli, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    Cli::SetUp();
    if (!IsSkipped() && !stored()) test::write_tiny_format(GetParam(), tiny() / "gptq", base());
  }
  [[nodiscard]] bool gguf() const { return std::string(GetParam()) == "gguf"; }
  [[nodiscard]] bool stored() const { return gguf() || std::string(GetParam()) == "gptq"; }
  [[nodiscard]] std::string base() const {
    if (!stored()) return path("base");
    return (gguf() ? tiny() / "tiny.gguf" : tiny() / "gptq").string();
  }
  [[nodiscard]] std::string config() const { return gguf() ? "tiny_gguf.json" : "tiny.json"; }
  [[nodiscard]] std::vector<std::string> train(std::vector<std::string> more = {},
                                               const std::string& name = "run") const {
    if (!stored()) more.insert(more.end(), {"--set", "model.path=" + base()});
    more.insert(more.end(), {"--set", "train.steps=20", "--set", "train.eval_every=10"});
    return training(config(), name, more);
  }
};

std::vector<const char*> format_names() {
  std::vector<const char*> names = {"gptq", "gguf"};
  for (const test::TinyFormat& format : test::kTinyFormats) names.push_back(format.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(tiny, Formats, testing::ValuesIn(format_names()),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(Formats, train_then_diff_eval_replay_and_resume) {
  Outcome outcome = run("qzo-train", train());
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "dev, best")) << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "test, tuned")) << outcome.out;
  EXPECT_TRUE(contains(outcome.err, "step 20  dev accuracy")) << outcome.err;
  EXPECT_FALSE(contains(outcome.err, "\r")) << "a progress line in a pipe";
  EXPECT_FALSE(contains(outcome.err, "step 1/20"));
  for (const char* file :
       {"config.json", "environment.json", "journal.bin", "result.json", "held_out.json", "best", "model"}) {
    EXPECT_TRUE(fs::exists(folder_ / "run" / file)) << file;
  }

  outcome = run("qzo-inspect", {"--diff", base(), path("run")});
  // bitsandbytes' nested scales need more room than they had.
  const bool nested = std::string(GetParam()) == "nf4_nested";
  EXPECT_EQ(outcome.code, nested ? 1 : 0) << outcome.out << outcome.err;
  const bool moved = read(folder_ / "run/best") != "step-000000\n";
  EXPECT_TRUE(contains(outcome.out, nested  ? "verdict: other bytes differ"
                                    : moved ? "verdict: scales only"
                                            : "verdict: identical"))
      << outcome.out;

  outcome = run("qzo-replay", {base(), path("run"), path(gguf() ? "again.gguf" : "again"), "--verify", "--trajectory",
                               path("t.qzo")});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "byte for byte")) << outcome.out;
  outcome = run("qzo-replay", {base(), path("t.qzo"), path(gguf() ? "patched.gguf" : "patched")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  outcome = run("qzo-inspect", {"--diff", path("run"), path(gguf() ? "patched.gguf" : "patched")});
  EXPECT_TRUE(contains(outcome.out, "verdict: identical")) << outcome.out;

  // The tuned checkpoint scores in a program of its own what the run has reported.
  outcome = run("qzo-eval", {"--model", path("run"), "--json", path("eval.json"), "--predictions", path("p.csv")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json held_out = Json::parse(read(folder_ / "run/held_out.json"));
  const Json metrics = Json::parse(read(folder_ / "eval.json"))["metrics"];
  EXPECT_EQ(metrics, held_out["tuned"]);
  EXPECT_EQ(metrics["count"], 40);
  const std::string predictions = read(folder_ / "p.csv");
  EXPECT_EQ(std::count(predictions.begin(), predictions.end(), '\n'), 41);
  outcome = run("qzo-eval", {"--model", base(), "--config", recipe(config()), "--set", "data.num_test=40", "--json",
                             path("base.json")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(Json::parse(read(folder_ / "base.json"))["metrics"], held_out["base"]);

  outcome = run("qzo-train", train());
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, "--resume auto")) << outcome.err;
  outcome = run("qzo-train", train({"--resume", "auto", "--set", "train.lr=0.5"}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, "train.lr: ") && contains(outcome.err, "0.5 here")) << outcome.err;
  outcome = run("qzo-train", {"--resume", path("run")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

// Killed on the way, in int8: nothing shows it in the end.
TEST_P(Formats, killed_and_resumed_in_int8_gives_the_same_bytes) {
  const std::vector<std::string> int8 = {"--set", "model.precision=int8"};
  Outcome outcome = run("qzo-train", train(int8, "whole"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const pid_t child = start("qzo-train", train(int8, "parts"));
  const fs::path checkpoint = folder_ / "parts/checkpoints/step-000004/DONE";
  for (int i = 0; i < 6000 && !fs::exists(checkpoint); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  kill(child, SIGKILL);
  static_cast<void>(finish(child));
  outcome = run("qzo-train", train({"--set", "model.precision=int8", "--resume", "auto"}, "parts"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* file : {"held_out.json", "journal.bin"})
    EXPECT_TRUE(read(folder_ / "whole" / file) == read(folder_ / "parts" / file)) << file;
  outcome = run("qzo-inspect", {"--diff", path("whole"), path("parts")});
  EXPECT_TRUE(contains(outcome.out, "verdict: identical")) << outcome.out;
}

// The same weights in another layout: the same scores to the last bit in fp32.
class SameWeights : public Formats {};
INSTANTIATE_TEST_SUITE_P(tiny, SameWeights, testing::ValuesIn([] {
                           std::vector<const char*> names;
                           for (const test::TinyFormat& format : test::kTinyFormats)
                             if (format.same_weights) names.push_back(format.name);
                           return names;
                         }()),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(SameWeights, scores_are_those_of_gptq) {
  const auto metrics = [this](const std::string& model) {
    const Outcome outcome = run("qzo-eval", {"--model", model, "--config", recipe("tiny.json"), "--set",
                                             "data.num_test=40", "--json", path("scores.json")});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(read(folder_ / "scores.json"))["metrics"];
  };
  EXPECT_EQ(metrics(base()), metrics((tiny() / "gptq").string()));
}

TEST_F(Cli, own_text_gets_a_probability_for_each_answer) {
  const std::vector<std::string> model = {"--model", (tiny() / "gptq").string(), "--config", recipe("tiny.json")};
  std::vector<std::string> arguments = model;
  arguments.insert(arguments.end(), {"--text", "the soup was lovely"});
  const Outcome outcome = run("qzo-eval", arguments);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "\" dirty\"") && contains(outcome.out, "\" clean\"") &&
              contains(outcome.out, "probability"))
      << outcome.out;
  arguments = model;
  arguments.insert(arguments.end(), {"--field", "text=the soup was lovely"});
  EXPECT_EQ(run("qzo-eval", arguments).out, outcome.out);
  arguments.back() = "txt=x";
  EXPECT_EQ(run("qzo-eval", arguments).code, 2);
}

// The same as the prompt written out, in training, its evaluation and that of the export.
TEST_F(Cli, chat_template_of_the_checkpoint) {
  const fs::path chat = folder_ / "chat";
  fs::copy(tiny() / "gptq", chat);
  Json tokenizer = Json::parse(read(chat / "tokenizer_config.json"));
  tokenizer["chat_template"] =
      "{{ bos_token }}{% for message in messages %}{{ message.role }} : {{ message.content }} ,{% endfor %}"
      "{% if add_generation_prompt %} so it was{% endif %}";
  std::ofstream(chat / "tokenizer_config.json") << tokenizer;
  const std::string model = "model.path=" + chat.string();
  const std::vector<std::string> switched = {"--set", model, "--set", "task.chat_template=true"};
  Outcome outcome = run("qzo-train", training("tiny.json", "chatted", switched));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  outcome =
      run("qzo-train", training("tiny.json", "written",
                                {"--set", model, "--set", "task.prompt=user : {text} . overall it was , so it was"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json held_out = Json::parse(read(folder_ / "chatted/held_out.json"));
  EXPECT_EQ(held_out, Json::parse(read(folder_ / "written/held_out.json")));
  outcome = run("qzo-eval", {"--model", path("chatted"), "--json", path("eval.json")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(Json::parse(read(folder_ / "eval.json"))["metrics"], held_out["tuned"]);

  outcome = run("qzo-train", training("tiny.json", "none", {"--set", "task.chat_template=true"}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, "has no chat template")) << outcome.err;
  std::vector<std::string> twice = switched;
  twice.insert(twice.end(), {"--set", "data.bos=always"});
  outcome = run("qzo-train", training("tiny.json", "none", twice));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, "Remove data.bos or task.chat_template")) << outcome.err;
}

TEST_F(Cli, inspect_lists_formats_scales_and_tokenizer) {
  const Outcome outcome = run("qzo-inspect", {(tiny() / "tiny.gguf").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part : {"GGUF file", "llama: 5 layers", "blk.*.attn_q", "q4_1", "q4_0", "q8_0", "median |s|"}) {
    EXPECT_TRUE(contains(outcome.out, part)) << part << " in\n" << outcome.out;
  }
}

TEST_F(Cli, diff_notices_a_changed_code) {
  std::string bytes = read(tiny() / "tiny.gguf");
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  std::ofstream(folder_ / "changed.gguf", std::ios::binary) << bytes;
  const Outcome outcome = run("qzo-inspect", {"--diff", (tiny() / "tiny.gguf").string(), path("changed.gguf")});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "verdict: other bytes differ")) << outcome.out;
}

TEST_F(Cli, replay_refuses_another_base) {
  ASSERT_EQ(run("qzo-train", training("tiny_gguf.json", "run")).code, 0);
  std::string bytes = read(tiny() / "tiny.gguf");
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  std::ofstream(folder_ / "changed.gguf", std::ios::binary) << bytes;
  const Outcome outcome = run("qzo-replay", {path("changed.gguf"), path("run"), path("out.gguf")});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, "is not the checkpoint that")) << outcome.err;
  EXPECT_FALSE(fs::exists(folder_ / "out.gguf"));
}

TEST_F(Cli, interrupt_saves_state_and_resume_goes_on) {
  const std::vector<std::string> long_run =
      training("tiny.json", "run", {"--set", "train.steps=100000", "--set", "train.schedule=constant"});
  const pid_t child = start("qzo-train", long_run);
  const fs::path checkpoint = folder_ / "run/checkpoints/step-000002/DONE";
  for (int i = 0; i < 600 && !fs::exists(checkpoint); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  kill(child, SIGINT);
  Outcome outcome = finish(child);
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "--resume")) << outcome.err;
  std::vector<std::string> resumed = {"--resume", path("run"), "--set", "train.steps=100000", "--json"};
  const pid_t second = start("qzo-train", resumed);
  for (int i = 0; i < 600 && !contains(read(folder_ / "stdout"), "\"event\":\"step\""); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  kill(second, SIGTERM);
  outcome = finish(second);
  EXPECT_EQ(outcome.code, 143) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "goes on at step")) << outcome.out;
}

TEST_F(Cli, losses_that_are_not_finite_are_stopped_by_the_guard) {
  // A norm weight near the end of fp32 makes every activation infinite; the file itself is well-formed.
  const qzo::io::Checkpoint checkpoint = qzo::io::open_checkpoint(tiny() / "tiny.gguf");
  const qzo::io::TensorEntry* norm = checkpoint.tensors.find("blk.1.attn_norm.weight");
  ASSERT_NE(norm, nullptr);
  std::string bytes = read(tiny() / "tiny.gguf");
  const float huge = 3e38f;
  for (std::size_t at = 0; at < norm->bytes.size(); at += sizeof huge)
    std::memcpy(&bytes[norm->offset + at], &huge, sizeof huge);
  std::ofstream(folder_ / "huge.gguf", std::ios::binary) << bytes;
  const Outcome outcome =
      run("qzo-train", training("tiny_gguf.json", "run",
                                {"--set", "model.path=" + path("huge.gguf"), "--set", "train.nonfinite_limit=3"}));
  EXPECT_EQ(outcome.code, 3) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "stopped: ")) << outcome.err;
  EXPECT_EQ(Json::parse(read(folder_ / "run/result.json"))["status"], "stopped");
}

TEST_F(Cli, broken_checkpoints_are_refused_with_exit_code_2) {
  const char* given = std::getenv("QZO_ORACLES");
  const fs::path oracles = given != nullptr ? fs::path(given) : fs::path(QZO_SOURCE_DIR) / "../shared/oracles";
  if (!fs::exists(oracles / "illformed")) GTEST_SKIP() << "no golden checkpoints at " << oracles;
  int count = 0;
  for (const auto& entry : fs::directory_iterator(oracles / "illformed")) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory()) continue;
    const Outcome outcome = run("qzo-inspect", {entry.path().string()});
    const bool sound = name.starts_with("ok_");
    EXPECT_EQ(outcome.code, sound ? 0 : 2) << name << ": " << outcome.err;
    EXPECT_EQ(outcome.err.starts_with("error: "), !sound) << name << ": " << outcome.err;
    ++count;
  }
  EXPECT_GE(count, 15);
}

class Precisions : public Cli, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(all, Precisions, testing::Values("fp32", "bf16", "bf16x2", "int8", "auto"));

// In every precision: the same bits with one and two threads, with signs one after the other and in small passes, and
// replay rebuilds the checkpoint.
TEST_P(Precisions, threads_signs_passes_and_replay_keep_the_bits) {
  const std::string precision = core::text("model.precision=", GetParam());
  Outcome outcome = run("qzo-train", training("tiny.json", "run", {"--set", precision}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string decided = Json::parse(read(folder_ / "run/environment.json"))["precision"];
  EXPECT_NE(decided, "auto");
  EXPECT_EQ(contains(outcome.err, "precision " + decided + ": "), std::string(GetParam()) == "auto") << outcome.err;
  outcome = run("qzo-train", training("tiny.json", "other",
                                      {"--set", precision, "--set", "model.threads=2", "--set", "zo.signs=sequential",
                                       "--set", "train.max_tokens_per_pass=40"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(read(folder_ / "run/held_out.json"), read(folder_ / "other/held_out.json"));
  outcome = run("qzo-inspect", {"--diff", path("run"), path("other")});
  EXPECT_TRUE(contains(outcome.out, "verdict: identical")) << outcome.out;
  outcome = run("qzo-replay", {(tiny() / "gptq").string(), path("run"), path("again"), "--verify"});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

TEST_F(Cli, a_resumed_run_keeps_the_precision_it_chose) {
  ASSERT_EQ(run("qzo-train", training("tiny.json", "run", {"--set", "model.precision=auto"})).code, 0);
  const Outcome outcome =
      run("qzo-train", training("tiny.json", "run", {"--set", "model.precision=auto", "--resume", "auto"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_FALSE(contains(outcome.err, "probes of")) << outcome.err;
}

TEST_F(Cli, benchmarks_of_a_step_and_of_fidelity) {
  Outcome outcome = run("qzo-bench", {"step", "--config", recipe("tiny.json"), "--repeats", "3", "--any-load", "--json",
                                      path("step.json")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json step = Json::parse(read(folder_ / "step.json"));
  ASSERT_EQ(step["results"].size(), 4u);
  EXPECT_GT(step["results"][0]["parts"]["matmul"], 0);
  outcome = run("qzo-bench", {"fidelity", "--config", recipe("tiny.json"), "--draws", "4", "--any-load", "--precision",
                              "int8", "--json", path("fidelity.json")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_GT(Json::parse(read(folder_ / "fidelity.json"))["results"][0]["error"], 0);
  EXPECT_EQ(run("qzo-bench", {}).code, 2);
  EXPECT_EQ(run("qzo-bench", {"step", "--config", path("absent.json")}).code, 2);
}

}  // namespace
}  // namespace qzo::tests
