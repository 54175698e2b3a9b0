#pragma once
// What a run needs, before it starts: the table of --dry-run.

#include <cstdint>
#include <string>
#include <vector>

#include "qzo/cli/assemble.h"

namespace qzo::cli {

// The sizes that memory depends on, so that a plan can be made again with other settings.
struct MemoryInputs {
  std::uint64_t runtime_bytes = 0;        // resident before anything was loaded: program, libraries
  std::uint64_t mapped_bytes = 0;         // checkpoint files, read through the page cache
  std::uint64_t master_bytes = 0;         // fp32 scales
  std::uint64_t side_bytes = 0;           // zeros, block minima, group indices in memory of their own
  std::uint64_t largest_scale_bytes = 0;  // fp32 scales of the largest trained weight, with minima
  std::uint64_t largest_dense_bytes = 0;  // largest weight as bf16 (precision bf16)
  std::uint64_t example_bytes = 0;        // token ids of all examples
  models::ModelSummary model;
  bool bf16 = false;
  std::int64_t signs = 2;  // rows per token: 2 if both signs are stacked
  std::int64_t threads = 1;
  std::int64_t batch_size = 0;
  std::int64_t max_tokens_per_pass = 0;
  std::vector<std::int64_t> lengths;  // tokens per training example, longest first
};

struct MemoryRow {
  std::string component;
  std::uint64_t bytes = 0;
  std::string note;
};

struct MemoryPlan {
  std::vector<MemoryRow> rows;
  std::int64_t tokens_per_pass = 0;  // of the longest possible batch
  [[nodiscard]] std::uint64_t total() const;
};

MemoryInputs memory_inputs(const Assembly& assembly, std::uint64_t runtime_bytes);
MemoryPlan plan_memory(const MemoryInputs& inputs);

// The table, total against available, and the three cheapest remedies with their savings if it does not fit.
std::string memory_text(const MemoryInputs& inputs, std::uint64_t available);

}  // namespace qzo::cli
