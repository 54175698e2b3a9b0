#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qzo/config/load.h"
#include "qzo/core/error.h"

namespace {

using qzo::config::LoadedConfig;
using qzo::config::Source;
using qzo::core::Json;

LoadedConfig load(const std::vector<std::string>& overrides = {}) {
  return qzo::config::load_config_text(R"({
    "model": {"path": "m"}, "zo": {"clip": null},
    "train": {"lr": 0.1}, "data": {"train": "t.csv"},
    "task": {"prompt": "{a} \u00fc", "candidates": [" x", " y"]}, "output": {"dir": "o"}})",
                                       "/recipes/r.json", overrides);
}

TEST(Effective, holds_every_value_with_its_source) {
  LoadedConfig config = load({"train.steps=5"});
  qzo::config::apply_format_defaults(config, "gptq");
  qzo::config::resolve_auto(config, "model.precision", "fp32");
  const Json json = qzo::config::effective_json(config);
  EXPECT_EQ(json["train"]["lr"], Json({{"value", 0.1}, {"source", "r.json:3"}}));
  EXPECT_EQ(json["train"]["steps"], Json({{"value", 5}, {"source", "--set"}}));
  EXPECT_EQ(json["zo"]["eps"], Json({{"value", 1e-3}, {"source", "published for the format"}}));
  EXPECT_EQ(json["zo"]["clip"], Json({{"value", nullptr}, {"source", "r.json:2"}}));
  EXPECT_EQ(json["model"]["precision"], Json({{"value", "fp32"}, {"source", "detected"}}));
  EXPECT_EQ(json["data"]["bos"]["source"], "default");
  EXPECT_NE(qzo::config::effective_text(config).find("0.1  (r.json:3)"), std::string::npos);
}

TEST(Effective, round_trip_keeps_values_and_sources) {
  LoadedConfig config = load({"train.steps=5"});
  qzo::config::apply_format_defaults(config, "gptq");
  const Json json = qzo::config::effective_json(config);
  const LoadedConfig again = qzo::config::load_effective(json, "RUN/config.json");
  EXPECT_EQ(qzo::config::effective_json(again), json);
  EXPECT_EQ(again.sources, config.sources);
  EXPECT_EQ(qzo::config::trajectory_hash(again.values), qzo::config::trajectory_hash(config.values));
  EXPECT_EQ(qzo::config::from_effective_json(json, "x").task.prompt, config.values.task.prompt);
}

TEST(Effective, unresolved_values_survive_the_round_trip) {
  const Json json = qzo::config::effective_json(load());
  EXPECT_EQ(qzo::config::effective_json(qzo::config::load_effective(json, "x")), json);
}

TEST(Effective, missing_or_damaged_entries_are_named) {
  const Json good = qzo::config::effective_json(load());
  Json missing = good;
  missing["zo"].erase("floor");
  Json wrong = good;
  wrong["train"]["batch_size"]["value"] = "many";
  Json bare = good;
  bare["train"]["batch_size"] = 16;
  for (const auto& [json, part] :
       {std::pair{missing, "\"zo.floor\" is missing in C"}, std::pair{wrong, "\"train.batch_size\" (C) is the string"},
        std::pair{bare, "\"train.batch_size\" is missing in C"}}) {
    try {
      qzo::config::from_effective_json(json, "C");
      ADD_FAILURE() << part;
    } catch (const qzo::core::UserError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(qzo::config::from_effective_json(Json::array(), "C"), qzo::core::UserError);
}

TEST(TrajectoryHash, follows_what_changes_the_scales_only) {
  const auto hash = [](const std::vector<std::string>& overrides) {
    return qzo::config::trajectory_hash(load(overrides).values);
  };
  const auto base = hash({});
  for (const char* same : {"model.threads=2", "output.dir=elsewhere", "train.log_every=7", "train.save_every=3",
                           "zo.signs=sequential", "train.max_tokens_per_pass=4096", "train.steps=7"}) {
    EXPECT_EQ(hash({same}), base) << same;
  }
  for (const char* other : {"train.lr=0.2", "train.seed=1", "zo.eps=0.1", "zo.clip=2", "zo.include=[\"a\"]",
                            "data.num_train=999", "task.prompt={b}", "model.precision=bf16", "train.batch_size=8"}) {
    EXPECT_NE(hash({other}), base) << other;
  }
  EXPECT_NE(hash({"train.schedule=linear", "train.steps=7"}), hash({"train.schedule=linear", "train.steps=8"}));
}

TEST(TrajectoryDifferences, name_key_and_both_values) {
  const auto found =
      qzo::config::trajectory_differences(load({"train.lr=0.2", "model.threads=2"}).values, load().values);
  EXPECT_EQ(found, std::vector<std::string>{"train.lr: 0.2 there, 0.1 here"});
}

}  // namespace
