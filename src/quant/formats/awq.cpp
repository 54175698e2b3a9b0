#include "qzo/quant/formats/awq.h"

#include <array>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "quant/settings.h"
#include "quant/stored_scales.h"

namespace qzo::quant {
namespace {

using core::Dtype;

constexpr std::int64_t kOutputsPerWord = 8;

// The zero points in the order of the outputs.
std::vector<std::uint8_t> unpack_zeros(const io::TensorEntry& qzeros) {
  constexpr std::array<std::size_t, 8> kNibble = {0, 4, 1, 5, 2, 6, 3, 7};  // of output i of eight
  const auto count = static_cast<std::int64_t>(qzeros.bytes.size()) * 2;
  const std::vector<std::uint8_t> stored = unpack_integers(qzeros.bytes, 4, count);
  std::vector<std::uint8_t> zeros(stored.size());
  for (std::size_t i = 0; i < zeros.size(); ++i) zeros[i] = stored[i / 8 * 8 + kNibble[i % 8]];
  return zeros;
}

class AwqFormat final : public Format {
 public:
  std::string name() const override { return "awq"; }

  bool matches(const io::Checkpoint& checkpoint, const std::string& stem) const override {
    return checkpoint.tensors.find(stem + ".qweight") != nullptr && checkpoint.tensors.find(stem + ".g_idx") == nullptr;
  }

  PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request, const LoadOptions&) const override {
    const io::TensorSource& tensors = checkpoint.tensors;
    if (checkpoint.quantization.is_null()) {
      throw core::UserError(core::text(tensors.where(), ": ", request.name,
                                       " is stored as AWQ (qweight without g_idx), but there are no quantization "
                                       "settings: expected quant_config.json or quantization_config in config.json"));
    }
    const std::int64_t size = read_awq_group_size(checkpoint);
    const std::int64_t group = size == -1 ? request.in : size;
    check_divisible(tensors, request, group);
    const std::int64_t groups = request.in / group;
    const std::int64_t words = request.out / kOutputsPerWord;
    const auto require = [&](const char* ending, std::initializer_list<Dtype> dtypes,
                             std::vector<std::int64_t> shape) -> const io::TensorEntry& {
      return tensors.require(request.name + ending, dtypes, shape);
    };
    const io::TensorEntry& qweight = require(".qweight", {Dtype::kI32}, {request.in, words});
    const io::TensorEntry& qzeros = require(".qzeros", {Dtype::kI32}, {groups, words});
    const io::TensorEntry& scales = require(".scales", {Dtype::kF16, Dtype::kBF16, Dtype::kF32}, {groups, request.out});

    PackedWeight weight;
    weight.name = request.name;
    weight.format = name();
    weight.codes = {.layout = kernels::Layout::kAwq4,
                    .out = request.out,
                    .in = request.in,
                    .group = group,
                    .codes = qweight.bytes.data()};
    set_zeros(unpack_zeros(qzeros), weight);
    weight.scale_shape = {groups, request.out};
    set_scales(checkpoint, scales, weight);
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint,
                                           const io::TensorEntry& entry) const override {
    return fields_of(*this, checkpoint, entry, ".scales");
  }

 private:
  static void check_divisible(const io::TensorSource& tensors, const WeightRequest& request, std::int64_t group) {
    if (request.out % kOutputsPerWord != 0) {
      throw core::UserError(core::text(tensors.where(), ": ", request.name, " has ", request.out,
                                       " outputs, expected a multiple of 8 since AWQ packs eight of them to a word"));
    }
    if (request.in % group == 0 && request.in % 4 == 0) return;
    throw core::UserError(core::text(tensors.where(), ": ", request.name, " has ", request.in,
                                     " inputs, expected a multiple of 4 and of the group size, ", group));
  }
};

}  // namespace

std::unique_ptr<Format> make_awq_format() { return std::make_unique<AwqFormat>(); }

}  // namespace qzo::quant
