#pragma once
// What a run needs, before it starts: the table of --dry-run.

#include <cstdint>
#include <string>
#include <vector>

#include "qzo/cli/assemble.h"

namespace qzo::cli {

// The sizes that memory depends on, apart from the objects, so that a plan can be made again with other settings.
struct MemoryInputs {
  std::uint64_t runtime_bytes = 0;       // resident before anything was loaded: program and libraries
  std::uint64_t mapped_bytes = 0;        // checkpoint files
  std::uint64_t master_bytes = 0;        // fp32 scales
  std::uint64_t side_bytes = 0;          // zeros, block minima, group indices in memory of their own
  std::uint64_t scale_buffer_bytes = 0;  // s+ and s- of the largest trained weight, with their minima
  std::uint64_t scratch_bytes = 0;       // unpacked panels, all threads
  MeasuredBytes measured;
  models::ModelSummary model;
  std::int64_t bytes_per_rounded = 0;  // of an activation, copied for a product
  bool stacked_signs = true;
  std::int64_t batch_size = 1;
  std::int64_t max_tokens_per_pass = 0;
  std::vector<std::int64_t> lengths;  // tokens per example, longest first
  std::int64_t common_tokens = 0;     // with which every prompt begins: computed once a pass
};

struct MemoryRow {
  std::string component;
  std::uint64_t bytes = 0;
  std::string note;
};

struct MemoryPlan {
  std::vector<MemoryRow> rows;
  [[nodiscard]] std::uint64_t total() const;
};

// A change of settings and what it saves.
struct Remedy {
  std::string change;
  std::uint64_t saving = 0;
};

MemoryInputs memory_inputs(const Assembly& assembly, std::uint64_t runtime_bytes);
MemoryPlan plan_memory(const MemoryInputs& inputs);
// At most three that save something, the largest saving first.
std::vector<Remedy> memory_remedies(const MemoryInputs& inputs);

// What this process may use in all: what is free, and what it holds already.
std::uint64_t usable_memory();

// The table with total and usable memory.
std::string memory_text(const MemoryPlan& plan, std::uint64_t usable);
// The same; the remedies if that is not enough.
std::string memory_text(const MemoryInputs& inputs, std::uint64_t usable);

}  // namespace qzo::cli
