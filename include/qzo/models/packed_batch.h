#pragma once
// Variable-length sequences laid end to end, without padding. A segment may continue another (a candidate after its
// prompt): it sees all tokens of its ancestors and its own earlier ones, so shared prompts are computed once.

#include <cstdint>
#include <span>
#include <vector>

namespace qzo::models {

struct Segment {
  std::int64_t begin = 0;    // first row
  std::int64_t length = 0;   // > 0
  std::int64_t parent = -1;  // index of an earlier segment that it continues, or -1
};

struct PackedBatch {
  std::vector<std::int32_t> tokens;     // [T]
  std::vector<std::int32_t> positions;  // [T], counted from the start of the root segment
  std::vector<Segment> segments;
  std::vector<std::int64_t> scored;  // rows whose final hidden state is wanted, in the order of the result

  // Appends a segment, returns its index. Throws InternalError if empty or the parent is not earlier.
  std::int64_t add(std::span<const std::int32_t> ids, std::int64_t parent = -1);
  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(tokens.size()); }
};

}  // namespace qzo::models
