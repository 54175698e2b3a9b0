// Whole QZO steps of a quantized Llama, with every allocation of this program counted: once the largest batch has been
// seen, a step takes no new memory for activations, prepared rows, scales, noise or logits. What remains is small (the
// lists of rows of a batch) and is given back.

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "qzo/objectives/classification.h"
#include "qzo/zo/qzo.h"

#include "unit/models/tiny_llama.h"

namespace {

// Activations of the batches below take 64 KiB and more, lists of their rows less than 16.
constexpr std::size_t kLarge = std::size_t{16} << 10;
std::atomic<bool> counting{false};
std::atomic<std::int64_t> all{0}, large{0};

void count(std::size_t bytes) {
  if (!counting.load(std::memory_order_relaxed)) return;
  ++all;
  if (bytes >= kLarge) ++large;
}

}  // namespace

// glibc's functions under their other names; those of the C++ library and of LibTorch end here as well.
extern "C" {
void* __libc_malloc(std::size_t bytes);                     // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t bytes);  // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t bytes);      // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t to, std::size_t bytes);   // NOLINT(bugprone-reserved-identifier)

void* malloc(std::size_t bytes) noexcept {
  count(bytes);
  return __libc_malloc(bytes);
}
void* calloc(std::size_t number, std::size_t bytes) noexcept {
  count(number * bytes);
  return __libc_calloc(number, bytes);
}
void* realloc(void* memory, std::size_t bytes) noexcept {
  count(bytes);
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t to, std::size_t bytes) noexcept {
  count(bytes);
  return __libc_memalign(to, bytes);
}
int posix_memalign(void** memory, std::size_t to, std::size_t bytes) noexcept {
  count(bytes);
  *memory = __libc_memalign(to, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
}

namespace qzo::objectives {
namespace {

using tasks::Example;

// Sixteen different prompts of `tokens` tokens.
std::vector<Example> batch_of(std::int32_t tokens) {
  std::vector<Example> batch;
  for (std::int32_t i = 0; i < 16; ++i) {
    Example example{{i}, {{4}, {5}}, i % 2, 1};
    for (std::int32_t t = 1; t < tokens; ++t) example.prompt.push_back((i * 7 + t * t) % 40);
    batch.push_back(example);
  }
  return batch;
}

void expect_steady_state(ops::Precision precision) {
  io::testing::TempFolder folder;
  const io::Checkpoint checkpoint = models::testing::TinyLlama().write(folder.path());
  const std::unique_ptr<models::CausalLm> model = models::load_causal_lm(checkpoint);
  models::select_trainable(*model, {"*"}, {});
  std::vector<zo::TrainableScales> scales;
  for (quant::PackedWeight* weight : model->weights())
    if (weight->trainable) scales.push_back({weight->name, weight->tensor_id, weight->scales, false, {}});
  Classification objective(*model, {.precision = precision});
  const std::vector<Example> long_batch = batch_of(40), short_batch = batch_of(33);
  std::uint64_t step = 0;
  const auto take = [&](const std::vector<Example>& batch) {
    const auto records = zo::qzo_step({.eps = 1e-3, .seed = 7}, ++step, 1e-4, scales,
                                      [&](const kernels::Probe& probe) { return objective.loss(batch, probe); });
    ASSERT_FALSE(records.front().skipped);
  };

  counting = true;
  take(long_batch);
  EXPECT_GT(large, 0) << "the first step must be seen to allocate";
  take(short_batch);
  std::int64_t of_a_step[2];
  for (std::int64_t& own : of_a_step) {
    all = large = 0;
    take(long_batch);
    take(short_batch);
    own = all;
    EXPECT_EQ(large, 0) << "of " << all << " allocations";
  }
  counting = false;
  EXPECT_EQ(of_a_step[0], of_a_step[1]);
}

class SteadyState : public ::testing::TestWithParam<ops::Precision> {};

TEST_P(SteadyState, a_step_takes_no_new_memory) {
  std::thread([] { expect_steady_state(GetParam()); }).join();  // memory for results is kept for each thread
}

INSTANTIATE_TEST_SUITE_P(Precisions, SteadyState, ::testing::ValuesIn(ops::kAllPrecisions),
                         [](const auto& value) { return ops::precision_name(value.param); });

}  // namespace
}  // namespace qzo::objectives
