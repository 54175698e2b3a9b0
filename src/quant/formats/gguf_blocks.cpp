#include "qzo/quant/formats/gguf_blocks.h"

#include <array>
#include <cmath>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "quant/chunks.h"
#include "quant/scale_value.h"

namespace qzo::quant {
namespace {

constexpr std::int64_t kBlock = 32;
constexpr std::uint64_t kMinimumOffset = 2;  // of m behind d

struct BlockType {
  core::Dtype dtype;
  const char* name;
  kernels::Layout layout;
  std::uint64_t bytes;
  bool has_minimum;
};
constexpr std::array<BlockType, 3> kTypes = {{
    {core::Dtype::kQ4_0, "q4_0", kernels::Layout::kQ4_0, 18, false},
    {core::Dtype::kQ4_1, "q4_1", kernels::Layout::kQ4_1, 20, true},
    {core::Dtype::kQ8_0, "q8_0", kernels::Layout::kQ8_0, 34, false},
}};

// Value i of a field that begins at `first`.
std::vector<float> read_halves(const std::byte* first, std::uint64_t stride, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for_chunks(count, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      values[static_cast<std::size_t>(i)] =
          read_scale(core::Dtype::kF16, first + static_cast<std::uint64_t>(i) * stride);
    }
  });
  return values;
}

void check_finite(const std::vector<float>& values, char letter, const std::string& tensor) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw core::UserError(core::text(tensor, ": ", letter, " of block ", i, " is ", values[i],
                                     ", expected a finite number: the file is damaged or was badly quantized"));
  }
}

class GgufBlockFormat final : public Format {
 public:
  explicit GgufBlockFormat(const BlockType& type) : type_(type) {}

  std::string name() const override { return type_.name; }

  bool matches(const io::Checkpoint& checkpoint, const std::string& stem) const override {
    const io::TensorEntry* entry = checkpoint.tensors.find(stem + ".weight");
    return entry != nullptr && entry->dtype == type_.dtype;
  }

  PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request,
                    const LoadOptions& options) const override {
    const std::array<std::int64_t, 2> shape = {request.out, request.in};
    const io::TensorEntry& entry = checkpoint.tensors.require(request.name + ".weight", {type_.dtype}, shape);
    const std::string tensor = checkpoint.tensors.describe(entry);
    PackedWeight weight;
    weight.name = request.name;
    weight.format = name();
    weight.codes.layout = type_.layout;
    weight.codes.out = request.out;
    weight.codes.in = request.in;
    weight.codes.group = kBlock;
    weight.codes.codes = entry.bytes.data();
    weight.scale_shape = {request.out, request.in / kBlock};
    weight.signed_scales = true;
    weight.scale_dtype = core::Dtype::kF16;
    weight.scale_field = field(entry, 0);
    weight.file_scales = entry.bytes.data();
    weight.scales = read_halves(weight.file_scales, type_.bytes, weight.scale_field.count);
    check_finite(weight.scales, 'd', tensor);
    if (type_.has_minimum) load_minimum(entry, options.minimum_rule, weight, tensor);
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint&, const io::TensorEntry& entry) const override {
    if (entry.dtype != type_.dtype) return {};
    std::vector<io::ScaleField> fields = {field(entry, 0)};
    if (type_.has_minimum) fields.push_back(field(entry, kMinimumOffset));
    return fields;
  }

 private:
  io::ScaleField field(const io::TensorEntry& entry, std::uint64_t offset) const {
    io::ScaleField field;
    field.tensor = entry.name;
    field.file = entry.file;
    field.offset = entry.offset + offset;
    field.stride = type_.bytes;
    field.count = static_cast<std::int64_t>(entry.bytes.size() / type_.bytes);
    field.width = 2;
    return field;
  }

  void load_minimum(const io::TensorEntry& entry, MinimumRule rule, PackedWeight& weight,
                    const std::string& tensor) const {
    weight.minimum_rule = rule;
    weight.minimum_field = field(entry, kMinimumOffset);
    weight.file_minimum = entry.bytes.data() + kMinimumOffset;
    weight.minimum = read_halves(weight.file_minimum, type_.bytes, weight.minimum_field->count);
    check_finite(weight.minimum, 'm', tensor);
    if (rule == MinimumRule::kFixed) return;
    for (std::size_t i = 0; i < weight.minimum.size(); ++i) {
      if (weight.scales[i] == 0) {
        weight.constant_groups.push_back(static_cast<std::int64_t>(i));
      } else {
        weight.minimum[i] /= weight.scales[i];  // at most 65504 / 2^-24: no overflow in fp32
      }
    }
  }

  BlockType type_;
};

}  // namespace

std::unique_ptr<Format> make_gguf_block_format(core::Dtype dtype) {
  for (const BlockType& type : kTypes) {
    if (type.dtype == dtype) return std::make_unique<GgufBlockFormat>(type);
  }
  QZO_CHECK(false, "no block format for ", core::dtype_info(dtype).name);
}

}  // namespace qzo::quant
