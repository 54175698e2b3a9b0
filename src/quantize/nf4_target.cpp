#include <array>
#include <cmath>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/core/thread_pool.h"
#include "qzo/quantize/target.h"

#include "quantize/encoding.h"

namespace qzo::quantize {
namespace {

using core::Dtype;
using Index = std::size_t;

constexpr std::int64_t kBlock = 64;
constexpr std::int64_t kBlocksPerPiece = 256;

// bitsandbytes' own numbers (functional.py, create_normal_map): quantiles of the normal distribution, 0 among them.
constexpr std::array<float, 16> kTable = {-1.0F,
                                          -0.6961928009986877F,
                                          -0.5250730514526367F,
                                          -0.39491748809814453F,
                                          -0.28444138169288635F,
                                          -0.18477343022823334F,
                                          -0.09105003625154495F,
                                          0.0F,
                                          0.07958029955625534F,
                                          0.16093020141124725F,
                                          0.24611230194568634F,
                                          0.33791524171829224F,
                                          0.44070982933044434F,
                                          0.5626170039176941F,
                                          0.7229568362236023F,
                                          1.0F};

// The nearest entry; on a threshold the lower one.
std::uint8_t nearest(float share) {
  std::uint8_t code = 0;
  while (code < 15 && share > (kTable[code] + kTable[code + 1]) / 2) ++code;
  return code;
}

class Nf4Target final : public Target {
 public:
  std::string name() const override { return "nf4"; }
  io::CheckpointKind kind() const override { return io::CheckpointKind::kHuggingFace; }
  bool can_calibrate() const override { return false; }

  std::vector<io::TensorPlan> plan(const WeightShape& shape) const override {
    if (shape.in % 8 != 0) {
      throw core::UserError(core::text(shape.stem, " has ", shape.in,
                                       " inputs, expected a multiple of 8 for nf4: ", "use another --format"));
    }
    if (shape.transposed) {
      throw core::UserError(core::text(shape.stem, " is stored as [in, out] (Conv1D), for which readers of nf4 do not ",
                                       "agree on a layout: use --format gptq"));
    }
    const std::int64_t count = shape.out * shape.in;
    const std::string weight = shape.stem + ".weight";
    return {{weight, Dtype::kU8, {(count + 1) / 2, 1}},
            {weight + ".absmax", Dtype::kF32, {(count + kBlock - 1) / kBlock}},
            {weight + ".quant_map", Dtype::kF32, {16}},
            {weight + ".quant_state.bitsandbytes__nf4", Dtype::kU8, {static_cast<std::int64_t>(state(shape).size())}}};
  }

  Encoded encode(const WeightShape& shape, const at::Tensor& weight, const at::Tensor& hessian) const override {
    QZO_CHECK(!hessian.defined(), "nf4 rounds to nearest only");
    const std::int64_t count = weight.numel(), blocks = (count + kBlock - 1) / kBlock;
    std::vector<std::byte> nibbles(static_cast<Index>((count + 1) / 2));
    std::vector<float> absmax(static_cast<Index>(blocks));
    Encoded result;
    result.values = at::empty_like(weight);
    const auto* data = weight.const_data_ptr<float>();
    auto* values = result.values.data_ptr<float>();
    core::parallel_for((blocks + kBlocksPerPiece - 1) / kBlocksPerPiece, [&](std::int64_t piece, int) {
      const std::int64_t last = std::min(blocks, (piece + 1) * kBlocksPerPiece);
      for (std::int64_t block = piece * kBlocksPerPiece; block < last; ++block) {
        const std::int64_t begin = block * kBlock, end = std::min(begin + kBlock, count);
        float reach = 0;
        for (std::int64_t i = begin; i < end; ++i) reach = std::max(reach, std::abs(data[i]));
        absmax[static_cast<Index>(block)] = reach;
        for (std::int64_t i = begin; i < end; ++i) {
          const std::uint8_t code = nearest(reach > 0 ? data[i] / reach : 0);
          values[i] = kTable[code] * reach;
          nibbles[static_cast<Index>(i / 2)] |= static_cast<std::byte>(i % 2 == 0 ? code << 4 : code);
        }
      }
    });
    const std::string json = state(shape);
    result.tensors = {std::move(nibbles), bytes_of(absmax), bytes_of(std::vector<float>(kTable.begin(), kTable.end())),
                      bytes_of(std::vector<char>(json.begin(), json.end()))};
    return result;
  }

  // What readers must not look for as NF4: the head, and what stands in front of and behind the layers of OPT-350m.
  core::Json settings() const override {
    return {{"quant_method", "bitsandbytes"},
            {"load_in_4bit", true},
            {"load_in_8bit", false},
            {"bnb_4bit_quant_type", "nf4"},
            {"bnb_4bit_use_double_quant", false},
            {"bnb_4bit_compute_dtype", "float32"},
            {"bnb_4bit_quant_storage", "uint8"},
            {"llm_int8_skip_modules", {"lm_head", "project_in", "project_out"}}};
  }

 private:
  // dtype is what readers cast the weights to.
  static std::string state(const WeightShape& shape) {
    return core::Json{
        {"quant_type", "nf4"}, {"blocksize", kBlock}, {"dtype", "float32"}, {"shape", {shape.out, shape.in}}}
        .dump();
  }
};

}  // namespace

std::unique_ptr<Target> make_nf4_target() { return std::make_unique<Nf4Target>(); }

}  // namespace qzo::quantize
