#pragma once
// The tensors that bitsandbytes stores beside a weight, checked (include/qzo/quant/formats/bitsandbytes.h).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qzo/core/json_file.h"
#include "qzo/io/checkpoint.h"

namespace qzo::quant {

struct BitsandbytesState {
  core::Json json;            // as stored
  std::vector<float> table;   // [16]
  std::vector<float> absmax;  // expanded if nested
  std::int64_t blocksize = 0;
  bool nested = false;
  const io::TensorEntry* absmax_entry = nullptr;
};

// "STEM.weight.quant_state.bitsandbytes__nf4".
std::string state_name(const std::string& stem, const std::string& quant_type);

// UserError naming file and tensor for what is absent, inconsistent or not finite.
BitsandbytesState read_bitsandbytes_state(const io::Checkpoint& checkpoint, const std::string& stem,
                                          const std::string& quant_type, std::int64_t out, std::int64_t in);

}  // namespace qzo::quant
