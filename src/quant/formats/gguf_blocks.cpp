#include "qzo/quant/formats/gguf_blocks.h"

#include <array>

#include "qzo/core/check.h"

#include "quant/gguf_scales.h"

namespace qzo::quant {
namespace {

constexpr std::int64_t kBlock = 32;
constexpr std::uint64_t kMinimumOffset = 2;  // of m behind d

struct BlockType {
  core::Dtype dtype;
  const char* name;
  kernels::Layout layout;
};
constexpr std::array<BlockType, 5> kTypes = {{
    {core::Dtype::kQ4_0, "q4_0", kernels::Layout::kQ4_0},
    {core::Dtype::kQ4_1, "q4_1", kernels::Layout::kQ4_1},
    {core::Dtype::kQ5_0, "q5_0", kernels::Layout::kQ5_0},
    {core::Dtype::kQ5_1, "q5_1", kernels::Layout::kQ5_1},
    {core::Dtype::kQ8_0, "q8_0", kernels::Layout::kQ8_0},
}};

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
    load_block_scales(entry, 0, tensor, weight);
    if (has_minimum()) load_block_minima(entry, kMinimumOffset, "m", options.minimum_rule, tensor, weight);
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint&, const io::TensorEntry& entry) const override {
    if (entry.dtype != type_.dtype) return {};
    std::vector<io::ScaleField> fields = {block_field(entry, 0)};
    if (has_minimum()) fields.push_back(block_field(entry, kMinimumOffset));
    return fields;
  }

 private:
  bool has_minimum() const { return kernels::has_offsets(type_.layout); }

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
