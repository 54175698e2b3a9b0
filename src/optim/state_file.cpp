// Optimizer::save and load.

#include <cstring>

#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/io/safetensors.h"
#include "qzo/optim/optimizer.h"

namespace qzo::optim {
namespace {

using core::text;

constexpr const char* kOptimizer = "optimizer";
constexpr const char* kVersion = "state_version";
constexpr const char* kVersionValue = "1";
constexpr const char* kPacking = "packing";
constexpr const char* kPackingValue = "even element in the low nibble; ties take the lower code; scale 0 decodes to 0";
constexpr const char* kSteps = "steps";
constexpr const char* kSkipped = "skipped_steps";

using Metadata = std::map<std::string, std::string>;

std::string state_name(const Parameter& parameter, const StateTensor& state) {
  return text(parameter.name, "/", state.key());
}

// The value under `key`, which must be `expected` if that is given.
const std::string& required(const Metadata& metadata, const std::filesystem::path& file, const std::string& key,
                            const std::string& expected = {}) {
  const auto found = metadata.find(key);
  if (found == metadata.end())
    throw core::UserError(
        text(file.string(), ": no \"", key, "\" in its header: this is not a state that this optimizer saved"));
  if (!expected.empty() && found->second != expected) {
    throw core::UserError(
        text(file.string(), ": ", key, " is ", core::quoted(found->second), ", expected \"", expected,
             "\": load the state into the optimizer and settings that saved it, or start without it"));
  }
  return found->second;
}

std::uint64_t counter(const Metadata& metadata, const std::filesystem::path& file, const std::string& key) {
  const std::string& value = required(metadata, file, key);
  if (value.empty() || value.size() > 10 || value.find_first_not_of("0123456789") != std::string::npos)
    throw core::UserError(
        text(file.string(), ": ", key, " is ", core::quoted(value), ", expected a count: the file is damaged"));
  return std::stoull(value);
}

}  // namespace

void Optimizer::save(const std::filesystem::path& file) {
  Metadata metadata = {{kOptimizer, name_},
                       {kVersion, kVersionValue},
                       {kPacking, kPackingValue},
                       {kSteps, text(steps_)},
                       {kSkipped, text(skipped_)}};
  std::vector<io::TensorToWrite> tensors;
  for (Slot& slot : slots_) {
    tensors.push_back({text(slot.parameter.name, "/step"),
                       core::Dtype::kI64,
                       {1},
                       std::as_bytes(std::span<const std::int64_t>(&slot.steps, 1))});
    for (StateTensor& state : slot.states) {
      const std::string name = state_name(slot.parameter, state);
      metadata[name] = codec_text(state.codec());
      for (StatePart& part : state.parts())
        tensors.push_back({name + part.suffix, part.dtype, std::move(part.shape), part.bytes});
    }
  }
  io::write_safetensors(file, tensors, metadata);
}

void Optimizer::load(const std::filesystem::path& file) {
  io::TensorSource source;
  const Metadata metadata = io::read_safetensors(file, source);
  required(metadata, file, kOptimizer, name_);
  required(metadata, file, kVersion, kVersionValue);
  required(metadata, file, kPacking, kPackingValue);
  const std::uint64_t steps = counter(metadata, file, kSteps), skipped = counter(metadata, file, kSkipped);

  struct Copy {
    std::span<const std::byte> from;
    std::span<std::byte> to;
  };
  std::vector<Copy> copies;
  for (Slot& slot : slots_) {
    const std::int64_t one = 1;
    const auto& entry = source.require(text(slot.parameter.name, "/step"), {core::Dtype::kI64}, std::span(&one, 1));
    copies.push_back({entry.bytes, std::as_writable_bytes(std::span(&slot.steps, 1))});
    for (StateTensor& state : slot.states) {
      const std::string name = state_name(slot.parameter, state);
      required(metadata, file, name, codec_text(state.codec()));
      for (const StatePart& part : state.parts())
        copies.push_back({source.require(name + part.suffix, {part.dtype}, part.shape).bytes, part.bytes});
    }
  }
  if (copies.size() != source.entries().size()) {
    throw core::UserError(text(file.string(), ": holds ", source.entries().size(),
                               " arrays, this optimizer's parameters have ", copies.size(),
                               ": it was saved for other parameters"));
  }
  for (const Copy& copy : copies)
    if (!copy.from.empty()) std::memcpy(copy.to.data(), copy.from.data(), copy.from.size());
  steps_ = steps;
  skipped_ = skipped;
}

}  // namespace qzo::optim
