#include "cli/synthetic_checkpoint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <span>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/half.h"
#include "qzo/core/memory.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"

namespace qzo::cli {
namespace {

using core::text;

struct Shape {
  const char* name;
  std::int64_t layers, hidden, intermediate, heads, kv_heads, vocabulary;
};
constexpr Shape kShapes[] = {
    {"smollm2-135m", 30, 576, 1536, 9, 3, 49152},   {"tinyllama-1.1b", 22, 2048, 5632, 32, 4, 32000},
    {"llama-2-7b", 32, 4096, 11008, 32, 32, 32000}, {"llama-2-13b", 40, 5120, 13824, 40, 40, 32000},
    {"llama-3-8b", 32, 4096, 14336, 32, 8, 128256},
};
constexpr const char* kFormats[] = {"gptq", "q4_0", "q4_1"};
constexpr const char* kDense = "dense";  // only planned

// A tensor is a row of equal units (an element, or a block of a quantized format); unit i is written by fill(i, to).
struct Plan {
  io::TensorEntry entry;
  std::size_t unit_bytes = 0;
  std::int64_t units = 0;
  std::function<void(std::uint64_t index, std::byte* to)> fill;
};

std::uint64_t mix(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
  return x ^ x >> 31;
}

template <class T>
void put(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

// In [0.75, 1.25) of `size`, as f16.
std::uint16_t scale_near(float size, std::uint64_t index) {
  const float share = static_cast<float>(mix(index) >> 40) * 0x1p-24F;
  return core::float_to_half(size * (0.75F + 0.5F * share));
}

// A code less its zero point is about 4.6 in the mean square.
float scale_for(std::int64_t in) { return 1.0F / (4.6F * std::sqrt(static_cast<float>(in))); }

class Builder {
 public:
  Builder(const Shape& shape, std::string format, std::int64_t group)
      : shape_(shape), format_(std::move(format)), group_(group) {}

  const std::vector<Plan>& plan() {
    const std::int64_t hidden = shape_.hidden, kv = hidden / shape_.heads * shape_.kv_heads;
    halves("model.embed_tokens.weight", {shape_.vocabulary, hidden}, 1.0F);
    for (std::int64_t layer = 0; layer < shape_.layers; ++layer) {
      const std::string stem = text("model.layers.", layer, ".");
      ones(stem + "input_layernorm.weight");
      linear(stem + "self_attn.q_proj", hidden, hidden);
      linear(stem + "self_attn.k_proj", kv, hidden);
      linear(stem + "self_attn.v_proj", kv, hidden);
      linear(stem + "self_attn.o_proj", hidden, hidden);
      ones(stem + "post_attention_layernorm.weight");
      linear(stem + "mlp.gate_proj", shape_.intermediate, hidden);
      linear(stem + "mlp.up_proj", shape_.intermediate, hidden);
      linear(stem + "mlp.down_proj", hidden, shape_.intermediate);
    }
    ones("model.norm.weight");
    halves("lm_head.weight", {shape_.vocabulary, hidden}, 1.0F / std::sqrt(static_cast<float>(hidden)));
    return plans_;
  }

  std::unique_ptr<io::Checkpoint> build() {
    plan();
    return written();
  }

 private:
  void add(std::string name, core::Dtype dtype, std::vector<std::int64_t> shape, std::size_t unit_bytes,
           std::int64_t units, std::function<void(std::uint64_t, std::byte*)> fill) {
    Plan plan;
    plan.entry.name = std::move(name);
    plan.entry.dtype = dtype;
    plan.entry.shape = std::move(shape);
    plan.unit_bytes = unit_bytes;
    plan.units = units;
    plan.fill = std::move(fill);
    plans_.push_back(std::move(plan));
  }

  void ones(std::string name) {
    add(std::move(name), core::Dtype::kF16, {shape_.hidden}, 2, shape_.hidden,
        [](std::uint64_t, std::byte* to) { put(to, core::float_to_half(1.0F)); });
  }

  // Of either sign, of about this size.
  void halves(std::string name, std::vector<std::int64_t> shape, float size) {
    const std::int64_t count = shape[0] * shape[1];
    add(std::move(name), core::Dtype::kF16, std::move(shape), 2, count, [size](std::uint64_t i, std::byte* to) {
      put(to, static_cast<std::uint16_t>(scale_near(size, i) | (mix(i) & 1U) << 15));
    });
  }

  void linear(const std::string& stem, std::int64_t out, std::int64_t in) {
    if (format_ == "gptq") return gptq(stem, out, in);
    if (format_ == kDense) return halves(stem + ".weight", {out, in}, 1.0F / std::sqrt(static_cast<float>(in)));
    const bool minimum = format_ == "q4_1";
    const std::size_t header = minimum ? 4 : 2;
    add(stem + ".weight", minimum ? core::Dtype::kQ4_1 : core::Dtype::kQ4_0, {out, in}, header + 16, out * in / 32,
        [in, minimum, header](std::uint64_t i, std::byte* to) {
          const std::uint16_t d = scale_near(scale_for(in), i);
          put(to, d);
          if (minimum) put(to + 2, core::float_to_half(-8.0F * core::half_to_float(d)));
          put(to + header, mix(2 * i));
          put(to + header + 8, mix(2 * i + 1));
        });
  }

  void gptq(const std::string& stem, std::int64_t out, std::int64_t in) {
    const std::int64_t groups = (in + group_ - 1) / group_;
    add(stem + ".qweight", core::Dtype::kI32, {in / 8, out}, 4, in / 8 * out,
        [](std::uint64_t i, std::byte* to) { put(to, static_cast<std::uint32_t>(mix(i))); });
    add(stem + ".qzeros", core::Dtype::kI32, {groups, out / 8}, 4, groups * out / 8,
        [](std::uint64_t, std::byte* to) { put(to, std::uint32_t{0x77777777U}); });
    add(stem + ".scales", core::Dtype::kF16, {groups, out}, 2, groups * out,
        [in](std::uint64_t i, std::byte* to) { put(to, scale_near(scale_for(in), i)); });
    add(stem + ".g_idx", core::Dtype::kI32, {in}, 4, in, [group = group_](std::uint64_t i, std::byte* to) {
      put(to, static_cast<std::int32_t>(i / static_cast<std::uint64_t>(group)));
    });
  }

  std::unique_ptr<io::Checkpoint> written() {
    constexpr std::uint64_t kAlignment = 64;
    std::uint64_t total = 0;
    for (Plan& plan : plans_) {
      plan.entry.offset = total;
      const std::uint64_t bytes = plan.unit_bytes * static_cast<std::uint64_t>(plan.units);
      total += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    }
    if (core::available_bytes() < total) {
      throw core::EnvironmentError(text("weights of the shape ", shape_.name, " take ", core::human_bytes(total), ", ",
                                        core::human_bytes(core::available_bytes()),
                                        " of memory are free: take a smaller shape or a larger machine"));
    }
    auto checkpoint = std::make_unique<io::Checkpoint>();
    checkpoint->root = text("synthetic ", shape_.name);
    checkpoint->config = config();
    if (format_ == "gptq") {
      checkpoint->quantization = {
          {"quant_method", "gptq"}, {"bits", 4}, {"group_size", group_}, {"desc_act", false}, {"sym", true}};
    }
    core::MappedFile file = filled(total);
    std::vector<io::TensorEntry> entries;
    for (Plan& plan : plans_) {
      plan.entry.bytes =
          file.bytes().subspan(plan.entry.offset, plan.unit_bytes * static_cast<std::size_t>(plan.units));
      entries.push_back(std::move(plan.entry));
    }
    checkpoint->tensors.add_file(std::move(file), std::move(entries));
    return checkpoint;
  }

  // An anonymous file: readers map it like any other.
  core::MappedFile filled(std::uint64_t total) const {
    const int file = memfd_create("qzo-synthetic", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, static_cast<off_t>(total)) != 0)
      throw core::EnvironmentError(text("no memory for weights of ", core::human_bytes(total)));
    void* memory = mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) throw core::EnvironmentError(text("no memory for weights of ", core::human_bytes(total)));
    constexpr std::int64_t kUnitsPerPiece = 1 << 16;
    for (const Plan& plan : plans_) {
      auto* first = static_cast<std::byte*>(memory) + plan.entry.offset;
      core::parallel_for((plan.units + kUnitsPerPiece - 1) / kUnitsPerPiece, [&](std::int64_t piece, int) {
        const std::int64_t end = std::min(plan.units, (piece + 1) * kUnitsPerPiece);
        for (std::int64_t i = piece * kUnitsPerPiece; i < end; ++i)
          plan.fill(static_cast<std::uint64_t>(i), first + static_cast<std::size_t>(i) * plan.unit_bytes);
      });
    }
    munmap(memory, total);
    core::MappedFile mapped(text("/proc/self/fd/", file));
    close(file);
    return mapped;
  }

  core::Json config() const {
    return {{"model_type", "llama"},
            {"hidden_size", shape_.hidden},
            {"intermediate_size", shape_.intermediate},
            {"num_hidden_layers", shape_.layers},
            {"num_attention_heads", shape_.heads},
            {"num_key_value_heads", shape_.kv_heads},
            {"vocab_size", shape_.vocabulary},
            {"max_position_embeddings", 4096},
            {"rms_norm_eps", 1e-5},
            {"rope_theta", 10000.0},
            {"hidden_act", "silu"},
            {"tie_word_embeddings", false}};
  }

  const Shape& shape_;
  std::string format_;
  std::int64_t group_;
  std::vector<Plan> plans_;
};

const Shape& shape_called(const std::string& name) {
  const auto* known = std::ranges::find(kShapes, name, &Shape::name);
  QZO_CHECK(known != std::end(kShapes), "shape ", name);
  return *known;
}

}  // namespace

std::vector<std::string> synthetic_shapes() {
  std::vector<std::string> names;
  for (const Shape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

std::vector<std::string> synthetic_formats() { return {std::begin(kFormats), std::end(kFormats)}; }

std::vector<std::pair<std::string, std::vector<std::int64_t>>> synthetic_weights(const std::string& shape) {
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> out;
  Builder builder(shape_called(shape), kDense, 0);
  for (const Plan& plan : builder.plan()) out.emplace_back(plan.entry.name, plan.entry.shape);
  return out;
}

std::unique_ptr<io::Checkpoint> synthetic_checkpoint(const std::string& shape, const std::string& format,
                                                     std::int64_t group) {
  return Builder(shape_called(shape), format, group).build();
}

}  // namespace qzo::cli
