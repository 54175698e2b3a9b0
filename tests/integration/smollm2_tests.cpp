// The real model: candidate logits of the real program on SST-2 beside those of PyTorch on the dequantized weights, and
// a short training that must move them the right way. Model: scripts/fetch_quickstart.sh, or QZO_SMOLLM2.

#include <cmath>
#include <map>
#include <sstream>

#include "support/paths.h"
#include "support/programs.h"

namespace qzo::tests {
namespace {

constexpr double kLogitTolerance = 2e-3;  // README.md of the oracle

std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, ',');) out.push_back(field);
  return out;
}

class SmolLm2 : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    if (IsSkipped()) return;
    if (!fs::exists(model())) GTEST_SKIP() << "no " << model() << " (scripts/fetch_quickstart.sh fetches it)";
    if (!fs::exists(golden()) || !fs::exists(sst2())) GTEST_SKIP() << "no " << golden() << " or no " << sst2();
  }
  static fs::path model() {
    return from_environment("QZO_SMOLLM2", "build/quickstart/SmolLM2-135M-Instruct.Q4_1.gguf");
  }
  static fs::path golden() { return oracles() / "smollm2/sst2_zeroshot_fp32.csv"; }
  static fs::path sst2() { return data() / "datasets/sst2_glue"; }

  // Candidate logits by row of the table.
  static std::map<int, std::pair<double, double>> golden_logits() {
    std::map<int, std::pair<double, double>> logits;
    std::ifstream in(golden());
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {
      const std::vector<std::string> row = fields(line);
      logits[std::stoi(row.at(0))] = {std::stod(row.at(3)), std::stod(row.at(4))};
    }
    return logits;
  }
  static std::vector<std::string> settings() {
    return {"--set", "model.path=" + model().string(),
            "--set", "data.train=" + (sst2() / "train.tsv").string(),
            "--set", "data.test=" + (sst2() / "test.tsv").string()};
  }
};

TEST_F(SmolLm2, zero_shot_logits_equal_those_of_pytorch) {
  std::vector<std::string> arguments = {"--model",       model().string(),      "--config", recipe("sst2_smollm2.json"),
                                        "--predictions", path("p.csv"),         "--set",    "data.num_test=200",
                                        "--set",         "model.precision=fp32"};
  const std::vector<std::string> files = settings();
  arguments.insert(arguments.end(), files.begin(), files.end());
  const Outcome outcome = run("qzo-eval", arguments);
  ASSERT_EQ(outcome.code, 0) << outcome.err;

  const auto expected = golden_logits();
  std::ifstream in(path("p.csv"));
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> header = fields(line);
  const auto column = [&](const char* name) {
    return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
  };
  int rows = 0;
  double worst = 0;
  while (std::getline(in, line)) {
    const std::vector<std::string> row = fields(line);
    const auto& [terrible, great] = expected.at(std::stoi(row.at(column("line"))) - 2);  // line 1 is the header
    worst = std::max({worst, std::abs(std::stod(row.at(column("score0"))) - terrible),
                      std::abs(std::stod(row.at(column("score1"))) - great)});
    ++rows;
  }
  EXPECT_EQ(rows, 200);
  EXPECT_LE(worst, kLogitTolerance);
  RecordProperty("largest_difference", std::to_string(worst));
}

TEST_F(SmolLm2, a_short_training_lowers_the_loss_and_changes_scales_only) {
  std::vector<std::string> arguments = {"--config", recipe("sst2_smollm2.json")};
  for (const char* setting :
       {"train.steps=30", "train.eval_every=30", "train.save_every=30", "data.num_dev=100", "data.num_test=50"}) {
    arguments.insert(arguments.end(), {"--set", setting});
  }
  const std::vector<std::string> files = settings();
  arguments.insert(arguments.end(), files.begin(), files.end());
  arguments.insert(arguments.end(), {"--set", "output.dir=" + path("run")});
  Outcome outcome = run("qzo-train", arguments);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json result = Json::parse(read(folder_ / "run/result.json"));
  EXPECT_LT(result["best"]["loss"].get<double>(), result["zero_shot"]["loss"].get<double>() - 0.05);
  const auto memory_limit = fs::file_size(model()) + (350u << 20);
  EXPECT_LT(result["peak_memory"].get<std::uintmax_t>(), memory_limit);
  outcome = run("qzo-inspect", {"--diff", model().string(), path("run")});
  EXPECT_TRUE(contains(outcome.out, "verdict: scales only")) << outcome.out;
}

// The template inside the GGUF file, beside its text as transformers renders it.
TEST_F(SmolLm2, chat_template_is_the_prompt_written_out) {
  const auto answer = [&](const std::string& setting) {
    std::vector<std::string> arguments = {"--model", model().string(),        "--config", recipe("quickstart.json"),
                                          "--text",  "a warm , funny film .", "--set",    setting};
    const Outcome outcome = run("qzo-eval", arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  const std::string prompt = Json::parse(read(recipe("quickstart.json")))["task"]["prompt"];
  const std::string chatted = answer("task.chat_template=true");
  EXPECT_EQ(chatted,
            answer("task.prompt=<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
                   "Face<|im_end|>\n<|im_start|>user\n" +
                   prompt + "<|im_end|>\n<|im_start|>assistant\n"));
  EXPECT_NE(chatted, answer("task.chat_template=false"));
}

}  // namespace
}  // namespace qzo::tests
