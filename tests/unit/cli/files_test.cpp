// Paths on command lines and the file beside a trajectory.

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "qzo/cli/locate.h"
#include "qzo/cli/trained_part.h"
#include "qzo/config/load.h"
#include "qzo/core/error.h"

namespace {

using namespace qzo::cli;
namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("qzo_files_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const fs::path& path, const std::string& text) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
  }
  fs::path folder_;
};

TEST_F(FilesTest, a_checkpoint_is_itself_and_a_run_leads_to_its_model) {
  write("hf/config.json", "{}");
  write("a.gguf", "x");
  write("run/config.json", "{}");
  write("run/journal.bin", "x");
  EXPECT_EQ(find_checkpoint(folder_ / "hf"), folder_ / "hf");
  EXPECT_EQ(find_checkpoint(folder_ / "a.gguf"), folder_ / "a.gguf");
  EXPECT_TRUE(is_run_folder(folder_ / "run"));
  EXPECT_FALSE(is_run_folder(folder_ / "hf"));
  EXPECT_THROW(find_checkpoint(folder_ / "run"), qzo::core::UserError);
  write("run/model/m.gguf", "x");
  EXPECT_EQ(find_checkpoint(folder_ / "run"), folder_ / "run/model/m.gguf");
  EXPECT_EQ(find_checkpoint(folder_ / "run/model"), folder_ / "run/model/m.gguf");
  write("run/model/n.gguf", "x");
  EXPECT_EQ(find_checkpoint(folder_ / "run"), folder_ / "run/model");
  EXPECT_THROW(find_checkpoint(folder_ / "absent"), qzo::core::UserError);
}

TEST_F(FilesTest, recipe_and_config_of_a_run_are_told_apart) {
  write("recipe.json",
        R"({"model": {"path": "m"}, "data": {"train": "t.csv"}, "task": "sst2", "output": {"dir": "o"}})");
  const auto recipe = load_any_config(folder_ / "recipe.json", {"train.steps=7"});
  EXPECT_EQ(recipe.values.train.steps, 7);
  write("config.json", qzo::config::effective_json(recipe).dump());
  const auto again = load_any_config(folder_ / "config.json", {"train.seed=3"});
  EXPECT_EQ(again.values.train.steps, 7);
  EXPECT_EQ(again.values.train.seed, 3);
  EXPECT_EQ(again.values.model.path, folder_ / "m");
}

TEST_F(FilesTest, sidecar_round_trip_and_damage) {
  const fs::path trajectory = folder_ / "t.qzo";
  const TrainedPart part{{"*"}, {"*.q_proj"}, "fixed", "v2"};
  write_sidecar(trajectory, part);
  const TrainedPart again = read_sidecar(trajectory);
  EXPECT_EQ(again.include, part.include);
  EXPECT_EQ(again.exclude, part.exclude);
  EXPECT_EQ(again.minimum, "fixed");
  EXPECT_EQ(again.gptq_zero_version, "v2");
  for (const char* bad :
       {"[]", "{}", R"({"include": "x", "exclude": [], "minimum": "tied", "gptq_zero_version": "v1"})",
        R"({"include": [1], "exclude": [], "minimum": "tied", "gptq_zero_version": "v1"})",
        R"({"include": [], "exclude": [], "minimum": "loose", "gptq_zero_version": "v1"})"}) {
    write("t.qzo.json", bad);
    EXPECT_THROW(read_sidecar(trajectory), qzo::core::UserError) << bad;
  }
  EXPECT_THROW(read_sidecar(folder_ / "absent.qzo"), qzo::core::UserError);
}

}  // namespace
