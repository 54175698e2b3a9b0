#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qzo/cli/model_text.h"
#include "qzo/cli/progress.h"
#include "qzo/cli/result_text.h"
#include "qzo/cli/scale_statistics.h"
#include "qzo/cli/table.h"

namespace {

using namespace qzo::cli;

TEST(Table, aligns_and_counts_characters_not_bytes) {
  Table table({"name", "n"});
  table.add({"a", "1000"});
  table.add({"±±", "7"});
  EXPECT_EQ(table.str(), "name     n\na     1000\n±±       7\n");
}

TEST(Table, remarks_in_the_last_column_are_left_aligned) {
  Table table({"a", "n", "remark"}, LastColumn::kRemarks);
  table.add({"b", "10", "long remark"});
  EXPECT_EQ(table.str(), "a   n  remark\nb  10  long remark\n");
}

TEST(Numbers, formats) {
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-1000), "-1,000");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(percent(0.5), "50.0 %");
  EXPECT_EQ(fixed(std::nan(""), 2), "nan");
  EXPECT_EQ(fixed(-std::nan(""), 2), "nan");
  EXPECT_EQ(short_number(1.2345e-7), "1.23e-07");
}

TEST(NameClass, numbers_become_stars) {
  EXPECT_EQ(name_class("model.layers.12.self_attn.q_proj"), "model.layers.*.self_attn.q_proj");
  EXPECT_EQ(name_class("blk.0.attn_q"), "blk.*.attn_q");
  EXPECT_EQ(name_class("lm_head"), "lm_head");
  EXPECT_EQ(name_class("h1.w2"), "h1.w2");
}

TEST(ScaleStatistics, counts_and_quantiles) {
  ScaleStatistics statistics;
  std::vector<float> scales;
  for (int i = 1; i <= 1000; ++i) scales.push_back(static_cast<float>(i % 3 == 0 ? -i : i));
  scales.push_back(0.0f);
  statistics.add(scales);
  EXPECT_EQ(statistics.count(), 1001);
  EXPECT_EQ(statistics.zeros(), 1);
  EXPECT_EQ(statistics.negatives(), 333);
  EXPECT_EQ(statistics.minimum(), 0);
  EXPECT_EQ(statistics.maximum(), 1000);
  EXPECT_NEAR(statistics.quantile(0.5), 500, 500.0 / 128);
  EXPECT_NEAR(statistics.quantile(0.99), 990, 990.0 / 128);
  EXPECT_NEAR(statistics.share_below(100), 0.1, 0.01);
  EXPECT_EQ(ScaleStatistics().quantile(0.5), 0);
}

qzo::train::StepProgress some_progress() {
  qzo::train::StepProgress progress;
  progress.step = 3;
  progress.steps = 10;
  progress.loss = 0.5;
  progress.d = -1.25;
  progress.lr = 1e-7;
  progress.dev_loss = 0.25;
  progress.dev_accuracy = 0.75;
  progress.steps_per_second = 2;
  progress.tokens_per_second = 2500;
  progress.seconds_left = 3.5;
  return progress;
}

TEST(StepLine, shows_what_matters_and_never_hides_nan) {
  auto progress = some_progress();
  std::string line = step_line(progress, 1'000'000);
  for (const char* part : {"step 3/10", "loss 0.5000", "d -1.25", "lr 1e-07", "dev loss 0.2500", "acc 75.0 %",
                           "2 steps/s", "2.5k tokens/s"}) {
    EXPECT_NE(line.find(part), std::string::npos) << part << " in " << line;
  }
  EXPECT_EQ(line.find("skipped"), std::string::npos);
  progress.loss = std::numeric_limits<double>::quiet_NaN();
  progress.skipped = 2;
  line = step_line(progress, 0);
  EXPECT_NE(line.find("loss nan"), std::string::npos);
  EXPECT_NE(line.find("skipped 2"), std::string::npos);
}

TEST(Progress, a_pipe_gets_no_step_lines_but_evaluations_and_messages) {
  std::ostringstream out;
  {
    ProgressReporter reporter(out, ProgressStyle::kPlain, 80);
    reporter.on_message("resumed");
    reporter.on_step(some_progress());
    reporter.on_evaluation_progress(3, 0.5);
    reporter.on_evaluation(3, {100, 0.75, 0.04, 0.5, 0.01, 0.8}, true);
  }
  EXPECT_EQ(out.str(),
            "resumed\nstep 3  dev accuracy 75.0 ± 4.0 %  loss 0.5000 ± 0.0100  AUC 0.8000  (n = 100)  best so far\n");
}

TEST(Progress, a_terminal_gets_one_line_that_is_cut_to_its_width_and_cleared) {
  std::ostringstream out;
  {
    ProgressReporter reporter(out, ProgressStyle::kTerminal, 20);
    reporter.on_step(some_progress());
    reporter.on_message("hello");
    auto last = some_progress();
    last.step = last.steps;
    reporter.on_step(last);
  }
  EXPECT_EQ(out.str(), "\r" + step_line(some_progress(), 0).substr(0, 19) +
                           "\x1b[K\r\x1b[Khello\n\rstep 10/10  loss 0." + "\x1b[K\r\x1b[K");
}

TEST(Progress, loading_is_shown_once_it_takes_long) {
  std::ostringstream out;
  ProgressReporter reporter(out, ProgressStyle::kTerminal, 80);
  const auto later = loading_progress(reporter, std::chrono::hours(1));
  later(1, 4);
  later(4, 4);
  EXPECT_EQ(out.str(), "");
  const auto at_once = loading_progress(reporter, std::chrono::milliseconds(0));
  at_once(1, 4);
  at_once(4, 4);
  EXPECT_EQ(out.str(), "\rloading weights: 25 %\x1b[K\r\x1b[K");
}

TEST(Progress, quiet_says_nothing_and_json_says_everything) {
  std::ostringstream quiet, json;
  for (auto [stream, style] : {std::pair{&quiet, ProgressStyle::kQuiet}, std::pair{&json, ProgressStyle::kJson}}) {
    ProgressReporter reporter(*stream, style, 80);
    reporter.on_message("m");
    reporter.on_step(some_progress());
    reporter.on_evaluation(3, {100, 0.75, 0.04, std::nan(""), 0.01, 0.8}, false);
  }
  EXPECT_EQ(quiet.str(), "");
  std::istringstream lines(json.str());
  std::vector<qzo::core::Json> events;
  for (std::string line; std::getline(lines, line);) events.push_back(qzo::core::Json::parse(line));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1]["step"], 3);
  EXPECT_EQ(events[2]["loss"], "nan");
}

TEST(ResultText, table_and_label_bias) {
  qzo::train::LoopResult result;
  result.zero_shot = {500, 0.5, 0.02, 1.2, 0.01, 0.76};
  result.best = {500, 0.7, 0.02, 0.6, 0.01, 0.8};
  result.best_step = 200;
  result.steps_done = 300;
  HeldOut held_out{"test", {800, 0.51, 0.02, 1.2, 0.01, 0.76}, {800, 0.71, 0.02, 0.6, 0.01, 0.81}, 0.69};
  const std::string text = result_text(result, 300, 2'000'000, &held_out);
  for (const char* part : {"dev, best (step 200)", "test, tuned", "71.0 ± 2.0 %", "0.8100", "69.0 %",
                           "300 of 300 steps", "planned 2.0 MB"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
  EXPECT_EQ(held_out_json(held_out)["tuned"]["accuracy"], 0.71);
}

}  // namespace
