#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>

#include "qzo/core/error.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"
#include "qzo/quant/packed_weight.h"

#include "quant/bitsandbytes_state.h"

namespace qzo::quant {
namespace {

using core::Dtype;

void check_finite(const PackedWeight& weight) {
  for (std::size_t i = 0; i < weight.scales.size(); ++i) {
    if (std::isfinite(weight.scales[i])) continue;
    throw core::GuardError(core::text("scale ", i, " of ", weight.name, " is ", weight.scales[i],
                                      ": the run has diverged, lower train.lr or zo.clip"));
  }
}

std::vector<std::byte> bytes_of(const void* data, std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::memcpy(bytes.data(), data, size);
  return bytes;
}

// formats/bitsandbytes.h: absmax in fp32, nothing nested.
void unnest(const io::Checkpoint& checkpoint, const PackedWeight& weight, io::ExportChanges& changes) {
  check_finite(weight);
  const std::string stem = weight.name + ".weight";
  const std::string state = state_name(weight.name, weight.format);
  core::Json json =
      read_bitsandbytes_state(checkpoint, weight.name, weight.format, weight.codes.out, weight.codes.in).json;
  for (const char* key : {"nested_blocksize", "nested_dtype", "nested_offset"}) json.erase(key);
  const std::string text = json.dump();
  changes.tensors.push_back(
      {state, Dtype::kU8, {static_cast<std::int64_t>(text.size())}, bytes_of(text.data(), text.size())});
  changes.tensors.push_back({stem + ".absmax", Dtype::kF32, weight.scale_shape,
                             bytes_of(weight.scales.data(), weight.scales.size() * sizeof(float))});
  changes.dropped.push_back(stem + ".nested_absmax");
  changes.dropped.push_back(stem + ".nested_quant_map");
}

bool nothing_stays_nested(const io::Checkpoint& checkpoint, const io::ExportChanges& changes) {
  std::int64_t nested = 0;
  for (const io::TensorEntry& entry : checkpoint.tensors.entries()) nested += entry.name.ends_with(".nested_absmax");
  return nested * 2 == static_cast<std::int64_t>(changes.dropped.size());
}

// Only the one word changes; all else of the file stays as its author wrote it.
void clear_double_quant(const io::Checkpoint& checkpoint, io::ExportChanges& changes) {
  std::ifstream in(checkpoint.root / "config.json", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  static const std::regex kSetting(R"re(("bnb_4bit_use_double_quant"\s*:\s*)true)re");
  std::string changed = std::regex_replace(text, kSetting, "$1false");
  if (changed != text) changes.texts["config.json"] = std::move(changed);
}

}  // namespace

io::ExportChanges export_changes(const io::Checkpoint& checkpoint, std::span<const PackedWeight* const> weights,
                                 RoundingCount* count) {
  io::ExportChanges changes;
  for (const PackedWeight* weight : weights) {
    if (weight->nested) {
      unnest(checkpoint, *weight, changes);
    } else {
      for (io::FieldWrite& write : scale_writes(*weight, count)) changes.fields.push_back(std::move(write));
    }
  }
  if (changes.dropped.empty()) return changes;
  if (nothing_stays_nested(checkpoint, changes)) clear_double_quant(checkpoint, changes);
  core::log_info(core::text(changes.dropped.size() / 2, " weights had a nested absmax, which 8 bits cannot tune: they ",
                            "are written with an absmax in fp32 and without the tensors of the nesting"));
  return changes;
}

}  // namespace qzo::quant
