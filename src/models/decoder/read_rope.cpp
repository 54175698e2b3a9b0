#include "models/decoder/read_rope.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::models {
namespace {

using nn::RopeScaling;

constexpr Key kOriginal{"original_max_position_embeddings", "rope.scaling.original_context_length"};
constexpr Key kFactor{"factor", "rope.scaling.factor"};
constexpr Key kPartial{"partial_rotary_factor", nullptr};

RopeScaling scaling_named(const ConfigReader& reader, Key key, const std::string& name, const RopeReading& reading) {
  if (name == "default" || name == "none") return RopeScaling::kNone;
  if (name == "linear") return RopeScaling::kLinear;
  if (name == "longrope" || (reading.phi_types && (name == "su" || name == "yarn"))) return RopeScaling::kLongRope;
  if (name == "yarn") return RopeScaling::kYarn;
  if (!reader.gguf() && name == "dynamic") return RopeScaling::kDynamic;
  if (!reader.gguf() && name == "llama3") return RopeScaling::kLlama3;
  reader.refuse(key, core::quoted(name),
                reader.gguf() ? "none, linear, yarn, longrope" : "default, linear, dynamic, llama3, yarn, longrope");
}

[[noreturn]] void fail_width(const ConfigReader& reader, std::int64_t width) {
  throw core::UserError(core::text(reader.file(), ": heads are ", width,
                                   " wide, expected an even width since the rotary embedding turns pairs"));
}

// Elements of a head that are turned.
std::int64_t turned_width(const ConfigReader& whole, const ConfigReader& section, const DecoderSpec& spec,
                          const RopeReading& reading) {
  const ConfigReader& owner = section.find_positive(kPartial) ? section : whole;
  const double share = owner.find_positive(kPartial).value_or(1);
  if (share != 1 && !reading.partial) owner.refuse(kPartial, core::text(share), "1");
  if (share > 1) owner.fail(kPartial, core::text("is ", share), "a share, at most 1");
  const auto width = static_cast<std::int64_t>(static_cast<double>(spec.head_dim) * share);
  if (width == 0 || width % 2 != 0) fail_width(whole, width);
  return width;
}

// YaRN's growth of the scores with the context.
double yarn_growth(double factor, double weight = 1) { return factor <= 1 ? 1 : 0.1 * weight * std::log(factor) + 1; }

double long_rope_growth(double factor, double original) {
  return factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(original));
}

void read_llama3(const ConfigReader& section, nn::RopeSettings& rope) {
  constexpr Key kHigh{"high_freq_factor", nullptr};
  rope.low_frequency_factor = section.positive({"low_freq_factor", nullptr});
  rope.high_frequency_factor = section.positive(kHigh);
  rope.original_positions = section.positive(kOriginal);
  if (rope.high_frequency_factor <= rope.low_frequency_factor) {
    section.fail(kHigh, core::text("is ", rope.high_frequency_factor),
                 core::text("a number above low_freq_factor = ", rope.low_frequency_factor));
  }
}

void read_yarn(const ConfigReader& section, nn::RopeSettings& rope) {
  rope.fast_turns = section.find_positive({"beta_fast", nullptr}).value_or(rope.fast_turns);
  rope.slow_turns = section.find_positive({"beta_slow", nullptr}).value_or(rope.slow_turns);
  rope.whole_ramp = section.find_flag({"truncate", nullptr}).value_or(true);
  const auto stated = section.find_positive({"attention_factor", nullptr});
  const auto scale = section.find_positive({"mscale", nullptr});
  const auto scale_all = section.find_positive({"mscale_all_dim", nullptr});
  rope.table_factor = stated               ? *stated
                      : scale && scale_all ? yarn_growth(rope.factor, *scale) / yarn_growth(rope.factor, *scale_all)
                                           : yarn_growth(rope.factor);
}

std::vector<float> read_divisors(const ConfigReader& section, const char* hf, std::int64_t half) {
  const Key key{hf, nullptr};
  std::vector<float> divisors = section.positives(key);
  if (static_cast<std::int64_t>(divisors.size()) != half) {
    section.fail(key, core::text("has ", divisors.size(), " numbers"),
                 core::text(half, ", one for each pair that is turned"));
  }
  return divisors;
}

void read_long_rope(const ConfigReader& section, nn::RopeSettings& rope) {
  rope.short_divisors = read_divisors(section, "short_factor", rope.width / 2);
  rope.long_divisors = read_divisors(section, "long_factor", rope.width / 2);
  const auto stated = section.find_positive({"attention_factor", nullptr});
  rope.table_factor = stated ? *stated : long_rope_growth(rope.factor, rope.original_positions);
}

// rope_freqs.weight carries the llama3 scaling, rope_factors_*.weight longrope's: one divisor for each frequency.
std::vector<float> read_divisor_tensor(const io::TensorSource& tensors, const char* name, std::int64_t half) {
  const io::TensorEntry& entry = tensors.require(name, {core::Dtype::kF32}, std::span(&half, 1));
  std::vector<float> divisors = io::read_floats(entry);
  const auto bad = std::ranges::find_if_not(divisors, [](float d) { return std::isfinite(d) && d > 0; });
  if (bad != divisors.end()) {
    throw core::UserError(core::text(tensors.describe(entry), ": element ", bad - divisors.begin(), " is ", *bad,
                                     ", expected a number above 0"));
  }
  return divisors;
}

void read_gguf_scaling(const ConfigReader& reader, const io::TensorSource& tensors, const DecoderSpec& spec,
                       const RopeReading& reading, nn::RopeSettings& rope) {
  constexpr Key kType{nullptr, "rope.scaling.type"};
  constexpr const char *kShort = "rope_factors_short.weight", *kLong = "rope_factors_long.weight";
  rope.scaling = scaling_named(reader, kType, reader.find_string(kType).value_or("none"), reading);
  if (tensors.find(kShort) != nullptr || tensors.find(kLong) != nullptr) rope.scaling = RopeScaling::kLongRope;
  const auto positions = static_cast<double>(spec.max_positions);
  rope.original_positions = reader.find_positive(kOriginal).value_or(positions);
  constexpr Key kAttention{nullptr, "rope.scaling.attn_factor"};
  switch (rope.scaling) {
    case RopeScaling::kLinear:
      rope.factor = reader.positive(kFactor);
      break;
    case RopeScaling::kYarn:
      rope.factor = reader.positive(kFactor);
      rope.table_factor = reader.find_positive(kAttention).value_or(1) * yarn_growth(rope.factor);
      break;
    case RopeScaling::kLongRope:
      rope.short_divisors = read_divisor_tensor(tensors, kShort, rope.width / 2);
      rope.long_divisors = read_divisor_tensor(tensors, kLong, rope.width / 2);
      rope.table_factor = reader.find_positive(kAttention)
                              .value_or(long_rope_growth(positions / rope.original_positions, rope.original_positions));
      break;
    default:
      if (const auto factor = reader.find_positive({nullptr, "rope.scale_linear"})) {  // before scaling.type existed
        rope.scaling = RopeScaling::kLinear;
        rope.factor = *factor;
      }
  }
  constexpr const char* kDivisors = "rope_freqs.weight";
  if (tensors.find(kDivisors) != nullptr) rope.divisors = read_divisor_tensor(tensors, kDivisors, rope.width / 2);
}

nn::RopeSettings read_gguf_rope(const ConfigReader& reader, const io::TensorSource& tensors, const DecoderSpec& spec,
                                const RopeReading& reading) {
  nn::RopeSettings rope;
  rope.theta = reader.find_positive(reading.theta).value_or(reading.default_theta);
  constexpr Key kTurned{nullptr, "rope.dimension_count"};
  rope.width = reader.find_dimension(kTurned).value_or(spec.head_dim);
  if (rope.width != spec.head_dim && (!reading.partial || rope.width > spec.head_dim)) {
    reader.refuse(kTurned, core::text(rope.width), core::text("the width of a head, ", spec.head_dim));
  }
  if (rope.width % 2 != 0) fail_width(reader, rope.width);
  if (reading.scaled) read_gguf_scaling(reader, tensors, spec, reading, rope);
  return rope;
}

}  // namespace

nn::RopeSettings read_rope_section(const ConfigReader& whole, const ConfigReader& section, const DecoderSpec& spec,
                                   const RopeReading& reading) {
  nn::RopeSettings rope;
  const auto outer_theta = whole.find_positive(reading.theta);
  const auto inner_theta = section.find_positive({"rope_theta", nullptr});
  if (outer_theta && inner_theta && *outer_theta != *inner_theta) {
    section.fail({"rope_theta", nullptr}, core::text("is ", *inner_theta),
                 core::text(whole.name(reading.theta), " = ", *outer_theta, " or only one of the two"));
  }
  rope.theta = inner_theta ? *inner_theta : outer_theta.value_or(reading.default_theta);
  rope.width = turned_width(whole, section, spec, reading);

  constexpr Key kNewType{"rope_type", nullptr};
  constexpr Key kOldType{"type", nullptr};
  const auto new_type = section.find_string(kNewType);
  const auto old_type = section.find_string(kOldType);
  if (new_type && old_type && *new_type != *old_type) {
    section.fail(kNewType, core::text("is ", core::quoted(*new_type)),
                 core::text(section.name(kOldType), " = ", core::quoted(*old_type), " or only one of the two"));
  }
  const std::string type = new_type ? *new_type : old_type.value_or("default");
  rope.scaling = scaling_named(section, new_type ? kNewType : kOldType, type, reading);
  const auto positions = static_cast<double>(spec.max_positions);
  if (rope.scaling == RopeScaling::kNone) return rope;
  if (rope.scaling == RopeScaling::kLinear || rope.scaling == RopeScaling::kDynamic ||
      rope.scaling == RopeScaling::kLlama3) {
    rope.factor = section.positive(kFactor);
    rope.original_positions = positions;
    if (rope.scaling == RopeScaling::kLlama3) read_llama3(section, rope);
    if (rope.scaling == RopeScaling::kDynamic && rope.width < 4)
      throw core::UserError(core::text(whole.file(), ": rope type dynamic needs heads of at least 4 elements"));
    return rope;
  }
  // Phi-3 has it beside the section, and there it wins.
  const auto outer_original = whole.find_positive(kOriginal);
  const double otherwise = reading.default_original > 0 ? reading.default_original : positions;
  rope.original_positions = outer_original ? *outer_original : section.find_positive(kOriginal).value_or(otherwise);
  rope.factor = section.find_positive(kFactor).value_or(positions / rope.original_positions);
  if (rope.scaling == RopeScaling::kYarn) {
    read_yarn(section, rope);
  } else {
    read_long_rope(section, rope);
  }
  return rope;
}

nn::RopeSettings read_rope(const ConfigReader& reader, const io::Checkpoint& checkpoint, const DecoderSpec& spec,
                           const RopeReading& reading) {
  if (reader.gguf()) return read_gguf_rope(reader, checkpoint.tensors, spec, reading);
  std::optional<ConfigReader> section = reader.section("rope_parameters");
  if (!section && reading.scaled) section = reader.section("rope_scaling");
  const ConfigReader empty = reader.empty_section();
  return read_rope_section(reader, section ? *section : empty, spec, reading);
}

}  // namespace qzo::models
