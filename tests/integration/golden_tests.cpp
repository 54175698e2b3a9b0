// The real programs on every quantized golden checkpoint: one evaluation, 20 steps, export, what differs in it, replay,
// evaluation of what was exported, and the same bytes after a kill. What other libraries read in it: scripts/interop.

#include <map>

#include "support/oracle_cases.h"
#include "support/programs.h"

namespace qzo::tests {
namespace {

class Golden : public Cli {
 public:
  explicit Golden(fs::path golden) : golden_(std::move(golden)) {}

 protected:
  void SetUp() override {
    Cli::SetUp();
    fs::exists(golden_ / "model.gguf") ? copy_gguf() : copy_folder();
  }

  void TestBody() override {
    Outcome outcome = run("qzo-train", train("run"));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Json held_out = Json::parse(read(folder_ / "run/held_out.json"));
    EXPECT_EQ(metrics({"--model", base_.string(), "--config", kRecipe.string()}), held_out["base"]);
    EXPECT_EQ(metrics({"--model", path("run")}), held_out["tuned"]);
    EXPECT_LT(held_out["tuned"]["loss"], held_out["base"]["loss"]);
    expect_only_scales_differ();
    outcome = run("qzo-replay", {base_.string(), path("run"), path(gguf() ? "again.gguf" : "again"), "--verify"});
    EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
    EXPECT_TRUE(contains(outcome.out, "byte for byte")) << outcome.out;
    kill_and_resume();
  }

 private:
  inline static const fs::path kData = fs::path(QZO_SOURCE_DIR) / "tests/data/golden";
  inline static const fs::path kRecipe = kData / "recipe.json";

  [[nodiscard]] bool gguf() const { return base_.extension() == ".gguf"; }

  void copy_folder() {
    base_ = folder_ / "base";
    fs::create_directory(base_);
    for (const auto& entry : fs::directory_iterator(golden_)) {
      if (entry.path().filename() != "expected.safetensors") fs::copy(entry.path(), base_);
    }
    for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) fs::copy(kData / file, base_);
  }

  // No text leads to the tokens of these files, until they are declared user-defined.
  void copy_gguf() {
    base_ = folder_ / "base.gguf";
    std::string bytes = read(golden_ / "model.gguf");
    const std::string key = "tokenizer.ggml.token_type";
    constexpr std::size_t kArrayHeader = 16;  // u32 array, u32 int32, u64 count
    std::size_t at = bytes.find(key);
    ASSERT_NE(at, std::string::npos);
    at += key.size() + kArrayHeader;
    std::uint64_t count = 0;
    std::memcpy(&count, &bytes[at - sizeof count], sizeof count);
    constexpr std::int32_t kUserDefined = 4;
    for (std::uint64_t token = 3; token < count; ++token)
      std::memcpy(&bytes[at + 4 * token], &kUserDefined, sizeof kUserDefined);
    std::ofstream(base_, std::ios::binary) << bytes;
  }

  [[nodiscard]] std::vector<std::string> train(const std::string& name) const {
    return {"--config", kRecipe.string(), "--set", "model.path=" + base_.string(), "--set", "output.dir=" + path(name)};
  }

  [[nodiscard]] Json metrics(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--json", path("eval.json")});
    const Outcome outcome = run("qzo-eval", arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.code == 0 ? Json::parse(read(folder_ / "eval.json"))["metrics"] : Json();
  }

  // bitsandbytes' nested scales need more room than they had.
  void expect_only_scales_differ() const {
    const Outcome outcome = run("qzo-inspect", {"--diff", base_.string(), path("run")});
    const bool nested = golden_.filename() == "bnb_nf4_double";
    EXPECT_EQ(outcome.code, nested ? 1 : 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.out, nested ? "verdict: other bytes differ" : "verdict: scales only")) << outcome.out;
  }

  void kill_and_resume() const {
    const fs::path killed = folder_ / "killed";
    Outcome outcome;
    for (int attempt = 0; attempt < 10 && outcome.code != 1000 + SIGKILL; ++attempt) {
      fs::remove_all(killed);
      const pid_t child = start("qzo-train", train("killed"));
      for (int i = 0; i < 60000 && !fs::exists(killed / "checkpoints/step-000004/DONE"); ++i)
        std::this_thread::sleep_for(std::chrono::microseconds(500));
      kill(child, SIGKILL);
      outcome = finish(child);
    }
    ASSERT_EQ(outcome.code, 1000 + SIGKILL) << "every run ended before it was killed";
    std::vector<std::string> again = train("killed");
    again.insert(again.end(), {"--resume", "auto"});
    outcome = run("qzo-train", again);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "goes on at step")) << outcome.err;
    EXPECT_TRUE(results(folder_ / "run") == results(killed));
  }

  // By name, whatever must not depend on what happened on the way.
  static std::map<std::string, std::string> results(const fs::path& run) {
    std::map<std::string, std::string> files;
    for (const char* file : {"journal.bin", "held_out.json", "best"}) files[file] = read(run / file);
    for (const auto& entry : fs::directory_iterator(run / "model"))
      files[entry.path().filename().string()] = read(entry.path());
    return files;
  }

  fs::path golden_, base_;
};

}  // namespace
}  // namespace qzo::tests

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (qzo::tests::register_cases<qzo::tests::Golden>("Golden", "quant") == 0) qzo::tests::register_absence("Golden");
  return RUN_ALL_TESTS();
}
