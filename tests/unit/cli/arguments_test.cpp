#include "qzo/cli/arguments.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qzo/cli/bench_arguments.h"
#include "qzo/core/error.h"

namespace {

template <class Parse>
auto parse(Parse function, std::vector<const char*> words) {
  words.insert(words.begin(), "program");
  return function(static_cast<int>(words.size()), words.data());
}

template <class Parse>
std::string error_of(Parse function, const std::vector<const char*>& words) {
  try {
    parse(function, words);
  } catch (const qzo::core::UserError& error) {
    return error.what();
  }
  return "";
}

TEST(TrainArguments, set_is_repeatable_and_takes_one_value_each) {
  const auto arguments = parse(qzo::cli::parse_train, {"--config", "a.json", "--set", "zo.eps=1", "--set",
                                                       "zo.include=[\"a\",\"b\"]", "--resume", "auto", "--dry-run"});
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->config, "a.json");
  EXPECT_EQ(arguments->overrides, (std::vector<std::string>{"zo.eps=1", "zo.include=[\"a\",\"b\"]"}));
  EXPECT_EQ(arguments->resume, "auto");
  EXPECT_TRUE(arguments->dry_run);
}

TEST(TrainArguments, describe_takes_a_key_or_none) {
  EXPECT_EQ(parse(qzo::cli::parse_train, {"--describe"})->describe, "");
  EXPECT_EQ(parse(qzo::cli::parse_train, {"--describe", "zo"})->describe, "zo");
  EXPECT_FALSE(parse(qzo::cli::parse_train, {"--schema"})->describe);
  EXPECT_TRUE(parse(qzo::cli::parse_train, {"--config", "a", "--no-held-out"})->no_held_out);
}

TEST(TrainArguments, wrong_usage) {
  EXPECT_NE(error_of(qzo::cli::parse_train, {}).find("--config RECIPE.json is missing"), std::string::npos);
  EXPECT_NE(error_of(qzo::cli::parse_train, {"--confg", "a"}).find("qzo-train --help"), std::string::npos);
  EXPECT_NE(error_of(qzo::cli::parse_train, {"--config"}), "");
  EXPECT_NE(error_of(qzo::cli::parse_train, {"--config", "a", "--resume", "runs/a"}).find("leave out --config"),
            std::string::npos);
  EXPECT_EQ(error_of(qzo::cli::parse_train, {"--resume", "runs/a"}), "");
  EXPECT_NE(error_of(qzo::cli::parse_train, {"--resume", "auto"}), "");
  EXPECT_NE(error_of(qzo::cli::parse_train, {"a.json"}).find("a recipe is given as --config FILE"), std::string::npos);
}

TEST(EvalArguments, outputs_need_a_folder_before_anything_is_scored) {
  EXPECT_NE(error_of(qzo::cli::parse_eval, {"--model", "m", "--json", "nowhere/a.json"}).find("there is no folder"),
            std::string::npos);
  EXPECT_EQ(error_of(qzo::cli::parse_eval, {"--model", "m", "--json", "a.json"}), "");
}

TEST(EvalArguments, split_or_own_example) {
  EXPECT_EQ(parse(qzo::cli::parse_eval, {"--model", "m"})->split, "test");
  EXPECT_EQ(parse(qzo::cli::parse_eval, {"--model", "m", "--text", ""})->text, "");
  EXPECT_EQ(parse(qzo::cli::parse_eval, {"--model", "m", "--field", "a=1", "--field", "b=2"})->fields.size(), 2u);
  EXPECT_NE(error_of(qzo::cli::parse_eval, {"--model", "m", "--split", "all"}), "");
  EXPECT_NE(error_of(qzo::cli::parse_eval, {"--model", "m", "--text", "a", "--field", "a=1"}), "");
  EXPECT_NE(error_of(qzo::cli::parse_eval, {"--model", "m", "--text", "a", "--split", "dev"}), "");
  EXPECT_NE(error_of(qzo::cli::parse_eval, {}), "");
}

TEST(InspectArguments, number_of_paths) {
  EXPECT_EQ(parse(qzo::cli::parse_inspect, {"a"})->paths.size(), 1u);
  EXPECT_EQ(parse(qzo::cli::parse_inspect, {"--diff", "a", "b"})->paths.size(), 2u);
  EXPECT_TRUE(parse(qzo::cli::parse_inspect, {"--machine"})->machine);
  for (const std::vector<const char*>& wrong : std::vector<std::vector<const char*>>{
           {}, {"a", "b"}, {"--diff", "a"}, {"--machine", "a"}, {"--machine", "--diff"}}) {
    EXPECT_NE(error_of(qzo::cli::parse_inspect, wrong), "");
  }
}

TEST(ReplayArguments, outputs_and_their_conditions) {
  const auto arguments = parse(qzo::cli::parse_replay, {"base", "run", "out", "--step", "7"});
  EXPECT_EQ(arguments->out, "out");
  EXPECT_EQ(arguments->step, 7u);
  EXPECT_EQ(parse(qzo::cli::parse_replay, {"--trajectory", "t", "base", "run"})->trajectory, "t");
  EXPECT_FALSE(parse(qzo::cli::parse_replay, {"base", "run", "out"})->step);
  EXPECT_NE(error_of(qzo::cli::parse_replay, {"base", "run"}), "");
  EXPECT_NE(error_of(qzo::cli::parse_replay, {"base", "run", "--trajectory", "t", "--verify"}), "");
  EXPECT_NE(error_of(qzo::cli::parse_replay, {"base", "run", "out", "--verify", "--step", "3"}), "");
  EXPECT_NE(error_of(qzo::cli::parse_replay, {"base", "run", "out", "--step", "x"}), "");
}

TEST(AllPrograms, help_and_version_end_without_error) {
  testing::internal::CaptureStdout();
  EXPECT_FALSE(parse(qzo::cli::parse_train, {"--help"}));
  EXPECT_FALSE(parse(qzo::cli::parse_eval, {"--help"}));
  EXPECT_FALSE(parse(qzo::cli::parse_inspect, {"--version"}));
  EXPECT_FALSE(parse(qzo::cli::parse_replay, {"-h"}));
  const std::string printed = testing::internal::GetCapturedStdout();
  EXPECT_NE(printed.find("--dry-run"), std::string::npos);
  EXPECT_NE(printed.find("qzo-eval"), std::string::npos);
}

TEST(BenchArguments, optim) {
  const auto none = parse(qzo::cli::parse_bench, {"optim"});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->benchmark, qzo::cli::Benchmark::kOptim);
  EXPECT_TRUE(none->optimizers.empty() && none->params.empty() && none->threads.empty());
  const auto some = parse(qzo::cli::parse_bench,
                          {"optim", "--optimizer", "sm3", "--optimizer", "adamw32", "--params", "3", "--threads", "2",
                           "--threads", "1", "--repeats", "5", "--json", "a.json", "--any-load"});
  ASSERT_TRUE(some);
  EXPECT_EQ(some->optimizers, (std::vector<std::string>{"sm3", "adamw32"}));
  EXPECT_EQ(some->params, std::vector<int>{3});
  EXPECT_EQ(some->threads, (std::vector<int>{2, 1}));
  EXPECT_EQ(some->repeats, 5);
  EXPECT_EQ(some->json, "a.json");
  EXPECT_TRUE(some->any_load);
}

TEST(BenchArguments, states_need_a_shape) {
  const auto states = parse(qzo::cli::parse_bench, {"states", "--shape", "llama-2-7b", "--optimizer", "factor4bit"});
  ASSERT_TRUE(states);
  EXPECT_EQ(states->benchmark, qzo::cli::Benchmark::kStates);
  EXPECT_EQ(states->shape, "llama-2-7b");
  EXPECT_NE(error_of(qzo::cli::parse_bench, {"states"}).find("--shape"), std::string::npos);
}

TEST(BenchArguments, optim_refuses_what_it_does_not_know) {
  EXPECT_NE(error_of(qzo::cli::parse_bench, {"optim", "--optimizer", "adam5bit"}).find("adam5bit"), std::string::npos);
  EXPECT_NE(error_of(qzo::cli::parse_bench, {"optim", "--params", "0"}).find("--params"), std::string::npos);
  EXPECT_NE(error_of(qzo::cli::parse_bench, {"optim", "--repeats", "1"}).find("--repeats"), std::string::npos);
  EXPECT_NE(error_of(qzo::cli::parse_bench, {"optim", "--rows", "4"}).find("--rows"), std::string::npos);
}

}  // namespace
