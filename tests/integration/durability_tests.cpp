// Runs that are killed, that meet a full disk, that use another number of threads: the same bytes in the end.

#include <random>

#include <sys/mount.h>

#include "support/same_run.h"

namespace qzo::tests {
namespace {

class Durability : public Cli {
 protected:
  // 24 steps in about half a second, a checkpoint every 4, a checksum and fsync every 3.
  [[nodiscard]] std::vector<std::string> tiny_run(const std::string& config, const fs::path& output,
                                                  const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"--config", recipe(config), "--resume", "auto"};
    for (const std::string& setting :
         {"output.dir=" + output.string(), std::string("train.steps=24"), std::string("train.eval_every=8"),
          std::string("train.save_every=4"), std::string("train.sync_every=3"), std::string("data.num_train=100"),
          std::string("data.num_dev=20"), std::string("data.num_test=10")}) {
      arguments.insert(arguments.end(), {"--set", setting});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

TEST_F(Durability, killed_at_25_random_moments_and_resumed) {
  const fs::path whole = folder_ / "whole";
  const auto began = std::chrono::steady_clock::now();
  Outcome outcome = run("qzo-train", tiny_run("tiny.json", whole));
  const auto duration = std::chrono::steady_clock::now() - began;
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  ASSERT_TRUE(fs::exists(whole / "result.json"));

  std::mt19937 random(7);
  const fs::path killed = folder_ / "killed";
  int kills = 0;
  for (int round = 0; kills < 25 && round < 60; ++round) {
    const pid_t child = start("qzo-train", tiny_run("tiny.json", killed));
    // The first half of the time is loading libraries; kill anywhere behind a tenth of it.
    const double share = std::uniform_real_distribution<double>(0.1, 1.0)(random);
    std::this_thread::sleep_for(duration * share);
    kill(child, SIGKILL);
    outcome = finish(child);
    if (outcome.code == 1000 + SIGKILL) ++kills;
    if (fs::exists(killed / "result.json")) {
      expect_same_run(whole, killed, "after " + std::to_string(kills) + " kills", 6);
      fs::remove_all(killed);
    }
  }
  EXPECT_EQ(kills, 25);
  outcome = run("qzo-train", tiny_run("tiny.json", killed));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  expect_same_run(whole, killed, "at the end", 6);
}

TEST_F(Durability, one_and_two_threads_and_other_walks_give_the_same_bytes) {
  const fs::path one = folder_ / "one";
  ASSERT_EQ(run("qzo-train", tiny_run("tiny_gguf.json", one, {"--set", "model.threads=1"})).code, 0);
  const std::vector<std::vector<std::string>> variants = {
      {"--set", "model.threads=2"}, {"--set", "zo.signs=sequential"}, {"--set", "train.max_tokens_per_pass=40"}};
  for (const std::vector<std::string>& variant : variants) {
    const fs::path other = folder_ / "other";
    const Outcome outcome = run("qzo-train", tiny_run("tiny_gguf.json", other, variant));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(read(one / "model/tiny.gguf") == read(other / "model/tiny.gguf")) << variant[1];
    // Behind the header, which carries the hash of the config.
    EXPECT_EQ(read(one / "journal.bin").substr(64), read(other / "journal.bin").substr(64)) << variant[1];
    fs::remove_all(other);
  }
}

TEST_F(Durability, damaged_newest_checkpoint_and_torn_journal_are_survived) {
  const fs::path whole = folder_ / "whole", hurt = folder_ / "hurt";
  ASSERT_EQ(run("qzo-train", tiny_run("tiny.json", whole)).code, 0);
  const pid_t child = start("qzo-train", tiny_run("tiny.json", hurt));
  for (int i = 0; i < 3000 && !fs::exists(hurt / "checkpoints/step-000012"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  kill(child, SIGKILL);
  EXPECT_NE(finish(child).code, 2);
  fs::remove(hurt / "result.json");
  std::vector<fs::path> checkpoints;
  for (const auto& entry : fs::directory_iterator(hurt / "checkpoints")) {
    if (entry.path().filename().string().starts_with("step-")) checkpoints.push_back(entry.path());
  }
  std::sort(checkpoints.begin(), checkpoints.end());
  ASSERT_GE(checkpoints.size(), 2U);
  {
    std::fstream scales(checkpoints.back() / "scales.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    scales.seekp(-3, std::ios::end);
    scales.put('\x55');
  }
  std::ofstream(hurt / "journal.bin", std::ios::app | std::ios::binary) << "torn record";
  const Outcome outcome = run("qzo-train", tiny_run("tiny.json", hurt));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, checkpoints.back().filename().string())) << outcome.err;
  expect_same_run(whole, hurt, "after damage", 6);
}

// 120 kB end while checkpoints are written, 320 kB while the tuned model is exported.
class FullDisk : public Durability, public testing::WithParamInterface<const char*> {
 protected:
  void TearDown() override {
    umount((folder_ / "disk").c_str());
    Durability::TearDown();
  }
};
INSTANTIATE_TEST_SUITE_P(Sizes, FullDisk, testing::Values("size=120k", "size=320k"));

TEST_P(FullDisk, loses_nothing_earlier) {
  const fs::path disk = folder_ / "disk";
  fs::create_directory(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, GetParam()) != 0) {
    GTEST_SKIP() << "mounting a small tmpfs is not permitted here";
  }
  const Outcome full = run("qzo-train", tiny_run("tiny.json", disk / "run"));
  EXPECT_EQ(full.code, 1) << full.err;
  EXPECT_TRUE(contains(full.err, "No space left on device")) << full.err;
  EXPECT_FALSE(fs::exists(disk / "run/model/model.safetensors"));
  // More room, and the run goes on from what was saved.
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
  const Outcome resumed = run("qzo-train", tiny_run("tiny.json", disk / "run"));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  const fs::path whole = folder_ / "whole";
  ASSERT_EQ(run("qzo-train", tiny_run("tiny.json", whole)).code, 0);
  expect_same_run(whole, disk / "run", "after the disk was full", 6);
}

}  // namespace
}  // namespace qzo::tests
