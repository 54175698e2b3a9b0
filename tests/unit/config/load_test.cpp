#include "qzo/config/load.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qzo/core/error.h"

namespace {

using qzo::config::LoadedConfig;
using qzo::config::Source;

constexpr const char* kMinimal = R"({
  "model": {"path": "m.gguf"},
  "data": {"train": "train.tsv"},
  "task": "sst2",
  "output": {"dir": "../runs/a"}
})";

LoadedConfig load(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return qzo::config::load_config_text(text, "/recipes/r.json", overrides);
}

std::string error_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    load(text, overrides);
  } catch (const qzo::core::UserError& error) {
    return error.what();
  }
  return "";
}

// kMinimal with another group in front.
std::string with(const std::string& group) { return "{" + group + "," + std::string(kMinimal).substr(1); }

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(LoadConfig, minimal_recipe_has_defaults_and_sources) {
  const LoadedConfig config = load(kMinimal);
  EXPECT_EQ(config.values.model.path, "/recipes/m.gguf");
  EXPECT_EQ(config.values.output.dir, "/runs/a");
  EXPECT_EQ(config.values.task.name, "sst2");
  EXPECT_EQ(config.values.train.steps, 20000);
  EXPECT_EQ(config.values.zo.clip, 100.0);
  EXPECT_EQ(config.sources.at("train.steps"), Source::kDefault);
  EXPECT_EQ(config.sources.at("model.path"), Source::kFile);
  EXPECT_EQ(config.lines.at("model.path"), 2);
  EXPECT_EQ(config.lines.at("task.name"), 4);
}

TEST(LoadConfig, about_and_schema_are_allowed) {
  EXPECT_NO_THROW(load(with(R"("$schema": "x", "about": {"anything": [1, {"a": 2}]})")));
}

TEST(LoadConfig, overrides_win_and_relative_paths_start_at_the_current_folder) {
  const LoadedConfig config = load(
      kMinimal, {"train.lr=1e-3", "zo.clip=null", "data.train=7.csv", "task.name=other", "zo.exclude=[\"*.q_proj\"]"});
  EXPECT_EQ(config.values.train.lr, 1e-3);
  EXPECT_FALSE(config.values.zo.clip.has_value());
  EXPECT_EQ(config.values.data.train, std::filesystem::current_path() / "7.csv");
  EXPECT_EQ(config.values.task.name, "other");
  EXPECT_EQ(config.values.zo.exclude, std::vector<std::string>{"*.q_proj"});
  EXPECT_EQ(config.sources.at("train.lr"), Source::kCommandLine);
}

TEST(LoadConfig, text_keys_take_characters_as_they_stand) {
  EXPECT_EQ(load(kMinimal, {"task.name=123"}).values.task.name, "123");
  EXPECT_EQ(load(kMinimal, {"task.name=\"a b\""}).values.task.name, "a b");
  EXPECT_EQ(load(kMinimal, {"task=rte"}).values.task.name, "rte");
}

TEST(LoadConfig, unknown_key_names_line_and_nearest_key) {
  const std::string error = error_of(with("\n\"zo\": {\n\"epz\": 1}"));
  EXPECT_EQ(error, "unknown key \"zo.epz\" (/recipes/r.json:3). Did you mean \"zo.eps\"?");
  EXPECT_TRUE(contains(error_of(with(R"("trainn": {})")), "Did you mean \"train\"?"));
  EXPECT_TRUE(contains(error_of(kMinimal, {"train.stepz=4"}), "unknown key \"train.stepz\" (--set)"));
  EXPECT_TRUE(contains(error_of(kMinimal, {"zzzzzzzz.qqqq=4"}), "--describe"));
}

TEST(LoadConfig, all_problems_are_reported_together_and_numbered) {
  const std::string error = error_of(with(R"("zo": {"eps": "big", "epz": 1, "eps_mode": "relativ"},
    "train": {"steps": 0, "warmup": -1, "batch_size": 1.5})"),
                                     {"oops"});
  EXPECT_TRUE(contains(error, "7 problems in /recipes/r.json:\n  1. ")) << error;
  EXPECT_TRUE(contains(error, "\n  7. ")) << error;
  EXPECT_TRUE(contains(error, "\"zo.eps\" (/recipes/r.json:1) is the string \"big\", expected a number above 0"))
      << error;
  EXPECT_TRUE(contains(error, "Did you mean \"relative\"?")) << error;
  EXPECT_TRUE(contains(error, "\"train.steps\" (/recipes/r.json:2) is 0, expected a whole number of at least 1"))
      << error;
  EXPECT_TRUE(contains(error, "--set oops: expected KEY=VALUE")) << error;
}

TEST(LoadConfig, missing_required_keys) {
  const std::string error = error_of("{}");
  for (const char* key : {"model.path", "data.train", "output.dir", "\"task\" is missing"})
    EXPECT_TRUE(contains(error, key)) << error;
}

TEST(LoadConfig, malformed_and_duplicate) {
  EXPECT_TRUE(contains(error_of("{\"zo\": {"), "/recipes/r.json"));
  EXPECT_FALSE(error_of(with(R"("zo": {"eps": 1, "eps": 2})")).empty());
  EXPECT_FALSE(error_of("[1]").empty());
  EXPECT_TRUE(contains(error_of(R"({"model": 4})"), "expected an object with keys"));
}

TEST(LoadConfig, whole_numbers_and_bounds) {
  EXPECT_EQ(load(kMinimal, {"train.steps=2e4"}).values.train.steps, 20000);
  for (const char* bad :
       {"train.steps=1e300", "train.steps=-1", "train.steps=4294967296", "train.steps=true", "zo.eps=0", "zo.eps=-1",
        "zo.eps=1e999", "zo.clip=0", "train.seed=18446744073709551615", "zo.directions=256", "data.bos=7",
        "zo.include=*", "zo.include=[1]", "train.longest_first=1"}) {
    EXPECT_FALSE(error_of(kMinimal, {bad}).empty()) << bad;
  }
  EXPECT_FALSE(error_of(kMinimal, {std::string("task.name=\xff")}).empty());
}

struct CrossCase {
  std::vector<std::string> overrides;
  const char* expected;
};

class CrossField : public testing::TestWithParam<CrossCase> {};

TEST_P(CrossField, is_refused_with_a_repair) {
  const std::string error = error_of(kMinimal, GetParam().overrides);
  EXPECT_TRUE(contains(error, GetParam().expected)) << error;
}

INSTANTIATE_TEST_SUITE_P(
    rules, CrossField,
    testing::Values(CrossCase{{"train.warmup=11", "train.steps=10"}, "Shorten the warm-up"},
                    CrossCase{{"train.batch_size=64", "data.num_train=10"}, "more than data.num_train = 10"},
                    CrossCase{{"zo.eps=1.5", "zo.eps_mode=relative"}, "more than themselves"},
                    CrossCase{{"zo.include=[]"}, "nothing would be trained"},
                    CrossCase{{"zo.exclude=[\"\"]"}, "empty pattern"},
                    CrossCase{{"task.prompt={x} was"}, "a built-in task, but task.prompt"},
                    CrossCase{{"task.name=", "task.prompt=x was", "task.candidates=[\"a\",\"b\"]"}, "has no {field}"},
                    CrossCase{{"task.name=", "task.prompt={x}", "task.candidates=[\"a\"]"}, "at least 2"},
                    CrossCase{{"task.name=", "task.prompt={x}", "task.candidates=[\"a\",\"a\"]"}, "twice"},
                    CrossCase{{"task.name=", "task.prompt={x}", "task.candidates=[\"a\",\"b\"]", "task.labels=[\"1\"]"},
                              "State one label for each candidate"},
                    CrossCase{{"task.name="}, "\"task\" is missing"},
                    CrossCase{{"output.dir="}, "\"output.dir\" is empty"},
                    CrossCase{{"output.dir=/recipes/m.gguf"}, "are the same"}));

TEST(FormatDefaults, gptq_has_published_settings) {
  LoadedConfig config = load(kMinimal);
  qzo::config::apply_format_defaults(config, "gptq");
  EXPECT_EQ(config.values.zo.eps, 1e-3);
  EXPECT_EQ(config.values.train.lr, 1e-7);
  EXPECT_EQ(config.values.zo.floor, 1e-7);
  EXPECT_EQ(config.values.train.eval_every, 4000);
  EXPECT_EQ(config.sources.at("zo.eps"), Source::kFormatDefault);
}

TEST(FormatDefaults, stated_values_stay) {
  LoadedConfig config = load(kMinimal, {"zo.eps=0.5"});
  qzo::config::apply_format_defaults(config, "gptq");
  EXPECT_EQ(config.values.zo.eps, 0.5);
  EXPECT_EQ(config.values.train.lr, 1e-7);
}

TEST(FormatDefaults, others_must_be_stated) {
  const auto error = [](std::vector<std::string> overrides, const char* format) -> std::string {
    LoadedConfig config = load(kMinimal, overrides);
    try {
      qzo::config::apply_format_defaults(config, format);
    } catch (const qzo::core::UserError& problem) {
      return problem.what();
    }
    return "";
  };
  EXPECT_TRUE(contains(error({}, "q4_1"), "zo.eps and train.lr must be stated"));
  EXPECT_TRUE(contains(error({"zo.eps=0.1"}, "q4_1"), ": train.lr must be stated"));
  EXPECT_TRUE(contains(error({"zo.eps_mode=relative", "train.lr=1"}, "gptq"), "zo.eps must be stated"));
  EXPECT_EQ(error({"zo.eps=0.1", "train.lr=0.1"}, "q4_0"), "");
}

TEST(Files, absent_ones_are_named_together) {
  LoadedConfig config = load(kMinimal);
  try {
    qzo::config::check_files(config);
    FAIL() << "nothing thrown";
  } catch (const qzo::core::UserError& error) {
    EXPECT_TRUE(contains(error.what(), "model.path: there is no /recipes/m.gguf"));
    EXPECT_TRUE(contains(error.what(), "data.train: there is no /recipes/train.tsv"));
  }
}

TEST(Recipes, every_recipe_in_configs_loads_and_says_how_to_run_it) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(QZO_SOURCE_DIR "/configs")) {
    if (entry.path().extension() != ".json") continue;
    LoadedConfig config = qzo::config::load_config(entry.path(), {});
    qzo::config::apply_format_defaults(config, "gptq");
    EXPECT_GT(config.values.zo.eps, 0) << entry.path();
    EXPECT_TRUE(qzo::core::read_json(entry.path())["about"].contains("command")) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 2);
}

TEST(Recipes, llama2_13b_states_the_published_settings) {
  LoadedConfig recipe = qzo::config::load_config(QZO_SOURCE_DIR "/configs/llama2-13b.json", {});
  LoadedConfig published = load(kMinimal);
  qzo::config::apply_format_defaults(published, "gptq");
  EXPECT_EQ(qzo::config::trajectory_differences(published.values, recipe.values), std::vector<std::string>{});
}

}  // namespace
