#include "qzo/quant/formats/bitsandbytes.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "quant/bitsandbytes_state.h"
#include "quant/stored_scales.h"

namespace qzo::quant {
namespace {

using core::Dtype;

// Rows begin at whole words of eight nibbles: the kernels read them so.
constexpr std::int64_t kInputsPerWord = 8;

class BitsandbytesFormat final : public Format {
 public:
  explicit BitsandbytesFormat(std::string quant_type) : quant_type_(std::move(quant_type)) {}

  std::string name() const override { return quant_type_; }

  bool matches(const io::Checkpoint& checkpoint, const std::string& stem) const override {
    return checkpoint.tensors.find(state_name(stem, quant_type_)) != nullptr;
  }

  PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request, const LoadOptions&) const override {
    const io::TensorSource& tensors = checkpoint.tensors;
    if (request.in % kInputsPerWord != 0) {
      throw core::UserError(core::text(tensors.where(), ": ", request.name, " has ", request.in, " inputs, which ",
                                       quant_type_, " is not supported for yet; supported: multiples of 8"));
    }
    BitsandbytesState state = read_bitsandbytes_state(checkpoint, request.name, quant_type_, request.out, request.in);
    PackedWeight weight;
    weight.name = request.name;
    weight.format = quant_type_;
    weight.owned_table = std::move(state.table);
    // The widest group that no block ends within.
    const std::int64_t group = std::gcd(request.in, state.blocksize);
    weight.codes = {.layout = kernels::Layout::kTable4,
                    .out = request.out,
                    .in = request.in,
                    .group = group,
                    .codes = codes_of(tensors, request).bytes.data(),
                    .table = weight.owned_table.data()};
    weight.groups_per_master = state.blocksize / group;
    weight.scale_shape = {static_cast<std::int64_t>(state.absmax.size())};
    weight.scales = std::move(state.absmax);
    for (std::size_t i = 0; i < weight.scales.size(); ++i) {
      if (weight.scales[i] == 0) weight.constant_groups.push_back(static_cast<std::int64_t>(i));
    }
    weight.scale_dtype = Dtype::kF32;
    weight.nested = state.nested;
    if (!state.nested) {
      weight.scale_field = field_of(*state.absmax_entry);
      weight.file_scales = state.absmax_entry->bytes.data();
    }
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint,
                                           const io::TensorEntry& entry) const override {
    if (entry.dtype != Dtype::kF32) return {};
    return fields_of(*this, checkpoint, entry, ".weight.absmax");
  }

 private:
  // Any element type: only the bytes count.
  static const io::TensorEntry& codes_of(const io::TensorSource& tensors, const WeightRequest& request) {
    const io::TensorEntry* entry = tensors.find(request.name + ".weight");
    if (entry == nullptr) {
      throw core::UserError(core::text(tensors.where(), ": tensor \"", request.name,
                                       ".weight\" is missing, though its quantization state is there"));
    }
    const std::int64_t width = core::dtype_info(entry->dtype).block_bytes;
    const std::int64_t bytes = request.out * request.in / 2;
    const std::vector<std::int64_t> shape = {(bytes + width - 1) / width, 1};
    if (entry->shape == shape) return *entry;
    throw core::UserError(core::text(tensors.describe(*entry), " has shape ", core::shape_text(entry->shape),
                                     ", expected ", core::shape_text(shape), ": two weights a byte, as ",
                                     core::dtype_info(entry->dtype).name));
  }

  std::string quant_type_;
};

}  // namespace

std::unique_ptr<Format> make_nf4_format() { return std::make_unique<BitsandbytesFormat>("nf4"); }
std::unique_ptr<Format> make_fp4_format() { return std::make_unique<BitsandbytesFormat>("fp4"); }

}  // namespace qzo::quant
