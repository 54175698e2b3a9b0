#pragma once
// The benchmarks of qzo-bench: each prints a table and returns what --json writes.

#include <functional>
#include <string>
#include <vector>

#include "qzo/cli/assemble.h"
#include "qzo/cli/bench_arguments.h"
#include "qzo/core/json_file.h"

namespace qzo::cli {

core::Json bench_kernels(const BenchArguments& arguments);
std::vector<std::string> kernel_formats();  // names for BenchArguments::formats
core::Json bench_optim(const BenchArguments& arguments);
// Bytes of states on a published model's shape: the buffers of the optimizers themselves, never written.
core::Json bench_states(const BenchArguments& arguments);
// Of the recipe's model and batch; without an assembly those of arguments.shape.
core::Json bench_step(const BenchArguments& arguments, Assembly* assembly);
core::Json bench_fidelity(const BenchArguments& arguments, Assembly& assembly);

std::vector<ops::Precision> chosen_precisions(const BenchArguments& arguments);

struct Spread {
  double median = 0, least = 0, most = 0;
};
Spread spread_of(std::vector<double> values);
double seconds_of(const std::function<void()>& work);

}  // namespace qzo::cli
