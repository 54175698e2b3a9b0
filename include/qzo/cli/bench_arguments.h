#pragma once
// Command line of qzo-bench.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace qzo::cli {

enum class Benchmark : std::uint8_t { kKernels, kStep, kFidelity, kOptim, kStates };

struct BenchArguments {
  Benchmark benchmark = Benchmark::kKernels;
  std::filesystem::path config;  // step, fidelity
  std::vector<std::string> overrides;
  // states; step, instead of a recipe: a model of this shape with random weights, and a batch of random tokens.
  std::string shape;
  std::string format = "gptq";
  std::int64_t group = 128;
  std::int64_t sequences = 16, tokens = 32;
  std::vector<std::string> precisions;  // empty: all
  std::vector<std::string> formats;     // kernels; empty: all, or the usual ones if quick
  std::vector<std::int64_t> matrix;     // kernels: outputs and inputs of the only one; empty: seven
  std::vector<std::string> optimizers;  // optim, states; empty: all
  std::vector<int> params, threads;     // optim: millions; empty: 25 and 500, 1 and all
  int repeats = 7;
  int draws = 64;                    // fidelity
  std::string reference = "double";  // fidelity: or "fp32"
  std::int64_t rows = 1024;
  bool quick = false;
  bool any_load = false;  // measure although other programs run
  std::filesystem::path json;
};
std::optional<BenchArguments> parse_bench(int argc, const char* const* argv);

}  // namespace qzo::cli
