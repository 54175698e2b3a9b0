#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "qzo/cli/table.h"
#include "qzo/core/check.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"
#include "qzo/ops/threads.h"
#include "qzo/optim/registry.h"

#include "cli/bench.h"

namespace qzo::cli {
namespace {

using core::text;

constexpr std::int64_t kRows = 2048, kColumns = 1024;  // a projection of a small transformer

// Weights and gradients that all contenders share, and the states of LibTorch's AdamW.
struct Model {
  explicit Model(std::int64_t params) {
    for (std::int64_t made = 0; made < params; made += kRows * kColumns) {
      weights.push_back(at::randn({kRows, kColumns}));
      gradients.push_back(at::randn({kRows, kColumns}));
      average.push_back(at::zeros({kRows, kColumns}));
      square.push_back(at::zeros({kRows, kColumns}));
      step.push_back(at::ones({}));
    }
  }
  [[nodiscard]] optim::ParameterGroup group() const {
    optim::ParameterGroup group;
    group.weight_decay = 0.01;
    for (std::size_t i = 0; i < weights.size(); ++i)
      group.parameters.push_back({text("w", i),
                                  {kRows, kColumns},
                                  core::Dtype::kF32,
                                  weights[i].data_ptr<float>(),
                                  core::Dtype::kF32,
                                  gradients[i].data_ptr<float>()});
    return group;
  }
  [[nodiscard]] std::int64_t params() const { return static_cast<std::int64_t>(weights.size()) * kRows * kColumns; }
  void torch_step() {
    at::_fused_adamw_(weights, gradients, average, square, {}, step, 1e-3, 0.9, 0.999, 0.01, 1e-8, false, false);
  }

  std::vector<at::Tensor> weights, gradients, average, square, step;
};

// Bytes a parameter that a step moves at least: fp32 weights in and out, gradients, states in and out, and what a
// second pass must read again: gradients, and rank-1 second moments too. Adafactor's clipping makes it three passes.
double least_traffic(const std::string& name, double state_bytes) {
  const double once = 12 + 2 * state_bytes;
  if (name == "adamw4bit_rank1") return once + 4.5;
  if (name == "factor4bit") return once + 4;
  return name.starts_with("adafactor") ? once + 12 : once;
}

// Threads of the pool that worked last wait for more by spinning, some milliseconds long, on the cores that the other
// pool's need: each is measured when both sleep.
double rested_seconds_of(const std::function<void()>& work) {
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  return seconds_of(work);
}

// GB/s of w += g over the model, 12 bytes a parameter: the traffic of a step without its arithmetic.
double update_bandwidth(Model& model) {
  constexpr std::int64_t kPieces = 16, kPiece = kRows * kColumns / kPieces;
  double least = 1e9;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const double seconds = seconds_of([&] {
      core::parallel_for(static_cast<std::int64_t>(model.weights.size()) * kPieces, [&](std::int64_t piece, int) {
        const auto tensor = static_cast<std::size_t>(piece / kPieces);
        float* w = model.weights[tensor].data_ptr<float>() + piece % kPieces * kPiece;
        const float* g = model.gradients[tensor].const_data_ptr<float>() + piece % kPieces * kPiece;
        for (std::int64_t i = 0; i < kPiece; ++i) w[i] += g[i];
      });
    });
    least = std::min(least, seconds);
  }
  return 12e-9 * static_cast<double>(model.params()) / least;
}

class Bench {
 public:
  explicit Bench(const BenchArguments& arguments) : arguments_(arguments) {}

  void run(Model& model, int threads) {
    ops::configure_threads(threads);
    at::set_num_threads(threads);  // only here: elsewhere LibTorch works within one piece of ours
    const double bandwidth = update_bandwidth(model);
    bandwidths_.push_back({{"params", model.params()}, {"threads", threads}, {"update_gbytes", bandwidth}});
    std::cout << text(fixed(static_cast<double>(model.params()) / 1e6, 1), " M parameters, ", threads,
                      " threads, copy ", fixed(bandwidth, 1), " GB/s\n");
    Table table({"optimizer", "ms", "spread", "torch fused", "/ torch", "bytes/param", "of the floor", "check"});
    const auto names = arguments_.optimizers.empty() ? optim::optimizer_names() : arguments_.optimizers;
    for (const std::string& name : names) measure(model, name, threads, bandwidth, table);
    std::cout << table.str() << std::flush;
  }

  [[nodiscard]] core::Json result() const { return {{"results", results_}, {"bandwidths", bandwidths_}}; }

 private:
  void measure(Model& model, const std::string& name, int threads, double bandwidth, Table& table) {
    const auto optimizer = optim::make_optimizer(name, {model.group()});
    std::vector<double> ours, torch, check;
    for (int i = -1; i < arguments_.repeats; ++i) {  // in turn, so that a disturbance meets all; the first warms up
      const double b = rested_seconds_of([&] { model.torch_step(); });
      const double a = rested_seconds_of([&] { optimizer->step(); });
      // What step_if_finite() does before; neither step looks.
      const double c = rested_seconds_of([&] { QZO_CHECK(optimizer->gradients_finite()); });
      if (i < 0) continue;
      ours.push_back(a);
      torch.push_back(b);
      check.push_back(c);
    }
    const Spread mine = spread_of(ours), other = spread_of(torch);
    const double checked = spread_of(check).median;
    const auto params = static_cast<double>(model.params());
    const double floor = least_traffic(name, optimizer->bytes_per_parameter()) * params / (bandwidth * 1e9);
    table.add({name, fixed(mine.median * 1e3, 1), text(fixed(mine.least * 1e3, 1), "-", fixed(mine.most * 1e3, 1)),
               fixed(other.median * 1e3, 1), fixed(mine.median / other.median, 2),
               fixed(optimizer->bytes_per_parameter(), 3), fixed(floor / mine.median, 2), fixed(checked * 1e3, 1)});
    results_.push_back({{"optimizer", name},
                        {"params", model.params()},
                        {"threads", threads},
                        {"ms", mine.median * 1e3},
                        {"torch_fused_adamw_ms", other.median * 1e3},
                        {"ratio_to_torch_fused_adamw", mine.median / other.median},
                        {"bytes_per_param", optimizer->bytes_per_parameter()},
                        {"share_of_bandwidth_floor", floor / mine.median},
                        {"finite_check_ms", checked * 1e3}});
  }

  const BenchArguments& arguments_;
  core::Json results_ = core::Json::array(), bandwidths_ = core::Json::array();
};

}  // namespace

core::Json bench_optim(const BenchArguments& arguments) {
  const c10::NoGradGuard no_grad;
  Bench bench(arguments);
  ops::configure_threads(0);
  std::vector<int> threads = arguments.threads;
  if (threads.empty()) {
    threads = {1};
    if (core::thread_count() > 1) threads.push_back(core::thread_count());
  }
  for (const int millions : arguments.params.empty() ? std::vector<int>{25, 500} : arguments.params) {
    Model model(std::int64_t{millions} * 1000000);
    for (const int count : threads) bench.run(model, count);
  }
  return bench.result();
}

}  // namespace qzo::cli
