// qzo-quantize on the tiny model, and what the other programs make of its output.

#include <limits>

#include "qzo/io/safetensors.h"

#include "support/programs.h"
#include "support/tiny_formats.h"

namespace qzo::tests {
namespace {

class QuantizeProgram : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    if (IsSkipped()) return;
    test::write_tiny_dense(tiny() / "gptq", folder_ / "dense");
    // The text of the reviews, as the model was trained on it.
    std::ofstream text(path("text.txt"));
    std::ifstream rows(tiny() / "train.jsonl");
    for (std::string line; std::getline(rows, line);)
      text << Json::parse(line)["text"].get<std::string>() << " . overall it was good .\n";
  }
  [[nodiscard]] Outcome quantize(const std::string& source, const std::string& out,
                                 std::vector<std::string> options) const {
    options.insert(options.begin(), {source, path(out)});
    return run("qzo-quantize", options);
  }
  [[nodiscard]] Json perplexity_of(const std::string& model) const {
    const Outcome outcome = run("qzo-eval", {"--model", model, "--perplexity", path("text.txt"), "--context", "64",
                                             "--json", path("eval.json")});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(read(folder_ / "eval.json"));
  }
};

TEST_F(QuantizeProgram, calibrated_gptq_is_evaluated_and_trained) {
  const Outcome outcome = quantize(
      path("dense"), "gptq",
      {"--format", "gptq", "--group-size", "32", "--calibration", path("text.txt"), "--samples", "40",
       "--sample-length", "64", "--perplexity", path("text.txt"), "--context", "64", "--json", path("report.json")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "35 weights") && contains(outcome.out, "of the outputs on 40 samples"))
      << outcome.out;
  EXPECT_FALSE(contains(outcome.err, "\r")) << "a progress line in a pipe";
  const Json report = Json::parse(read(folder_ / "report.json"));
  EXPECT_EQ(report["perplexity"]["before"]["loss"], perplexity_of(path("dense"))["loss"]);
  EXPECT_EQ(report["perplexity"]["after"]["loss"], perplexity_of(path("gptq"))["loss"]);
  EXPECT_NEAR(report["perplexity"]["after"]["loss"].get<double>(), report["perplexity"]["before"]["loss"].get<double>(),
              0.05);
  EXPECT_TRUE(fs::exists(folder_ / "gptq/tokenizer.json"));

  const Outcome trained = run("qzo-train", training("tiny.json", "run", {"--set", "model.path=" + path("gptq")}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Outcome diff = run("qzo-inspect", {"--diff", path("gptq"), path("run")});
  EXPECT_EQ(diff.code, 0) << diff.out;
}

TEST_F(QuantizeProgram, every_format_is_read_again) {
  for (const char* format : {"gptq", "nf4"}) {
    const Outcome outcome = quantize(path("dense"), format, {"--format", format});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(contains(run("qzo-inspect", {path(format)}).out, format));
  }
  for (const char* format : {"q4_0", "q4_1"}) {
    const std::string out = std::string(format) + ".gguf";
    const Outcome outcome = quantize((tiny() / "tiny.gguf").string(), out, {"--format", format, "--requantize"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const double before = perplexity_of((tiny() / "tiny.gguf").string())["loss"];
    EXPECT_NEAR(perplexity_of(path(out))["loss"].get<double>(), before, 0.05) << format;
  }
}

TEST_F(QuantizeProgram, wrong_usage_and_ill_formed_input_exit_with_2) {
  const auto expect_refusal = [&](const std::string& source, std::vector<std::string> options,
                                  const std::string& reason) {
    const Outcome outcome = quantize(source, "out", std::move(options));
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, reason)) << outcome.err;
    EXPECT_FALSE(fs::exists(folder_ / "out"));
    EXPECT_FALSE(fs::exists(folder_ / ".out.partial"));
  };
  const std::string text = path("text.txt");
  expect_refusal(path("dense"), {}, "--format");
  expect_refusal(path("dense"), {"--format", "q8_0"}, "q8_0");
  expect_refusal(path("dense"), {"--format", "gptq", "--bits", "5"}, "--bits");
  expect_refusal(path("dense"), {"--format", "gptq", "--act-order"}, "--calibration");
  expect_refusal(path("dense"), {"--format", "nf4", "--group-size", "32"}, "--group-size");
  expect_refusal(path("dense"), {"--format", "nf4", "--calibration", text}, "--calibration");
  expect_refusal(path("dense"), {"--format", "q4_1"}, "GGUF");
  expect_refusal((tiny() / "tiny.gguf").string(), {"--format", "gptq", "--requantize"}, "Hugging Face folder");
  expect_refusal((tiny() / "gptq").string(), {"--format", "gptq"}, "--requantize");
  expect_refusal(path("absent"), {"--format", "gptq"}, "absent");
  expect_refusal(path("dense"), {"--format", "gptq", "--calibration", path("absent.txt")}, "absent.txt");
  expect_refusal(path("dense"), {"--format", "gptq", "--calibration", text, "--sample-length", "100000"},
                 "--sample-length");
  const std::string weights = read(folder_ / "dense/model.safetensors");
  std::ofstream(folder_ / "dense/model.safetensors", std::ios::binary) << weights.substr(0, weights.size() - 100);
  expect_refusal(path("dense"), {"--format", "gptq"}, "model.safetensors");
  // The last weight of the file is not a number: nearly all is written by then.
  std::string damaged = weights;
  const io::Checkpoint stored = [&] {
    std::ofstream(folder_ / "dense/model.safetensors", std::ios::binary) << weights;
    return io::open_checkpoint(folder_ / "dense");
  }();
  const io::TensorEntry& last = *stored.tensors.find("model.layers.4.mlp.down_proj.weight");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(damaged.data() + last.offset + 4 * 5, &nan, sizeof nan);
  fs::create_directory(folder_ / "damaged");
  for (const char* file : {"config.json", "tokenizer.json"})
    fs::copy_file(folder_ / "dense" / file, folder_ / "damaged" / file);
  std::ofstream(folder_ / "damaged/model.safetensors", std::ios::binary) << damaged;
  expect_refusal(path("damaged"), {"--format", "gptq"}, "model.layers.4.mlp.down_proj: element [0, 5] is nan");
}

TEST_F(QuantizeProgram, nothing_is_overwritten) {
  ASSERT_EQ(quantize(path("dense"), "out", {"--format", "gptq"}).code, 0);
  const std::string before = read(folder_ / "out/model.safetensors");
  const Outcome outcome = quantize(path("dense"), "out", {"--format", "gptq", "--bits", "8"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, "exists already")) << outcome.err;
  EXPECT_EQ(read(folder_ / "out/model.safetensors"), before);
}

}  // namespace
}  // namespace qzo::tests
