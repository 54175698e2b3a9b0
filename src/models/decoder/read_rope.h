#pragma once
// Rotary settings from a configuration: rope_parameters (transformers 5), rope_scaling and rope_theta (before), or the
// rope keys of a GGUF file.

#include "qzo/io/checkpoint.h"

#include "models/config_reader.h"
#include "models/decoder/spec.h"

namespace qzo::models {

struct RopeReading {
  double default_theta = 10000;
  Key theta{"rope_theta", "rope.freq_base"};
  bool scaled = true;           // false: the scaling belongs to other layers
  bool partial = false;         // a part of each head may stay as it is
  bool phi_types = false;       // "su" and "yarn" are old names of longrope
  double default_original = 0;  // original_max_position_embeddings of config.json; 0: max_position_embeddings
};

// UserError naming file and key; unknown types are refused by name.
nn::RopeSettings read_rope(const ConfigReader& reader, const io::Checkpoint& checkpoint, const DecoderSpec& spec,
                           const RopeReading& reading = {});

// From one section {rope_type, rope_theta, ...} of config.json. `whole`: the configuration that it stands in.
nn::RopeSettings read_rope_section(const ConfigReader& whole, const ConfigReader& section, const DecoderSpec& spec,
                                   const RopeReading& reading);

}  // namespace qzo::models
