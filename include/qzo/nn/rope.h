#pragma once
// Rotary position embedding: frequencies, their scaling for long contexts, and the table of sines and cosines.

#include <cstdint>
#include <vector>

#include "qzo/ops/transformer.h"

namespace qzo::nn {

enum class RopeScaling : std::uint8_t {
  kNone,
  kLinear,  // all frequencies divided by `factor`
  kLlama3,  // long wavelengths divided by `factor`, short ones kept, a ramp between (Llama 3.1, modeling_rope_utils.py)
};

struct RopeSettings {
  double theta = 10000;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;
  double low_frequency_factor = 1, high_frequency_factor = 4;  // kLlama3
  double original_positions = 8192;                            // kLlama3
  // [head_dim/2]: each frequency divided by its own number too (GGUF rope_freqs.weight); or empty.
  std::vector<float> divisors = {};
};

// [head_dim/2], descending.
std::vector<float> inverse_frequencies(const RopeSettings& settings, std::int64_t head_dim);

// Angles are products in fp32, as the models were trained with; their sine and cosine are correctly rounded but for
// rare halfway cases.
ops::RopeTable rope_table(const std::vector<float>& inverse_frequencies, std::int64_t positions);

}  // namespace qzo::nn
