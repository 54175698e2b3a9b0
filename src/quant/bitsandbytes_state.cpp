#include "quant/bitsandbytes_state.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::quant {
namespace {

using core::Dtype;
using core::Json;
using Index = std::size_t;

constexpr std::int64_t kLargestBlock = 1 << 16;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Keys of the JSON; `tensor` begins every message.
class StateJson {
 public:
  StateJson(const Json& values, const std::string& tensor) : values_(values), tensor_(tensor) {}

  std::int64_t block_size(const char* key) const {
    const auto value = values_.find(key);
    const bool usable = value != values_.end() && value->is_number_unsigned() && *value > 0U &&
                        value->get<std::uint64_t>() <= static_cast<std::uint64_t>(kLargestBlock);
    if (!usable) fail(key, core::text("a number from 1 to ", kLargestBlock));
    return value->get<std::int64_t>();
  }

  float number(const char* key) const {
    const auto value = values_.find(key);
    if (value == values_.end() || !value->is_number()) fail(key, "a number");
    return value->get<float>();
  }

  // The stored value must be this one.
  void expect(const char* key, const Json& wanted) const {
    const auto value = values_.find(key);
    if (value == values_.end() || *value != wanted) fail(key, wanted.dump());
  }

 private:
  [[noreturn]] void fail(const char* key, const std::string& expected) const {
    const auto value = values_.find(key);
    const std::string found = value == values_.end() ? "is missing" : "is " + core::printable(value->dump());
    throw core::UserError(core::text(tensor_, ": ", key, ' ', found, ", expected ", expected));
  }

  const Json& values_;
  const std::string& tensor_;
};

const io::TensorEntry& entry_of(const io::TensorSource& tensors, const std::string& name) {
  const io::TensorEntry* entry = tensors.find(name);
  if (entry != nullptr) return *entry;
  throw core::UserError(
      core::text(tensors.where(), ": tensor \"", name, "\" is missing; bitsandbytes needs it beside the weight"));
}

Json read_json_tensor(const io::TensorSource& tensors, const io::TensorEntry& entry) {
  if (entry.dtype != Dtype::kU8) {
    throw core::UserError(
        core::text(tensors.describe(entry), " has dtype ", core::dtype_info(entry.dtype).name, ", expected U8"));
  }
  const std::string_view bytes(reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size());
  Json json = core::parse_json(bytes, tensors.describe(entry), 8);
  if (!json.is_object()) {
    throw core::UserError(core::text(tensors.describe(entry), " holds ", json.type_name(), ", expected an object"));
  }
  return json;
}

std::vector<float> read_finite(const io::TensorSource& tensors, const std::string& name, std::int64_t count) {
  const io::TensorEntry& entry = tensors.require(name, {Dtype::kF32}, std::array{count});
  std::vector<float> values = io::read_floats(entry);
  const auto bad = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
  if (bad != values.end()) {
    throw core::UserError(core::text(tensors.describe(entry), ": element ", bad - values.begin(), " is ", *bad,
                                     ", expected a finite number: the file is damaged or was badly quantized"));
  }
  return values;
}

// One product and one sum for each block, as bitsandbytes does.
std::vector<float> expand_nested(const io::TensorSource& tensors, const io::TensorEntry& codes,
                                 const std::string& weight, const StateJson& json) {
  const std::int64_t blocksize = json.block_size("nested_blocksize");
  json.expect("nested_dtype", "float32");
  const float offset = json.number("nested_offset");
  const auto blocks = static_cast<std::int64_t>(codes.bytes.size());
  const std::vector<float> table = read_finite(tensors, weight + ".nested_quant_map", 256);
  const std::vector<float> scales = read_finite(tensors, weight + ".nested_absmax", ceil_div(blocks, blocksize));
  std::vector<float> absmax(codes.bytes.size());
  for (Index b = 0; b < absmax.size(); ++b) {
    absmax[b] = table[std::to_integer<Index>(codes.bytes[b])] * scales[b / static_cast<Index>(blocksize)] + offset;
  }
  return absmax;
}

}  // namespace

std::string state_name(const std::string& stem, const std::string& quant_type) {
  return core::text(stem, ".weight.quant_state.bitsandbytes__", quant_type);
}

BitsandbytesState read_bitsandbytes_state(const io::Checkpoint& checkpoint, const std::string& stem,
                                          const std::string& quant_type, std::int64_t out, std::int64_t in) {
  const io::TensorSource& tensors = checkpoint.tensors;
  const std::string weight = stem + ".weight";
  const io::TensorEntry& entry = entry_of(tensors, state_name(stem, quant_type));
  const std::string tensor = tensors.describe(entry);
  BitsandbytesState state;
  state.json = read_json_tensor(tensors, entry);
  const StateJson json(state.json, tensor);
  json.expect("quant_type", quant_type);
  json.expect("shape", {out, in});
  state.blocksize = json.block_size("blocksize");
  state.table = read_finite(tensors, weight + ".quant_map", 16);
  const std::int64_t blocks = ceil_div(out * in, state.blocksize);
  state.absmax_entry = &tensors.require(weight + ".absmax", {Dtype::kF32, Dtype::kU8}, std::array{blocks});
  state.nested = state.absmax_entry->dtype == Dtype::kU8;
  state.absmax = state.nested ? expand_nested(tensors, *state.absmax_entry, weight, json)
                              : read_finite(tensors, weight + ".absmax", blocks);
  return state;
}

}  // namespace qzo::quant
