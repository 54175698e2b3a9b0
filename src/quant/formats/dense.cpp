#include "qzo/quant/formats/dense.h"

#include <array>
#include <optional>

namespace qzo::quant {
namespace {

std::optional<kernels::Layout> layout_of(core::Dtype dtype) {
  switch (dtype) {
    case core::Dtype::kF32:
      return kernels::Layout::kDenseF32;
    case core::Dtype::kF16:
      return kernels::Layout::kDenseF16;
    case core::Dtype::kBF16:
      return kernels::Layout::kDenseBF16;
    default:
      return std::nullopt;
  }
}

class DenseFormat final : public Format {
 public:
  std::string name() const override { return "dense"; }

  // bitsandbytes can store packed nibbles under a float dtype; its absmax stands beside them.
  bool matches(const io::Checkpoint& checkpoint, const std::string& stem) const override {
    const io::TensorEntry* entry = checkpoint.tensors.find(stem + ".weight");
    return entry != nullptr && layout_of(entry->dtype) && checkpoint.tensors.find(stem + ".weight.absmax") == nullptr;
  }

  PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request, const LoadOptions&) const override {
    const std::array<std::int64_t, 2> shape = {request.out, request.in};
    const io::TensorEntry& entry = checkpoint.tensors.require(
        request.name + ".weight", {core::Dtype::kF32, core::Dtype::kF16, core::Dtype::kBF16}, shape);
    PackedWeight weight;
    weight.name = request.name;
    weight.format = name();
    weight.codes.layout = *layout_of(entry.dtype);
    weight.codes.out = request.out;
    weight.codes.in = request.in;
    weight.codes.codes = entry.bytes.data();
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint&, const io::TensorEntry&) const override { return {}; }
};

}  // namespace

std::unique_ptr<Format> make_dense_format() { return std::make_unique<DenseFormat>(); }

}  // namespace qzo::quant
