#include <algorithm>
#include <cstring>
#include <iostream>
#include <random>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "qzo/cli/table.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"
#include "qzo/kernels/cpu_features.h"
#include "qzo/ops/linear.h"
#include "qzo/ops/threads.h"

#include "cli/bench.h"

namespace qzo::cli {
namespace {

using core::text;

struct Shape {
  std::int64_t out, in;
};

struct Format {
  const char* name;
  kernels::Layout layout;
  std::int64_t group;
};

constexpr Format kFormats[] = {{"q4_1", kernels::Layout::kQ4_1, 32},
                               {"q4_0", kernels::Layout::kQ4_0, 32},
                               {"gptq", kernels::Layout::kGptq4, 32},
                               {"gptq", kernels::Layout::kGptq4, 128}};

// Random codes and scales; the zero points of GPTQ are symmetric (8).
struct SyntheticWeight {
  SyntheticWeight(const Format& format, Shape shape) {
    std::mt19937 random(1);
    const std::int64_t weights = shape.out * shape.in;
    const std::int64_t groups = (shape.in + format.group - 1) / format.group * shape.out;
    const std::int64_t header = format.layout == kernels::Layout::kQ4_1   ? 4
                                : format.layout == kernels::Layout::kQ4_0 ? 2
                                                                          : 0;
    codes.resize(static_cast<std::size_t>(weights / 2 + weights / 32 * header));
    for (std::size_t i = 0; i < codes.size(); i += 4) {
      const auto word = static_cast<std::uint32_t>(random());
      std::memcpy(codes.data() + i, &word, std::min<std::size_t>(4, codes.size() - i));
    }
    std::uniform_real_distribution<float> uniform(0.5F, 1.5F);
    for (auto* values : {&plus, &minus, &offsets}) {
      values->resize(static_cast<std::size_t>(groups));
      for (float& value : *values) value = uniform(random) / 64;
    }
    view = {.layout = format.layout,
            .out = shape.out,
            .in = shape.in,
            .group = format.group,
            .codes = codes.data(),
            .zero = format.layout == kernels::Layout::kGptq4 ? 8 : 0};
    chunks = kernels::make_chunk_plan(view);
  }
  [[nodiscard]] kernels::ScaleView scales(const std::vector<float>& values) const {
    return {values.data(), view.layout == kernels::Layout::kQ4_1 ? offsets.data() : nullptr};
  }

  std::vector<std::byte> codes;
  std::vector<float> plus, minus, offsets;
  kernels::CodeView view;
  kernels::ChunkPlan chunks;
};

double gflops(Shape shape, std::int64_t rows, double seconds) {
  return 2e-9 * static_cast<double>(shape.out) * static_cast<double>(shape.in) * static_cast<double>(rows) / seconds;
}

// Best of several: a ceiling, not a typical value.
double dense_peak(at::ScalarType dtype) {
  const at::Tensor x = at::randn({1024, 2048}).to(dtype), w = at::randn({2048, 2048}).to(dtype);
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) seconds.push_back(seconds_of([&] { at::linear(x, w); }));
  return gflops({2048, 2048}, 1024, spread_of(seconds).least);
}

struct Contender {
  std::string name;
  std::function<void()> work;
  std::vector<double> seconds;
};

// All contenders in turn, so that a disturbance meets them alike.
void measure(std::vector<Contender>& contenders, int repeats) {
  for (int i = -1; i < repeats; ++i) {
    for (Contender& one : contenders) {
      const double seconds = seconds_of(one.work);
      if (i >= 0) one.seconds.push_back(seconds);
    }
  }
}

class Bench {
 public:
  explicit Bench(const BenchArguments& arguments) : arguments_(arguments) {}

  void run(int threads) {
    ops::configure_threads(threads);
    at::set_num_threads(threads);  // only here: elsewhere LibTorch works within one piece of ours
    const double fp32 = dense_peak(at::kFloat), bf16 = dense_peak(at::kBFloat16), bandwidth = copy_bandwidth();
    peaks_.push_back(
        {{"threads", threads}, {"dense_fp32_gflops", fp32}, {"dense_bf16_gflops", bf16}, {"copy_gbytes", bandwidth}});
    std::cout << text(threads, " threads, ", kernels::isa_name(kernels::active_isa()),
                      ": dense at::linear 2048 x 2048 x 1024 fp32 ", fixed(fp32, 0), ", bf16 ", fixed(bf16, 0),
                      " GFLOP/s; copy ", fixed(bandwidth, 1), " GB/s\n");
    std::vector<Shape> shapes = {{576, 576}, {1536, 576}, {576, 1536}, {2048, 2048}, {5632, 2048}};
    if (!arguments_.quick) shapes.insert(shapes.end(), {{5120, 5120}, {13824, 5120}});
    Table table({"weight", "threads", "precision", "GFLOP/s", "spread", "/ dense bf16", "/ dense fp32"});
    for (const Shape shape : shapes) measure_shape(shape, threads, std::max(fp32, bf16), table);
    std::cout << table.str() << std::flush;
  }

  [[nodiscard]] core::Json result() const {
    return {{"results", results_}, {"peaks", peaks_}, {"rows", arguments_.rows}};
  }

 private:
  void measure_shape(Shape shape, int threads, double peak, Table& table) {
    const std::int64_t rows = arguments_.rows;
    const at::Tensor x = at::randn({rows, shape.in});
    const at::Tensor w = at::randn({shape.out, shape.in});
    const at::Tensor x16 = x.to(at::kBFloat16), w16 = w.to(at::kBFloat16);
    for (const Format& format : kFormats) {
      if (arguments_.quick && format.layout == kernels::Layout::kQ4_0) continue;
      const SyntheticWeight weight(format, shape);
      std::vector<Contender> contenders = {{"dense bf16", [&] { at::linear(x16, w16); }, {}},
                                           {"dense fp32", [&] { at::linear(x, w); }, {}}};
      for (const ops::Precision precision : chosen_precisions(arguments_)) {
        contenders.push_back({ops::precision_name(precision),
                              [&, precision] {
                                ops::quant_linear(x, weight.view, weight.scales(weight.plus),
                                                  weight.scales(weight.minus), rows / 2, {}, precision, weight.chunks);
                              },
                              {}});
      }
      measure(contenders, arguments_.quick ? 3 : arguments_.repeats);
      const double dense16 = spread_of(contenders[0].seconds).median, dense32 = spread_of(contenders[1].seconds).median;
      for (std::size_t i = 2; i < contenders.size(); ++i) {
        const Spread spread = spread_of(contenders[i].seconds);
        const double rate = gflops(shape, rows, spread.median);
        const std::string name = text(format.name, " g", format.group, " ", shape.out, " x ", shape.in);
        table.add({name, text(threads), contenders[i].name, fixed(rate, 0),
                   text(fixed(gflops(shape, rows, spread.most), 0), "-", fixed(gflops(shape, rows, spread.least), 0)),
                   fixed(dense16 / spread.median, 2), fixed(dense32 / spread.median, 2)});
        results_.push_back({{"format", format.name},
                            {"group", format.group},
                            {"shape", {shape.out, shape.in}},
                            {"rows", rows},
                            {"precision", contenders[i].name},
                            {"threads", threads},
                            {"gflops", rate},
                            {"ratio_to_dense_bf16", dense16 / spread.median},
                            {"ratio_to_dense_fp32", dense32 / spread.median},
                            {"share_of_peak", rate / peak}});
      }
    }
  }

  const BenchArguments& arguments_;
  core::Json results_ = core::Json::array(), peaks_ = core::Json::array();
};

}  // namespace

double copy_bandwidth() {
  constexpr std::int64_t kFloats = std::int64_t{32} << 20;
  const at::Tensor from = at::ones({kFloats}), to = at::empty({kFloats});
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) {
    seconds.push_back(seconds_of([&] {
      core::parallel_for(64, [&](std::int64_t piece, int) {
        const std::int64_t first = piece * (kFloats / 64);
        std::memcpy(to.data_ptr<float>() + first, from.const_data_ptr<float>() + first, kFloats / 64 * sizeof(float));
      });
    }));
  }
  return 2e-9 * kFloats * sizeof(float) / spread_of(seconds).least;
}

core::Json bench_kernels(const BenchArguments& arguments) {
  const c10::NoGradGuard no_grad;
  Bench bench(arguments);
  ops::configure_threads(0);
  const int all = core::thread_count();
  bench.run(1);
  if (all > 1 && !arguments.quick) bench.run(all);
  return bench.result();
}

}  // namespace qzo::cli
