#include "qzo/quant/formats/dense.h"

#include <array>
#include <cstring>
#include <optional>
#include <utility>

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

// Kernels read rows of outputs: a matrix stored as [in, out] is turned once, in memory of its own.
void transpose(const io::TensorEntry& entry, PackedWeight& weight) {
  const auto out = static_cast<std::size_t>(weight.codes.out), in = static_cast<std::size_t>(weight.codes.in);
  const std::size_t width = entry.bytes.size() / (out * in);
  weight.owned_codes.resize(entry.bytes.size());
  for (std::size_t n = 0; n < out; ++n) {
    for (std::size_t k = 0; k < in; ++k)
      std::memcpy(weight.owned_codes.data() + (n * in + k) * width, entry.bytes.data() + (k * out + n) * width, width);
  }
  weight.codes.codes = weight.owned_codes.data();
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
    std::array<std::int64_t, 2> shape = {request.out, request.in};
    if (request.transposed) std::swap(shape[0], shape[1]);
    const io::TensorEntry& entry = checkpoint.tensors.require(
        request.name + ".weight", {core::Dtype::kF32, core::Dtype::kF16, core::Dtype::kBF16}, shape);
    PackedWeight weight;
    weight.name = request.name;
    weight.format = name();
    weight.codes.layout = *layout_of(entry.dtype);
    weight.codes.out = request.out;
    weight.codes.in = request.in;
    weight.codes.codes = entry.bytes.data();
    if (request.transposed) transpose(entry, weight);
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint&, const io::TensorEntry&) const override { return {}; }
};

}  // namespace

std::unique_ptr<Format> make_dense_format() { return std::make_unique<DenseFormat>(); }

}  // namespace qzo::quant
