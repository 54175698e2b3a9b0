// The CUDA kernels' bodies on the host: blocks, phases, threads in shuffled order, shared memory poisoned before each
// block; bits of the CPU kernels.

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "qzo/core/error.h"
#include "qzo/optim/state_codec.h"

#include "cuda/optim_adamw_args.h"

namespace qzo::optim {
namespace {

namespace cuda = kernels::cuda;

std::mt19937 order_random(9);

template <class Body>
void for_each_thread(const Body& body) {
  std::vector<int> order(cuda::kThreads);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), order_random);
  for (const int thread : order) body(thread);
}

void run_block(const cuda::AdamwArgs& args, std::int64_t block) {
  cuda::AdamwShared shared;
  std::fill_n(shared.most_m, cuda::kThreads, std::numeric_limits<float>::quiet_NaN());
  std::fill_n(shared.most_v, cuda::kThreads, std::numeric_limits<float>::quiet_NaN());
  std::vector<cuda::AdamwThread> own(cuda::kThreads);
  for_each_thread([&](int t) { cuda::update_thread(args, block, t, own[static_cast<std::size_t>(t)], shared); });
  for (int stride = cuda::kThreads / 2; stride > 0; stride /= 2)
    for_each_thread([&](int t) { cuda::reduce_thread(t, stride, shared); });
  for_each_thread([&](int t) { cuda::encode_thread(args, block, t, own[static_cast<std::size_t>(t)], shared); });
}

// As the launcher does.
void emulate(const kernels::AdamwTensor& tensor, const kernels::AdamwRule& rule) {
  std::vector<float> scratch(static_cast<std::size_t>(cuda::adamw_scratch({&tensor, 1})));
  const cuda::AdamwArgs args = cuda::adamw_args(tensor, rule, scratch.data());
  std::vector<std::int64_t> blocks(static_cast<std::size_t>((args.count + cuda::kElements - 1) / cuda::kElements));
  std::iota(blocks.begin(), blocks.end(), 0);
  std::shuffle(blocks.begin(), blocks.end(), order_random);
  const auto raise = [](float* scale, float value) { *scale = std::max(*scale, value); };
  if (args.axes > 0)
    for (const std::int64_t block : blocks) for_each_thread([&](int t) { cuda::raise_thread(args, block, t, raise); });
  for (const std::int64_t block : blocks) run_block(args, block);
  std::copy(scratch.begin(), scratch.end(), args.axes > 0 ? args.v_scales : scratch.data());
}

struct Model {
  Model(const kernels::StateCodec& codec, const std::vector<std::int64_t>& of)
      : shape(of), m("m", kSigned4, of), v("v", codec, of) {
    std::int64_t count = 1;
    for (const std::int64_t dimension : of) count *= dimension;
    theta.assign(static_cast<std::size_t>(count), 1.0F);
  }
  kernels::AdamwTensor tensor(const std::vector<float>& g) {
    kernels::AdamwTensor made;
    made.parameter = {
        static_cast<std::int64_t>(theta.size()), core::Dtype::kF32, theta.data(), core::Dtype::kF32, g.data(), 0};
    made.m = m.view();
    made.v = v.view();
    made.decay = 0.999;
    made.step = 0.01;
    made.root = 2;
    return made;
  }
  std::vector<std::int64_t> shape;
  std::vector<float> theta;
  StateTensor m, v;
};

TEST(CudaEmulation, bits_of_the_cpu) {
  const std::vector<std::pair<kernels::StateCodec, std::vector<std::int64_t>>> cases = {
      {kBlockLinear4, {1}},       {kBlockLinear4, {127}},       {kBlockLinear4, {128}},  {kBlockLinear4, {129}},
      {kBlockLinear4, {60, 71}},  {kRank1Linear4, {257}},       {kRank1Linear4, {1, 1}}, {kRank1Linear4, {67, 73}},
      {kRank1Linear4, {12, 256}}, {kRank1Linear4, {5, 3, 7, 9}}};
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const auto& [codec, shape] : cases) {
    Model cpu(codec, shape), emulated(codec, shape);
    std::vector<float> g(cpu.theta.size());
    for (int step = 0; step < 4; ++step) {
      for (std::size_t i = 0; i < g.size(); ++i) g[i] = i % 300 < 140 ? 0 : normal(random);
      const kernels::AdamwTensor tensor = cpu.tensor(g);
      kernels::adamw_step({&tensor, 1}, {}, {});
      emulate(emulated.tensor(g), {});
      SCOPED_TRACE(::testing::PrintToString(shape) + " step " + std::to_string(step));
      ASSERT_EQ(emulated.theta, cpu.theta);
      for (const auto state : {&Model::m, &Model::v}) {
        const auto want = (cpu.*state).parts(), found = (emulated.*state).parts();
        for (std::size_t part = 0; part < want.size(); ++part)
          ASSERT_TRUE(std::ranges::equal(found[part].bytes, want[part].bytes)) << want[part].suffix;
      }
    }
  }
}

TEST(CudaEmulation, other_states_are_refused) {
  Model eight(kUnsigned8, {300});
  const std::vector<float> g(300);
  EXPECT_FALSE(cuda::supports_adamw(eight.tensor(g)));
  EXPECT_THROW((void)cuda::adamw_args(eight.tensor(g), {}, nullptr), core::InternalError);
}

}  // namespace
}  // namespace qzo::optim
