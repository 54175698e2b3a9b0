#include "qzo/quant/formats/compressed_tensors.h"

#include <algorithm>
#include <cstring>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "quant/stored_scales.h"

namespace qzo::quant {
namespace {

using core::Dtype;
using Index = std::size_t;

std::vector<std::int32_t> integers_of(const io::TensorEntry& entry) {
  std::vector<std::int32_t> values(entry.bytes.size() / sizeof(std::int32_t));
  std::memcpy(values.data(), entry.bytes.data(), entry.bytes.size());
  return values;
}

// One tensor of a layer, found by what the layer is called in the model.
class Layer {
 public:
  Layer(const io::Checkpoint& checkpoint, const WeightRequest& request) : checkpoint_(checkpoint), request_(request) {}

  const io::TensorEntry& require(const char* ending, std::initializer_list<Dtype> dtypes,
                                 std::vector<std::int64_t> shape) const {
    return checkpoint_.tensors.require(request_.name + ending, dtypes, shape);
  }
  const io::TensorEntry* find(const char* ending) const { return checkpoint_.tensors.find(request_.name + ending); }
  // The dimension that tells bits or groups; 0 if the tensor is absent or no matrix.
  std::int64_t columns(const char* ending) const {
    const io::TensorEntry* entry = find(ending);
    return entry != nullptr && entry->shape.size() == 2 ? entry->shape[1] : 0;
  }
  const WeightRequest& request() const { return request_; }
  const io::Checkpoint& checkpoint() const { return checkpoint_; }

 private:
  const io::Checkpoint& checkpoint_;
  const WeightRequest& request_;
};

// weight_shape must agree with the model: a padded or mislabelled matrix would be read askew.
void check_shape(const Layer& layer) {
  const io::TensorEntry& entry = layer.require(".weight_shape", {Dtype::kI64, Dtype::kI32}, {2});
  std::int64_t shape[2] = {};
  if (entry.dtype == Dtype::kI64) {
    std::memcpy(shape, entry.bytes.data(), sizeof shape);
  } else {
    const std::vector<std::int32_t> narrow = integers_of(entry);
    std::ranges::copy(narrow, shape);
  }
  const WeightRequest& request = layer.request();
  if (shape[0] == request.out && shape[1] == request.in) return;
  throw core::UserError(core::text(layer.checkpoint().tensors.describe(entry), " is ",
                                   core::shape_text({shape[0], shape[1]}), ", expected ",
                                   core::shape_text({request.out, request.in}), " from the model's config"));
}

// [ceil(out*bits/32), groups] to [groups, out].
std::vector<std::uint8_t> unpack_zeros(const io::TensorEntry& packed, std::int64_t bits, std::int64_t out,
                                       std::int64_t groups) {
  const std::vector<std::int32_t> words = integers_of(packed);
  const std::int64_t per_word = 32 / bits;
  std::vector<std::uint8_t> zeros(static_cast<Index>(groups * out));
  for (std::int64_t n = 0; n < out; ++n)
    for (std::int64_t g = 0; g < groups; ++g) {
      const auto word = static_cast<std::uint32_t>(words[static_cast<Index>(n / per_word * groups + g)]);
      zeros[static_cast<Index>(g * out + n)] =
          static_cast<std::uint8_t>(word >> (n % per_word * bits) & ((1U << bits) - 1));
    }
  return zeros;
}

// The library permutes inputs by the sorted index and then takes groups of equal size; a -1 anywhere means none.
std::vector<std::int32_t> read_index(const Layer& layer, std::int64_t groups, std::int64_t group) {
  if (layer.find(".weight_g_idx") == nullptr) return {};
  const io::TensorEntry& entry = layer.require(".weight_g_idx", {Dtype::kI32}, {layer.request().in});
  if (std::ranges::count(integers_of(entry), -1) != 0) return {};
  std::vector<std::int32_t> group_of = read_group_index(layer.checkpoint(), entry, groups, group);
  for (std::int32_t g = 0; g < groups && !group_of.empty(); ++g) {
    const std::int64_t size = std::ranges::count(group_of, g);
    if (size == group) continue;
    throw core::UserError(core::text(layer.checkpoint().tensors.describe(entry), " names group ", g, " ", size,
                                     " times, expected ", group, ", the size of a group"));
  }
  return group_of;
}

std::int64_t bits_of(const Layer& layer) {
  const std::int64_t in = layer.request().in, words = layer.columns(".weight_packed");
  return words != 0 && words * 4 == in ? 8 : 4;
}

std::int64_t group_of(const Layer& layer, std::int64_t bits) {
  const WeightRequest& request = layer.request();
  const std::int64_t groups = std::max<std::int64_t>(layer.columns(".weight_scale"), 1);
  if (request.in % (32 / bits) == 0 && request.in % groups == 0) return request.in / groups;
  throw core::UserError(core::text(layer.checkpoint().tensors.where(), ": ", request.name, " has ", request.in,
                                   " inputs in ", groups, " groups of ", bits, "-bit codes, expected a multiple of ",
                                   32 / bits, " inputs and groups of equal size"));
}

class CompressedTensorsFormat final : public Format {
 public:
  std::string name() const override { return "compressed-tensors"; }

  bool matches(const io::Checkpoint& checkpoint, const std::string& stem) const override {
    return checkpoint.tensors.find(stem + ".weight_packed") != nullptr;
  }

  PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request, const LoadOptions&) const override {
    const Layer layer(checkpoint, request);
    const std::int64_t bits = bits_of(layer);
    const std::int64_t group = group_of(layer, bits);
    const std::int64_t groups = request.in / group;
    check_shape(layer);
    const io::TensorEntry& packed =
        layer.require(".weight_packed", {Dtype::kI32}, {request.out, request.in * bits / 32});
    const io::TensorEntry& scales =
        layer.require(".weight_scale", {Dtype::kF16, Dtype::kBF16, Dtype::kF32}, {request.out, groups});

    PackedWeight weight;
    weight.name = request.name;
    weight.format = name();
    weight.owned_group_of = read_index(layer, groups, group);
    weight.codes = {.layout = bits == 8 ? kernels::Layout::kRows8 : kernels::Layout::kRows4,
                    .out = request.out,
                    .in = request.in,
                    .group = group,
                    .codes = packed.bytes.data(),
                    .zero = 1 << (bits - 1),
                    .group_of = weight.owned_group_of.empty() ? nullptr : weight.owned_group_of.data()};
    if (layer.find(".weight_zero_point") != nullptr) {
      const std::int64_t words = (request.out * bits + 31) / 32;
      const io::TensorEntry& zeros = layer.require(".weight_zero_point", {Dtype::kI32}, {words, groups});
      set_zeros(unpack_zeros(zeros, bits, request.out, groups), weight);
    }
    weight.scale_shape = {request.out, groups};
    set_scales(checkpoint, scales, weight);
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint,
                                           const io::TensorEntry& entry) const override {
    return fields_of(*this, checkpoint, entry, ".weight_scale");
  }
};

}  // namespace

std::unique_ptr<Format> make_compressed_tensors_format() { return std::make_unique<CompressedTensorsFormat>(); }

}  // namespace qzo::quant
