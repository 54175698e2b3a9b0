#include "qzo/quant/formats/gguf_k_quants.h"

#include <array>
#include <cstring>

#include "qzo/core/check.h"

#include "quant/chunks.h"
#include "quant/gguf_scales.h"

namespace qzo::quant {
namespace {

using Index = std::size_t;

constexpr std::int64_t kBlock = 256;
constexpr std::uint64_t kMinimumOffset = 2;  // of dmin behind d
constexpr std::uint64_t kSixBitScales = 4;
constexpr std::uint64_t kByteScales = 192;  // Q6_K

struct KQuant {
  core::Dtype dtype;
  const char* name;
  kernels::Layout layout;
  std::int64_t part;  // weights under one integer scale
  std::uint64_t d_offset;
};
constexpr std::array<KQuant, 3> kTypes = {{
    {core::Dtype::kQ4_K, "q4_k", kernels::Layout::kQ4_K, 32, 0},
    {core::Dtype::kQ5_K, "q5_k", kernels::Layout::kQ5_K, 32, 0},
    {core::Dtype::kQ6_K, "q6_k", kernels::Layout::kQ6_K, 16, 208},
}};

// The eight scales and minima of twelve bytes; minima negated, since they are subtracted.
void unpack_six_bits(const std::byte* packed, std::int8_t* scales, std::int8_t* minimums) {
  std::array<unsigned, 12> s;
  for (Index i = 0; i < s.size(); ++i) s[i] = std::to_integer<unsigned>(packed[i]);
  for (Index j = 0; j < 8; ++j) {
    const unsigned scale = j < 4 ? s[j] & 63U : (s[j + 4] & 15U) | s[j - 4] >> 6 << 4;
    const unsigned minimum = j < 4 ? s[j + 4] & 63U : s[j + 4] >> 4 | s[j] >> 6 << 4;
    scales[j] = static_cast<std::int8_t>(scale);
    minimums[j] = static_cast<std::int8_t>(-static_cast<int>(minimum));
  }
}

class GgufKQuantFormat final : public Format {
 public:
  explicit GgufKQuantFormat(const KQuant& type) : type_(type) {}

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
    weight.codes.group = type_.part;
    weight.codes.codes = entry.bytes.data();
    weight.scale_shape = {request.out, request.in / kBlock};
    weight.groups_per_master = kBlock / type_.part;
    load_block_scales(entry, type_.d_offset, tensor, weight);
    if (has_minimum()) load_block_minima(entry, kMinimumOffset, "dmin", options.minimum_rule, tensor, weight);
    load_parts(entry, weight);
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint&, const io::TensorEntry& entry) const override {
    if (entry.dtype != type_.dtype) return {};
    std::vector<io::ScaleField> fields = {block_field(entry, type_.d_offset)};
    if (has_minimum()) fields.push_back(block_field(entry, kMinimumOffset));
    return fields;
  }

 private:
  bool has_minimum() const { return kernels::has_offsets(type_.layout); }

  void load_parts(const io::TensorEntry& entry, PackedWeight& weight) const {
    const auto blocks = static_cast<std::int64_t>(weight.scales.size());
    const auto parts = static_cast<Index>(weight.groups_per_master);
    const auto block_bytes = static_cast<Index>(core::dtype_info(type_.dtype).block_bytes);
    weight.part_scales.resize(weight.scales.size() * parts);
    if (has_minimum()) weight.part_minimums.resize(weight.part_scales.size());
    for_chunks(blocks, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<Index>(begin); i < static_cast<Index>(end); ++i) {
        const std::byte* block = entry.bytes.data() + i * block_bytes;
        std::int8_t* scales = weight.part_scales.data() + i * parts;
        if (has_minimum())
          unpack_six_bits(block + kSixBitScales, scales, weight.part_minimums.data() + i * parts);
        else
          std::memcpy(scales, block + kByteScales, parts);
      }
    });
  }

  KQuant type_;
};

}  // namespace

std::unique_ptr<Format> make_gguf_k_quant_format(core::Dtype dtype) {
  for (const KQuant& type : kTypes) {
    if (type.dtype == dtype) return std::make_unique<GgufKQuantFormat>(type);
  }
  QZO_CHECK(false, "no K-quant format for ", core::dtype_info(dtype).name);
}

}  // namespace qzo::quant
