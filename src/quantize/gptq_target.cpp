#include "qzo/core/build_info.h"
#include "qzo/core/check.h"
#include "qzo/quantize/target.h"

#include "quantize/bit_stream.h"
#include "quantize/encoding.h"
#include "quantize/rows.h"

namespace qzo::quantize {
namespace {

using core::Dtype;
using Index = std::size_t;

class GptqTarget final : public Target {
 public:
  explicit GptqTarget(const GptqOptions& options) : options_(options) {
    QZO_CHECK(options.bits == 2 || options.bits == 3 || options.bits == 4 || options.bits == 8, options.bits, " bits");
  }

  std::string name() const override { return "gptq"; }
  io::CheckpointKind kind() const override { return io::CheckpointKind::kHuggingFace; }
  bool can_calibrate() const override { return true; }

  std::vector<io::TensorPlan> plan(const WeightShape& shape) const override {
    const std::int64_t multiple = options_.bits == 3 ? 32 : 32 / options_.bits;
    for (const std::int64_t length : {shape.in, shape.out}) {
      if (length % multiple == 0) continue;
      throw core::UserError(core::text(shape.stem, " is a matrix of [", shape.out, ", ", shape.in,
                                       "], expected multiples of ", multiple, " since GPTQ packs ", options_.bits,
                                       "-bit codes into whole words: use another --bits or --format"));
    }
    const std::int64_t groups = (shape.in + group(shape.in) - 1) / group(shape.in);
    return {{shape.stem + ".qweight", Dtype::kI32, {shape.in * options_.bits / 32, shape.out}},
            {shape.stem + ".qzeros", Dtype::kI32, {groups, shape.out * options_.bits / 32}},
            {shape.stem + ".scales", Dtype::kF16, {groups, shape.out}},
            {shape.stem + ".g_idx", Dtype::kI32, {shape.in}}};
  }

  Encoded encode(const WeightShape& shape, const at::Tensor& weight, const at::Tensor& hessian) const override {
    const GroupedCodes codes =
        choose_codes(weight, hessian,
                     {.rule = {options_.symmetric ? GridKind::kSymmetric : GridKind::kAsymmetric, options_.bits},
                      .group = group(shape.in),
                      .damp = options_.damp,
                      .act_order = options_.act_order});
    check_range(codes, shape.stem);
    Encoded result;
    result.tensors = {qweight(codes), qzeros(codes), scales(codes), group_index(codes)};
    result.values = codes.values();
    return result;
  }

  core::Json settings() const override {
    return {{"quant_method", "gptq"},
            {"bits", options_.bits},
            {"group_size", options_.group_size},
            {"desc_act", options_.act_order},
            {"sym", options_.symmetric},
            {"damp_percent", options_.damp},
            {"static_groups", false},
            {"true_sequential", true},
            {"lm_head", false},
            {"pack_dtype", "int32"},
            {"checkpoint_format", "gptq"},
            {"meta", {{"quantizer", "qzo:" + core::version()}}}};
  }

 private:
  std::int64_t group(std::int64_t inputs) const {
    return options_.group_size == -1 ? inputs : std::min(options_.group_size, inputs);
  }

  // [in * bits / 32, out]: a stream of its inputs down each column.
  std::vector<std::byte> qweight(const GroupedCodes& codes) const {
    std::vector<std::uint32_t> words(static_cast<Index>(codes.in * options_.bits / 32 * codes.out));
    for_rows(codes.out, [&](std::int64_t n) {
      BitStream column(words.data() + n, codes.out);
      for (std::int64_t k = 0; k < codes.in; ++k)
        column.push(codes.codes[static_cast<Index>(n * codes.in + k)], options_.bits);
    });
    return bytes_of(words);
  }

  // [groups, out * bits / 32]: a stream of its outputs along each row; v1 stores the zero point less one.
  std::vector<std::byte> qzeros(const GroupedCodes& codes) const {
    const std::int64_t row = codes.out * options_.bits / 32;
    std::vector<std::uint32_t> words(static_cast<Index>(codes.groups() * row));
    for (std::int64_t g = 0; g < codes.groups(); ++g) {
      BitStream stream(words.data() + g * row, 1);
      for (std::int64_t n = 0; n < codes.out; ++n) {
        const std::int32_t zero = codes.grids[static_cast<Index>(n * codes.groups() + g)].zero;
        stream.push(static_cast<std::uint32_t>(zero - 1), options_.bits);
      }
    }
    return bytes_of(words);
  }

  static std::vector<std::byte> scales(const GroupedCodes& codes) {
    std::vector<std::uint16_t> halves;
    for (std::int64_t g = 0; g < codes.groups(); ++g) {
      for (std::int64_t n = 0; n < codes.out; ++n)
        halves.push_back(core::float_to_half(codes.grids[static_cast<Index>(n * codes.groups() + g)].scale));
    }
    return bytes_of(halves);
  }

  static std::vector<std::byte> group_index(const GroupedCodes& codes) {
    std::vector<std::int32_t> index = codes.group_of;
    for (std::int64_t k = 0; codes.group_of.empty() && k < codes.in; ++k)
      index.push_back(static_cast<std::int32_t>(k / codes.group));
    return bytes_of(index);
  }

  GptqOptions options_;
};

}  // namespace

std::unique_ptr<Target> make_gptq_target(const GptqOptions& options) { return std::make_unique<GptqTarget>(options); }

}  // namespace qzo::quantize
