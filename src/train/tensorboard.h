#pragma once
// TensorBoard event files, encoded by hand (tensorflow/core/util/event.proto, summary.proto; record framing of
// tensorflow/core/lib/io/record_writer): u64 length, masked CRC-32C of it, payload, masked CRC-32C of the payload.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/append_file.h"

namespace qzo::train {

using Scalars = std::vector<std::pair<std::string_view, double>>;

class TensorboardWriter {
 public:
  // A new file "events.out.tfevents.<seconds>.<process id>" in `folder`. Where a run goes on, events of an earlier file
  // at or after `first_step` are void: readers drop them.
  TensorboardWriter(const std::filesystem::path& folder, std::uint64_t first_step);
  void add(std::uint64_t step, const Scalars& scalars);

 private:
  AppendFile file_;
};

// For tests: the framed record of one payload.
std::string framed_record(std::string_view payload);

}  // namespace qzo::train
