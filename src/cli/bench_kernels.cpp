#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <iostream>
#include <random>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "qzo/cli/table.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"
#include "qzo/ops/linear.h"
#include "qzo/ops/threads.h"

#include "cli/bench.h"
#include "cli/bench_peaks.h"

namespace qzo::cli {
namespace {

using core::text;

struct Shape {
  std::int64_t out, in;
};

struct Format {
  const char* name;
  kernels::Layout layout;
  std::int64_t group;  // 0: one for each output
  std::int64_t bytes;  // of the codes of 256 weights, headers of blocks included
  std::int64_t block;  // rows are made of so many
  bool quick;
  std::int32_t books = 0, bits = 0;
};

constexpr Format kFormats[] = {{"q4_1", kernels::Layout::kQ4_1, 32, 160, 32, true},
                               {"q4_0", kernels::Layout::kQ4_0, 32, 144, 32, false},
                               {"gptq", kernels::Layout::kGptq4, 32, 128, 8, true},
                               {"gptq", kernels::Layout::kGptq4, 128, 128, 8, true},
                               {"gptq 2 bit", kernels::Layout::kGptq2, 128, 64, 32, false},
                               {"gptq 3 bit", kernels::Layout::kGptq3, 128, 96, 32, false},
                               {"gptq 8 bit", kernels::Layout::kGptq8, 128, 256, 8, false},
                               {"awq", kernels::Layout::kAwq4, 128, 128, 8, false},
                               {"compressed-tensors", kernels::Layout::kRows4, 128, 128, 8, false},
                               {"compressed-tensors 8 bit", kernels::Layout::kRows8, 128, 256, 8, false},
                               {"hqq", kernels::Layout::kHqq4, 64, 128, 8, false},
                               {"hqq 8 bit", kernels::Layout::kHqq8, 128, 256, 8, false},
                               {"hqq axis 0", kernels::Layout::kHqq4Axis0, 64, 128, 8, false},
                               {"q5_0", kernels::Layout::kQ5_0, 32, 176, 32, false},
                               {"q5_1", kernels::Layout::kQ5_1, 32, 192, 32, false},
                               {"q8_0", kernels::Layout::kQ8_0, 32, 272, 32, false},
                               {"q4_k", kernels::Layout::kQ4_K, 32, 144, 256, false},
                               {"q5_k", kernels::Layout::kQ5_K, 32, 176, 256, false},
                               {"q6_k", kernels::Layout::kQ6_K, 16, 210, 256, false},
                               {"nf4", kernels::Layout::kTable4, 64, 128, 8, false},
                               {"aqlm 2x8", kernels::Layout::kAqlm, 0, 64, 8, false, 2, 8},
                               {"aqlm 1x16", kernels::Layout::kAqlm, 0, 64, 8, false, 1, 16}};

bool is_chosen(const BenchArguments& arguments, const Format& format) {
  if (arguments.formats.empty()) return format.quick || !arguments.quick;
  return std::ranges::find(arguments.formats, format.name) != arguments.formats.end();
}

// Random codes and scales; zero points are symmetric.
struct SyntheticWeight {
  SyntheticWeight(const Format& format, Shape shape) {
    std::mt19937 random(1);
    const std::int64_t weights = shape.out * shape.in;
    const std::int64_t group = format.group == 0 ? shape.in : format.group;
    const std::int64_t groups = (shape.in + group - 1) / group * shape.out;
    const int bits = kernels::packed_bits(format.layout);
    codes.resize(static_cast<std::size_t>(weights * format.bytes / 256));
    for (std::size_t i = 0; i < codes.size(); i += 4) {
      const auto word = static_cast<std::uint32_t>(random());
      std::memcpy(codes.data() + i, &word, std::min<std::size_t>(4, codes.size() - i));
    }
    std::uniform_real_distribution<float> uniform(0.5F, 1.5F);
    for (auto* values : {&plus, &minus, &offsets}) {
      values->resize(static_cast<std::size_t>(groups));
      for (float& value : *values) value = uniform(random) / 64;
    }
    // Zeros: what the vectors hold does not matter, where they lie does.
    books.resize(static_cast<std::size_t>(format.books) * 16 << format.bits);
    view = {.layout = format.layout,
            .out = shape.out,
            .in = shape.in,
            .group = group,
            .codes = codes.data(),
            .zero = bits == 0 ? 0 : 1 << (bits - 1),
            .table = plus.data(),
            .codebooks = {.vectors = books.data(), .books = format.books, .bits = format.bits}};
    chunks = kernels::make_chunk_plan(view);
  }
  [[nodiscard]] kernels::ScaleView scales(const std::vector<float>& values) const {
    return {values.data(), kernels::has_offsets(view.layout) ? offsets.data() : nullptr};
  }

  std::vector<std::byte> codes, books;
  std::vector<float> plus, minus, offsets;
  kernels::CodeView view;
  kernels::ChunkPlan chunks;
};

double gflops(Shape shape, std::int64_t rows, double seconds) {
  return 2e-9 * static_cast<double>(shape.out) * static_cast<double>(shape.in) * static_cast<double>(rows) / seconds;
}

// 0 without a ceiling.
double share_of(double rate, double peak) { return peak > 0 ? rate / peak : 0; }

struct Contender {
  std::string name;
  std::function<void()> work;
  std::vector<double> seconds;
};

// All contenders in turn, so that a disturbance meets them alike. LibTorch's threads spin for some milliseconds behind
// their work, in the way of whoever comes next, and threads that wake up may share a processor for as long: short work
// is repeated until that is over.
void measure(std::vector<Contender>& contenders, int repeats) {
  constexpr double kShort = 0.05, kSettled = 0.01;
  for (int i = -1; i < repeats; ++i) {
    for (Contender& one : contenders) {
      if (!one.seconds.empty() && one.seconds.back() < kShort) {
        for (double before = 0; before < kSettled;) before += seconds_of(one.work);
      } else {
        std::this_thread::sleep_for(std::chrono::duration<double>(kSettled));
      }
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
    const Peaks peaks = measure_peaks(threads);
    peaks_.push_back(peaks.json());
    std::cout << peaks.text() << "\n";
    std::vector<Shape> shapes = {{576, 576}, {1536, 576}, {576, 1536}, {2048, 2048}, {5632, 2048}};
    if (!arguments_.quick) shapes.insert(shapes.end(), {{5120, 5120}, {13824, 5120}});
    if (!arguments_.matrix.empty()) shapes = {{arguments_.matrix[0], arguments_.matrix[1]}};
    Table table({"weight", "threads", "precision", "GFLOP/s", "spread", "/ dense bf16", "/ dense fp32", "of peak"});
    for (const Shape shape : shapes) measure_shape(shape, peaks, table);
    std::cout << table.str() << std::flush;
  }

  [[nodiscard]] core::Json result() const {
    return {{"results", results_}, {"peaks", peaks_}, {"rows", arguments_.rows}};
  }

 private:
  // The dense products once for all formats, in one round with them.
  void measure_shape(Shape shape, const Peaks& peaks, Table& table) {
    const std::int64_t rows = arguments_.rows;
    const at::Tensor x = at::randn({rows, shape.in});
    const at::Tensor w = at::randn({shape.out, shape.in});
    const at::Tensor x16 = x.to(at::kBFloat16), w16 = w.to(at::kBFloat16);
    std::vector<Contender> contenders = {{"dense bf16", [&] { at::linear(x16, w16); }, {}},
                                         {"dense fp32", [&] { at::linear(x, w); }, {}}};
    std::deque<SyntheticWeight> weights;
    std::vector<Format> formats;
    for (const Format& format : kFormats) {
      if (!is_chosen(arguments_, format) || shape.in % format.block != 0) continue;
      formats.push_back(format);
      const SyntheticWeight& weight = weights.emplace_back(format, shape);
      for (const ops::Precision precision : chosen_precisions(arguments_)) {
        contenders.push_back({ops::precision_name(precision),
                              [&, precision] {
                                ops::quant_linear(x, weight.view, weight.scales(weight.plus),
                                                  weight.scales(weight.minus), rows / 2, {}, precision, weight.chunks);
                              },
                              {}});
      }
    }
    measure(contenders, arguments_.quick ? 3 : arguments_.repeats);
    const double dense16 = spread_of(contenders[0].seconds).median, dense32 = spread_of(contenders[1].seconds).median;
    const std::size_t precisions = chosen_precisions(arguments_).size();
    for (std::size_t i = 2; i < contenders.size(); ++i) {
      const Format& format = formats[(i - 2) / precisions];
      const Spread spread = spread_of(contenders[i].seconds);
      const double rate = gflops(shape, rows, spread.median);
      const double share = share_of(rate, peaks.of(ops::precision_from(contenders[i].name)));
      const std::string name = text(format.name, " g", format.group, " ", shape.out, " x ", shape.in);
      table.add({name, text(peaks.threads), contenders[i].name, fixed(rate, 0),
                 text(fixed(gflops(shape, rows, spread.most), 0), "-", fixed(gflops(shape, rows, spread.least), 0)),
                 fixed(dense16 / spread.median, 2), fixed(dense32 / spread.median, 2), percent(share, 0)});
      results_.push_back({{"format", format.name},
                          {"group", format.group},
                          {"shape", {shape.out, shape.in}},
                          {"rows", rows},
                          {"precision", contenders[i].name},
                          {"threads", peaks.threads},
                          {"gflops", rate},
                          {"ratio_to_dense_bf16", dense16 / spread.median},
                          {"ratio_to_dense_fp32", dense32 / spread.median},
                          {"share_of_peak", share}});
    }
  }

  const BenchArguments& arguments_;
  core::Json results_ = core::Json::array(), peaks_ = core::Json::array();
};

}  // namespace

std::vector<std::string> kernel_formats() {
  std::vector<std::string> names;
  for (const Format& format : kFormats)
    if (names.empty() || names.back() != format.name) names.emplace_back(format.name);
  return names;
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
