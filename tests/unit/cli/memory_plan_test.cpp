#include "qzo/cli/memory_plan.h"

#include <gtest/gtest.h>

namespace {

using namespace qzo::cli;

MemoryInputs llama_7b() {
  MemoryInputs inputs;
  inputs.runtime_bytes = 100 << 20;
  inputs.mapped_bytes = 3'900'000'000;
  inputs.master_bytes = 200'000'000;
  inputs.model.hidden = 4096;
  inputs.model.intermediate = 11008;
  inputs.model.heads = inputs.model.kv_heads = 32;
  inputs.model.head_dim = 128;
  inputs.batch_size = 16;
  for (int length = 300; length > 0; --length) inputs.lengths.push_back(length);
  return inputs;
}

std::uint64_t activations(const MemoryInputs& inputs) {
  for (const MemoryRow& row : plan_memory(inputs).rows) {
    if (row.component == "activations of a pass") return row.bytes;
  }
  return 0;
}

TEST(MemoryPlan, activations_are_those_of_the_longest_batch_with_both_signs) {
  const std::uint64_t tokens = (300 + 285) * 16 / 2;
  const std::uint64_t floats = 2 * 4096 + 2 * 11008 + 4096;
  EXPECT_EQ(activations(llama_7b()), 2 * tokens * floats * 4);
}

TEST(MemoryPlan, sequential_signs_halve_activations) {
  MemoryInputs inputs = llama_7b();
  inputs.stacked_signs = false;
  EXPECT_EQ(2 * activations(inputs), activations(llama_7b()));
}

TEST(MemoryPlan, a_pass_is_limited_but_holds_at_least_one_example) {
  MemoryInputs inputs = llama_7b();
  inputs.max_tokens_per_pass = 600;
  const std::uint64_t limited = activations(inputs);
  inputs.max_tokens_per_pass = 1;
  EXPECT_EQ(2 * activations(inputs), limited);
  inputs.lengths.clear();
  EXPECT_EQ(activations(inputs), 0u);
}

TEST(MemoryPlan, what_all_prompts_begin_with_is_counted_once) {
  MemoryInputs inputs = llama_7b();
  inputs.lengths.assign(300, 100);
  inputs.common_tokens = 20;
  const std::uint64_t shared = activations(inputs);
  inputs.common_tokens = 0;
  EXPECT_EQ(shared * 1600, activations(inputs) * (1600 - 15 * 20));
}

TEST(MemoryPlan, total_is_the_sum_of_the_rows) {
  std::uint64_t sum = 0;
  for (const MemoryRow& row : plan_memory(llama_7b()).rows) sum += row.bytes;
  EXPECT_EQ(plan_memory(llama_7b()).total(), sum);
  EXPECT_GT(sum, 4'200'000'000u);
}

TEST(Remedies, each_saves_what_it_says_and_the_largest_comes_first) {
  const auto remedies = memory_remedies(llama_7b());
  ASSERT_EQ(remedies.size(), 3u);
  for (std::size_t i = 1; i < remedies.size(); ++i) EXPECT_GE(remedies[i - 1].saving, remedies[i].saving);
  MemoryInputs sequential = llama_7b();
  sequential.stacked_signs = false;
  const std::uint64_t saving = plan_memory(llama_7b()).total() - plan_memory(sequential).total();
  bool found = false;
  for (const Remedy& remedy : remedies)
    found = found || (remedy.change.starts_with("zo.signs") && remedy.saving == saving);
  EXPECT_TRUE(found);
}

TEST(MemoryText, says_whether_it_fits_and_what_helps) {
  EXPECT_NE(memory_text(llama_7b(), 100'000'000'000).find("OK"), std::string::npos);
  const std::string text = memory_text(llama_7b(), 4'500'000'000);
  EXPECT_NE(text.find("NOT ENOUGH"), std::string::npos);
  EXPECT_NE(text.find("zo.signs \"sequential\""), std::string::npos);
  EXPECT_NE(text.find("short of"), std::string::npos);
}

}  // namespace
