#include "qzo/quant/formats/gptq.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"

#include "quant/scale_value.h"
#include "quant/settings.h"

namespace qzo::quant {
namespace {

using core::Dtype;
using Index = std::size_t;
using Histogram = std::array<std::int64_t, 16>;

constexpr std::int64_t kCodesPerWord = 8;
constexpr std::uint8_t kSymmetricZero = 8;

std::uint32_t word_at(std::span<const std::byte> bytes, std::int64_t index) {
  std::uint32_t word;
  std::memcpy(&word, bytes.data() + static_cast<Index>(index) * sizeof(word), sizeof(word));
  return word;
}

std::string histogram_text(const Histogram& histogram) {
  std::string text;
  for (Index value = 0; value < histogram.size(); ++value) {
    if (histogram[value] != 0) text += core::text(text.empty() ? "" : ", ", value, " (", histogram[value], " times)");
  }
  return text;
}

// Stored zero points [groups, out], one byte each.
std::vector<std::uint8_t> unpack_zeros(const io::TensorEntry& qzeros) {
  std::vector<std::uint8_t> zeros(qzeros.bytes.size() * 2);
  for (Index i = 0; i < zeros.size(); ++i) {
    const std::uint32_t word = word_at(qzeros.bytes, static_cast<std::int64_t>(i) / kCodesPerWord);
    zeros[i] = static_cast<std::uint8_t>((word >> (i % kCodesPerWord * 4)) & 15U);
  }
  return zeros;
}

// Symmetric weights show their version, whatever the label says; where every zero of a matrix is 7, or every one 8, the
// weight is taken as symmetric even if the settings deny it.
ZeroVersion zero_version(const std::vector<std::uint8_t>& stored, const GptqSettings& settings,
                         const std::string& tensor) {
  Histogram histogram{};
  for (const std::uint8_t zero : stored) ++histogram[zero];
  const auto count = static_cast<std::int64_t>(stored.size());
  if (histogram[kSymmetricZero - 1] == count) return ZeroVersion::kV1;
  if (histogram[kSymmetricZero] == count) return ZeroVersion::kV2;
  if (settings.symmetric.value_or(false)) {
    throw core::UserError(core::text(tensor, " holds the zero points ", histogram_text(histogram),
                                     ", expected 7 (gptq) or 8 (gptq_v2) throughout since the settings say sym = true: "
                                     "set model.gptq_zero_version if the settings are wrong"));
  }
  core::log_debug(core::text(tensor, ": asymmetric zero points ", histogram_text(histogram), ", taken as ",
                             settings.label == ZeroVersion::kV1 ? "gptq (zero - 1)" : "gptq_v2", " from the label"));
  return settings.label;
}

void check_scales(const PackedWeight& weight, const std::string& tensor) {
  const auto bad = std::ranges::find_if_not(weight.scales, [](float scale) { return std::isfinite(scale); });
  if (bad == weight.scales.end()) return;
  const auto index = bad - weight.scales.begin();
  throw core::UserError(core::text(tensor, ": scales[", index / weight.codes.out, ", ", index % weight.codes.out,
                                   "] is ", *bad,
                                   ", expected a finite number: the file is damaged or was badly quantized"));
}

// Group of each input, checked. Empty if it is k / group throughout.
std::vector<std::int32_t> read_group_index(const io::TensorEntry& g_idx, std::int64_t groups, std::int64_t group,
                                           const std::string& tensor) {
  std::vector<std::int32_t> group_of(g_idx.bytes.size() / sizeof(std::int32_t));
  std::memcpy(group_of.data(), g_idx.bytes.data(), g_idx.bytes.size());
  std::vector<bool> used(static_cast<Index>(groups));
  bool in_order = true;
  for (Index k = 0; k < group_of.size(); ++k) {
    if (group_of[k] < 0 || group_of[k] >= groups) {
      throw core::UserError(core::text(tensor, ": g_idx[", k, "] is ", group_of[k], ", though there ",
                                       groups == 1 ? "is 1 group" : core::text("are ", groups, " groups")));
    }
    used[static_cast<Index>(group_of[k])] = true;
    in_order = in_order && group_of[k] == static_cast<std::int64_t>(k) / group;
  }
  // Writers that leave g_idx unset (all 0) mean k / group; reading it as it stands would give garbage without a sound.
  if (const auto unused = std::ranges::find(used, false); unused != used.end()) {
    throw core::UserError(core::text(tensor, " never names group ", unused - used.begin(), " of ", groups,
                                     ", expected every group to be used: g_idx was not filled in by the writer"));
  }
  if (in_order) group_of.clear();
  return group_of;
}

// Symmetric quantization has one zero point throughout: no need to keep it for every group, and cheaper to multiply.
std::int32_t drop_constant_zeros(std::vector<std::uint8_t>& zeros) {
  const std::uint8_t first = zeros.front();
  if (std::ranges::any_of(zeros, [first](std::uint8_t zero) { return zero != first; })) return 0;
  zeros = {};
  return first;
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
    check_divisible(tensors, request);
    const std::int64_t group = settings.group_size == -1 ? request.in : std::min(settings.group_size, request.in);
    const std::int64_t groups = (request.in + group - 1) / group;
    const auto require = [&](const char* ending, std::initializer_list<Dtype> dtypes,
                             std::vector<std::int64_t> shape) -> const io::TensorEntry& {
      return tensors.require(request.name + ending, dtypes, shape);
    };
    const io::TensorEntry& qweight = require(".qweight", {Dtype::kI32}, {request.in / kCodesPerWord, request.out});
    const io::TensorEntry& qzeros = require(".qzeros", {Dtype::kI32}, {groups, request.out / kCodesPerWord});
    const io::TensorEntry& scales = require(".scales", {Dtype::kF16, Dtype::kBF16, Dtype::kF32}, {groups, request.out});
    const io::TensorEntry& g_idx = require(".g_idx", {Dtype::kI32}, {request.in});

    PackedWeight weight;
    weight.name = request.name;
    weight.format = name();
    weight.owned_group_of = read_group_index(g_idx, groups, group, tensors.describe(g_idx));
    set_true_zeros(qzeros, settings, options.gptq_zero_version, tensors.describe(qzeros), weight);
    const std::int32_t constant_zero = drop_constant_zeros(weight.owned_zeros);
    weight.codes = {.layout = kernels::Layout::kGptq4,
                    .out = request.out,
                    .in = request.in,
                    .group = group,
                    .codes = qweight.bytes.data(),
                    .zeros = weight.owned_zeros.empty() ? nullptr : weight.owned_zeros.data(),
                    .zero = constant_zero,
                    .group_of = weight.owned_group_of.empty() ? nullptr : weight.owned_group_of.data()};
    weight.scale_shape = {groups, request.out};
    weight.scale_dtype = scales.dtype;
    weight.scale_field = field(scales);
    weight.file_scales = scales.bytes.data();
    weight.scales = io::read_floats(scales);
    check_scales(weight, tensors.describe(scales));
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint,
                                           const io::TensorEntry& entry) const override {
    constexpr std::string_view kEnding = ".scales";
    if (!entry.name.ends_with(kEnding)) return {};
    const std::string stem = entry.name.substr(0, entry.name.size() - kEnding.size());
    const bool plain = entry.dtype == Dtype::kF16 || entry.dtype == Dtype::kBF16 || entry.dtype == Dtype::kF32;
    if (!plain || !matches(checkpoint, stem)) return {};
    return {field(entry)};
  }

 private:
  static io::ScaleField field(const io::TensorEntry& entry) {
    const auto width = static_cast<std::uint32_t>(core::dtype_info(entry.dtype).block_bytes);
    io::ScaleField field;
    field.tensor = entry.name;
    field.file = entry.file;
    field.offset = entry.offset;
    field.stride = width;
    field.count = static_cast<std::int64_t>(entry.bytes.size() / width);
    field.width = width;
    return field;
  }

  static void check_divisible(const io::TensorSource& tensors, const WeightRequest& request) {
    const bool input_fits = request.in % kCodesPerWord == 0;
    if (input_fits && request.out % kCodesPerWord == 0) return;
    throw core::UserError(core::text(tensors.where(), ": ", request.name, " has ",
                                     input_fits ? request.out : request.in, input_fits ? " outputs" : " inputs",
                                     ", expected a multiple of 8 since GPTQ packs eight codes to a word"));
  }

  static void set_true_zeros(const io::TensorEntry& qzeros, const GptqSettings& settings, ZeroVersion forced,
                             const std::string& tensor, PackedWeight& weight) {
    std::vector<std::uint8_t>& zeros = weight.owned_zeros;
    zeros = unpack_zeros(qzeros);
    const ZeroVersion version = forced == ZeroVersion::kAuto ? zero_version(zeros, settings, tensor) : forced;
    if (version == ZeroVersion::kV2) return;
    weight.ambiguous_zeros = std::ranges::count(zeros, 15);
    for (std::uint8_t& zero : zeros) zero = (zero + 1) & 15;
  }
};

}  // namespace

std::unique_ptr<Format> make_gptq_format() { return std::make_unique<GptqFormat>(); }

}  // namespace qzo::quant
