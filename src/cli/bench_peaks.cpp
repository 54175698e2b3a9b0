#include "cli/bench_peaks.h"

#include <cstring>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/native/CPUBlas.h>

#include "qzo/cli/table.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"
#include "qzo/kernels/cpu_features.h"
#include "qzo/kernels/peak.h"

#include "cli/bench.h"

namespace qzo::cli {
namespace {

// The best of several: ceilings, not typical values.
template <class Work>
double least_seconds(const Work& work) {
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) seconds.push_back(seconds_of(work));
  return spread_of(seconds).least;
}

double arithmetic(kernels::PeakKind kind, int threads) {
  constexpr std::int64_t kRounds = 2'000'000;
  if (kernels::run_peak(kind, 1) == 0) return 0;
  double operations = 0;
  const double seconds = least_seconds([&] {
    core::parallel_for(threads, [&](std::int64_t piece, int) {
      const double done = kernels::run_peak(kind, kRounds);
      if (piece == 0) operations = done;
    });
  });
  return 1e-9 * operations * threads / seconds;
}

double dense(at::ScalarType dtype) {
  const at::Tensor x = at::randn({1024, 2048}).to(dtype), w = at::randn({2048, 2048}).to(dtype);
  return 2e-9 * 1024 * 2048 * 2048 / least_seconds([&] { at::linear(x, w); });
}

// 64 x 1024 times 1024 x 64 again and again: operands in L2, sums in L1.
double brgemm(int threads) {
  if (kernels::active_isa() < kernels::Isa::kAvx512Bf16) return 0;
  constexpr std::int64_t kSide = 64, kDepth = 1024, kRounds = 200;
  const at::Tensor a = at::randn({kSide, kDepth}).to(at::kBFloat16), b = at::randn({kDepth, kSide}).to(at::kBFloat16);
  const at::Tensor c = at::zeros({threads, kSide, kSide});
  const double seconds = least_seconds([&] {
    core::parallel_for(threads, [&](std::int64_t piece, int) {
      for (std::int64_t i = 0; i < kRounds; ++i)
        at::native::cpublas::brgemm(kSide, kSide, kDepth, kDepth, kSide, kSide, false, a.const_data_ptr<at::BFloat16>(),
                                    b.const_data_ptr<at::BFloat16>(), c.data_ptr<float>() + piece * kSide * kSide);
      at::native::cpublas::brgemm_release();
    });
  });
  return 2e-9 * kSide * kSide * kDepth * kRounds * threads / seconds;
}

}  // namespace

double Peaks::of(ops::Precision precision) const {
  switch (precision) {
    case ops::Precision::kFp32:
      return fp32;
    case ops::Precision::kInt8:
      return int8;
    case ops::Precision::kBf16:
      return bf16 > 0 ? bf16 : fp32;
    case ops::Precision::kBf16x2:
      return bf16 > 0 ? bf16 / 2 : fp32;
  }
  return 0;
}

core::Json Peaks::json() const {
  const auto or_null = [](double value) { return value > 0 ? core::Json(value) : core::Json(); };
  return {{"threads", threads},
          {"fp32_gflops", or_null(fp32)},
          {"bf16_gflops", or_null(bf16)},
          {"int8_gflops", or_null(int8)},
          {"dense_fp32_gflops", dense_fp32},
          {"dense_bf16_gflops", dense_bf16},
          {"brgemm_bf16_gflops", or_null(brgemm_bf16)},
          {"copy_gbytes", copy_gbytes}};
}

std::string Peaks::text() const {
  const auto rate = [](double value) { return value > 0 ? fixed(value, 0) : std::string("none"); };
  return core::text(threads, " threads, ", kernels::isa_name(kernels::active_isa()), "; arithmetic fp32 ", rate(fp32),
                    ", bf16 ", rate(bf16), ", int8 ", rate(int8), "; dense at::linear fp32 ", rate(dense_fp32),
                    ", bf16 ", rate(dense_bf16), "; brgemm bf16 ", rate(brgemm_bf16), " GFLOP/s; copy ",
                    fixed(copy_gbytes, 1), " GB/s");
}

double copy_bandwidth() {
  constexpr std::int64_t kFloats = std::int64_t{32} << 20, kPieces = 64;
  const at::Tensor from = at::ones({kFloats}), to = at::empty({kFloats});
  const double seconds = least_seconds([&] {
    core::parallel_for(kPieces, [&](std::int64_t piece, int) {
      const std::int64_t first = piece * (kFloats / kPieces);
      std::memcpy(to.data_ptr<float>() + first, from.const_data_ptr<float>() + first,
                  kFloats / kPieces * sizeof(float));
    });
  });
  return 2e-9 * kFloats * sizeof(float) / seconds;
}

Peaks measure_peaks(int threads) {
  Peaks peaks{.threads = threads};
  peaks.fp32 = arithmetic(kernels::PeakKind::kFp32, threads);
  peaks.bf16 = arithmetic(kernels::PeakKind::kBf16, threads);
  peaks.int8 = arithmetic(kernels::PeakKind::kInt8, threads);
  peaks.dense_fp32 = dense(at::kFloat);
  peaks.dense_bf16 = dense(at::kBFloat16);
  peaks.brgemm_bf16 = brgemm(threads);
  peaks.copy_gbytes = copy_bandwidth();
  return peaks;
}

}  // namespace qzo::cli
