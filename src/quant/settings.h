#pragma once
// What config.json or quantize_config.json says about a quantized checkpoint, checked.

#include <cstdint>
#include <optional>

#include "qzo/io/checkpoint.h"
#include "qzo/quant/format.h"

namespace qzo::quant {

struct GptqSettings {
  std::int64_t bits = 4;                 // 2, 3, 4 or 8
  std::int64_t group_size = -1;          // -1: one group per output
  std::optional<bool> symmetric;         // absent: not said
  ZeroVersion label = ZeroVersion::kV1;  // checkpoint_format; v1 if not said, as the oldest writers meant it
};

// UserError naming file and key for anything missing, of a wrong type or not built.
GptqSettings read_gptq_settings(const io::Checkpoint& checkpoint);

struct AqlmSettings {
  std::int64_t books = 0;
  std::int64_t bits = 0;
};

// The same; nullopt if there are no settings.
std::optional<AqlmSettings> read_aqlm_settings(const io::Checkpoint& checkpoint);
// The same of AWQ; its group size (-1: one group per output).
std::int64_t read_awq_group_size(const io::Checkpoint& checkpoint);

// Checks the settings of AWQ, compressed-tensors and HQQ, by quant_method or, where none is named, by the tensors.
// False: they belong to something else.
bool check_packed_settings(const io::Checkpoint& checkpoint);

}  // namespace qzo::quant
