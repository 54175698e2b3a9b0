#include "qzo/quant/formats/gptq.h"

#include <algorithm>
#include <array>

#include "qzo/core/error.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"

#include "quant/settings.h"
#include "quant/stored_scales.h"

namespace qzo::quant {
namespace {

using core::Dtype;
using Index = std::size_t;
using Histogram = std::array<std::int64_t, 256>;

// Codes of consecutive outputs (in qzeros) or inputs fill whole words from here on.
std::int64_t codes_in_whole_words(std::int64_t bits) { return bits == 3 ? 32 : 32 / bits; }

kernels::Layout layout_of(std::int64_t bits) {
  switch (bits) {
    case 2:
      return kernels::Layout::kGptq2;
    case 3:
      return kernels::Layout::kGptq3;
    case 8:
      return kernels::Layout::kGptq8;
    default:
      return kernels::Layout::kGptq4;
  }
}

std::string histogram_text(const Histogram& histogram) {
  std::string text;
  for (Index value = 0; value < histogram.size(); ++value) {
    if (histogram[value] != 0) text += core::text(text.empty() ? "" : ", ", value, " (", histogram[value], " times)");
  }
  return text;
}

// Symmetric weights show their version, whatever the label says; where every zero of a matrix is the middle of the
// codes (8 of 16), or every one that less one, the weight is taken as symmetric even if the settings deny it.
ZeroVersion zero_version(const std::vector<std::uint8_t>& stored, const GptqSettings& settings,
                         const std::string& tensor) {
  Histogram histogram{};
  for (const std::uint8_t zero : stored) ++histogram[zero];
  const auto count = static_cast<std::int64_t>(stored.size());
  const Index middle = Index{1} << (settings.bits - 1);
  if (histogram[middle - 1] == count) return ZeroVersion::kV1;
  if (histogram[middle] == count) return ZeroVersion::kV2;
  if (settings.symmetric.value_or(false)) {
    throw core::UserError(core::text(tensor, " holds the zero points ", histogram_text(histogram), ", expected ",
                                     middle - 1, " (gptq) or ", middle,
                                     " (gptq_v2) throughout since the "
                                     "settings say sym = true: set model.gptq_zero_version if the settings are wrong"));
  }
  core::log_debug(core::text(tensor, ": asymmetric zero points ", histogram_text(histogram), ", taken as ",
                             settings.label == ZeroVersion::kV1 ? "gptq (zero - 1)" : "gptq_v2", " from the label"));
  return settings.label;
}

class GptqFormat final : public Format {
 public:
  std::string name() const override { return "gptq"; }

  bool matches(const io::Checkpoint& checkpoint, const std::string& stem) const override {
    return checkpoint.tensors.find(stem + ".qweight") != nullptr && checkpoint.tensors.find(stem + ".g_idx") != nullptr;
  }

  PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request,
                    const LoadOptions& options) const override {
    const io::TensorSource& tensors = checkpoint.tensors;
    if (checkpoint.quantization.is_null()) {
      throw core::UserError(core::text(tensors.where(), ": ", request.name,
                                       " is stored as GPTQ, but there are no quantization settings: expected "
                                       "quantize_config.json or quantization_config in config.json"));
    }
    const GptqSettings settings = read_gptq_settings(checkpoint);
    check_divisible(tensors, request, settings.bits);
    const std::int64_t group = settings.group_size == -1 ? request.in : std::min(settings.group_size, request.in);
    const std::int64_t groups = (request.in + group - 1) / group;
    const auto require = [&](const char* ending, std::initializer_list<Dtype> dtypes,
                             std::vector<std::int64_t> shape) -> const io::TensorEntry& {
      return tensors.require(request.name + ending, dtypes, shape);
    };
    const io::TensorEntry& qweight = require(".qweight", {Dtype::kI32}, {request.in * settings.bits / 32, request.out});
    const io::TensorEntry& qzeros = require(".qzeros", {Dtype::kI32}, {groups, request.out * settings.bits / 32});
    const io::TensorEntry& scales = require(".scales", {Dtype::kF16, Dtype::kBF16, Dtype::kF32}, {groups, request.out});
    const io::TensorEntry& g_idx = require(".g_idx", {Dtype::kI32}, {request.in});

    PackedWeight weight;
    weight.name = request.name;
    // Apart from 4 bits, for which settings of runs were published: scales are of another size.
    weight.format = settings.bits == 4 ? name() : core::text(name(), settings.bits);
    weight.owned_group_of = read_group_index(checkpoint, g_idx, groups, group);
    weight.codes = {.layout = layout_of(settings.bits),
                    .out = request.out,
                    .in = request.in,
                    .group = group,
                    .codes = qweight.bytes.data(),
                    .group_of = weight.owned_group_of.empty() ? nullptr : weight.owned_group_of.data()};
    set_true_zeros(qzeros, settings, options.gptq_zero_version, tensors.describe(qzeros), weight);
    weight.scale_shape = {groups, request.out};
    set_scales(checkpoint, scales, weight);
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint,
                                           const io::TensorEntry& entry) const override {
    return fields_of(*this, checkpoint, entry, ".scales");
  }

 private:
  static void check_divisible(const io::TensorSource& tensors, const WeightRequest& request, std::int64_t bits) {
    const std::int64_t multiple = codes_in_whole_words(bits);
    const bool input_fits = request.in % multiple == 0;
    if (input_fits && request.out % multiple == 0) return;
    throw core::UserError(core::text(tensors.where(), ": ", request.name, " has ",
                                     input_fits ? request.out : request.in, input_fits ? " outputs" : " inputs",
                                     ", expected a multiple of ", multiple, " since GPTQ packs ", bits,
                                     "-bit codes into whole words"));
  }

  static void set_true_zeros(const io::TensorEntry& qzeros, const GptqSettings& settings, ZeroVersion forced,
                             const std::string& tensor, PackedWeight& weight) {
    const auto largest = static_cast<std::uint8_t>((1U << settings.bits) - 1);
    const std::int64_t count = static_cast<std::int64_t>(qzeros.bytes.size()) * 8 / settings.bits;
    std::vector<std::uint8_t> zeros = unpack_integers(qzeros.bytes, settings.bits, count);
    const ZeroVersion version = forced == ZeroVersion::kAuto ? zero_version(zeros, settings, tensor) : forced;
    if (version == ZeroVersion::kV1) {
      weight.ambiguous_zeros = std::ranges::count(zeros, largest);
      for (std::uint8_t& zero : zeros) zero = (zero + 1) & largest;
    }
    set_zeros(std::move(zeros), weight);
  }
};

}  // namespace

std::unique_ptr<Format> make_gptq_format() { return std::make_unique<GptqFormat>(); }

}  // namespace qzo::quant
