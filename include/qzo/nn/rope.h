#pragma once
// Rotary position embedding: frequencies, their scaling for long contexts, and the table of sines and cosines.
// Scalings are those of transformers' modeling_rope_utils.py under the same names.

#include <cstdint>
#include <utility>
#include <vector>

#include "qzo/ops/transformer.h"

namespace qzo::nn {

enum class RopeScaling : std::uint8_t {
  kNone,
  kLinear,    // all frequencies divided by `factor`
  kDynamic,   // NTK: beyond the original positions the base grows with the longest sequence of the batch
  kLlama3,    // long wavelengths divided by `factor`, short ones kept, a ramp between (Llama 3.1)
  kYarn,      // the same with the ramp over the index of the frequency (arXiv 2309.00071)
  kLongRope,  // each frequency divided by its own number; another set of numbers beyond the original positions
};

struct RopeSettings {
  double theta = 10000;
  std::int64_t width = 0;  // elements of a head that are turned, from the first on; even
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;
  double original_positions = 8192;                            // what the model was first trained for; all but kLinear
  double low_frequency_factor = 1, high_frequency_factor = 4;  // kLlama3
  double fast_turns = 32, slow_turns = 1;                      // kYarn: ends of the ramp, in turns over the original
  bool whole_ramp = true;                                      // kYarn: its ends are rounded outwards to whole indices
  std::vector<float> short_divisors = {}, long_divisors = {};  // kLongRope [width/2]
  double table_factor = 1;                                     // of sines and cosines (kYarn, kLongRope)
  // [width/2]: each frequency divided by its own number too (GGUF rope_freqs.weight); or empty.
  std::vector<float> divisors = {};
};

// [width/2], for a batch whose longest sequence has `longest` tokens.
std::vector<float> inverse_frequencies(const RopeSettings& settings, std::int64_t longest);

// Angles are products in fp32, as the models were trained with; their sine and cosine are correctly rounded but for
// rare halfway cases.
ops::RopeTable rope_table(const std::vector<float>& inverse_frequencies, std::int64_t positions, float factor = 1);

// The table of one setting, made again when a batch needs more positions or other frequencies.
class Rope {
 public:
  explicit Rope(RopeSettings settings) : settings_(std::move(settings)) {}
  // Valid until the next call.
  const ops::RopeTable& table(std::int64_t longest);

 private:
  RopeSettings settings_;
  std::vector<float> frequencies_;
  ops::RopeTable table_;
};

}  // namespace qzo::nn
