#include "qzo/core/check.h"
#include "qzo/quantize/target.h"

#include "quantize/encoding.h"
#include "quantize/rows.h"

namespace qzo::quantize {
namespace {

using core::Dtype;

constexpr std::int64_t kBlock = 32;

class GgufTarget final : public Target {
 public:
  GgufTarget(Dtype dtype, double damp) : dtype_(dtype), damp_(damp) {
    QZO_CHECK(dtype == Dtype::kQ4_0 || dtype == Dtype::kQ4_1, core::dtype_info(dtype).name);
  }

  std::string name() const override { return dtype_ == Dtype::kQ4_0 ? "q4_0" : "q4_1"; }
  io::CheckpointKind kind() const override { return io::CheckpointKind::kGguf; }
  bool can_calibrate() const override { return true; }

  std::vector<io::TensorPlan> plan(const WeightShape& shape) const override {
    if (shape.in % kBlock != 0) {
      throw core::UserError(core::text(shape.stem, " has ", shape.in, " inputs, expected a multiple of ", kBlock,
                                       ", the block of ", name(), ": use another --format"));
    }
    return {{shape.stem + ".weight", dtype_, {shape.out, shape.in}}};
  }

  Encoded encode(const WeightShape& shape, const at::Tensor& weight, const at::Tensor& hessian) const override {
    const GridKind kind = dtype_ == Dtype::kQ4_0 ? GridKind::kQ4_0 : GridKind::kQ4_1;
    const GroupedCodes codes =
        choose_codes(weight, hessian, {.rule = {kind, 4}, .group = kBlock, .damp = damp_, .act_order = false});
    check_range(codes, shape.stem);
    return {.tensors = {blocks(codes)}, .values = codes.values()};
  }

  core::Json settings() const override { return nullptr; }

 private:
  // d (and m) as halves, then 16 bytes of nibbles: weight j low, weight j + 16 high.
  std::vector<std::byte> blocks(const GroupedCodes& codes) const {
    const auto size = static_cast<std::size_t>(core::dtype_info(dtype_).block_bytes);
    std::vector<std::byte> bytes(codes.grids.size() * size);
    const auto put_half = [](std::byte* at, float value) {
      const std::uint16_t half = core::float_to_half(value);
      std::memcpy(at, &half, sizeof half);
    };
    for_rows(codes.out, [&](std::int64_t n) {
      for (std::int64_t g = n * codes.groups(); g < (n + 1) * codes.groups(); ++g) {
        const Grid& grid = codes.grids[static_cast<std::size_t>(g)];
        std::byte* at = bytes.data() + static_cast<std::size_t>(g) * size;
        put_half(at, grid.scale);
        if (dtype_ == Dtype::kQ4_1) put_half(at + 2, grid.minimum);
        const std::uint8_t* code = codes.codes.data() + g * kBlock;
        for (std::size_t j = 0; j < 16; ++j) at[size - 16 + j] = static_cast<std::byte>(code[j] | code[j + 16] << 4);
      }
    });
    return bytes;
  }

  Dtype dtype_;
  double damp_;
};

}  // namespace

std::unique_ptr<Target> make_gguf_target(Dtype dtype, double damp) { return std::make_unique<GgufTarget>(dtype, damp); }

}  // namespace qzo::quantize
