#include "qzo/quant/formats/hqq.h"

#include <cstring>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "quant/stored_scales.h"

namespace qzo::quant {
namespace {

using core::Dtype;

// The small tensors that say what a layer is.
class Description {
 public:
  Description(const io::TensorSource& tensors, const std::string& stem) : tensors_(tensors), stem_(stem) {}

  // All values of an integer tensor with `count` of them.
  std::vector<std::int64_t> integers(const char* key, std::size_t count) const {
    const io::TensorEntry& entry = required(key);
    const std::size_t width = entry.dtype == Dtype::kI64 ? 8 : entry.dtype == Dtype::kI32 ? 4 : 0;
    if (width == 0 || entry.bytes.size() != width * count) {
      throw core::UserError(core::text(tensors_.describe(entry), " is ", core::dtype_info(entry.dtype).name, " ",
                                       core::shape_text(entry.shape), ", expected ", count, " I32 or I64"));
    }
    std::vector<std::int64_t> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(value(entry.bytes.data() + i * width, width));
    return values;
  }
  std::int64_t integer(const char* key) const { return integers(key, 1)[0]; }

  // Absent: false.
  bool flag(const char* key) const {
    const io::TensorEntry* entry = tensors_.find(stem_ + key);
    if (entry == nullptr) return false;
    const bool fits = (entry->dtype == Dtype::kU8 || entry->dtype == Dtype::kBool) && entry->bytes.size() == 1;
    if (!fits) throw core::UserError(core::text(tensors_.describe(*entry), " is no flag of one byte"));
    return entry->bytes[0] != std::byte{0};
  }

  [[noreturn]] void refuse(const char* key, const std::string& found, const char* supported) const {
    throw core::UserError(
        core::text(tensors_.describe(required(key)), ": ", found, " is not supported yet; supported: ", supported));
  }

 private:
  const io::TensorEntry& required(const char* key) const {
    const io::TensorEntry* entry = tensors_.find(stem_ + key);
    if (entry != nullptr) return *entry;
    throw core::UserError(core::text(tensors_.where(), ": tensor \"", stem_, key,
                                     "\" is missing, expected it beside W_q: the layer is no HQQ encoded state dict"));
  }
  static std::int64_t value(const std::byte* at, std::size_t width) {
    std::int32_t narrow;
    std::int64_t wide;
    std::memcpy(&narrow, at, sizeof narrow);
    if (width == sizeof narrow) return narrow;
    std::memcpy(&wide, at, sizeof wide);
    return wide;
  }

  const io::TensorSource& tensors_;
  const std::string& stem_;
};

struct Scheme {
  std::int64_t bits, group, axis;
};

Scheme read_scheme(const io::Checkpoint& checkpoint, const WeightRequest& request) {
  const Description layer(checkpoint.tensors, request.name);
  for (const char* key : {".quant_scale", ".quant_zero"})
    if (layer.flag(key)) layer.refuse(key, "true (a quantized scale or zero)", "false");
  if (layer.flag(".view_as_float")) layer.refuse(".view_as_float", "true", "false");
  const Scheme scheme{layer.integer(".nbits"), layer.integer(".group_size"), layer.integer(".axis")};
  if (scheme.bits != 4 && scheme.bits != 8) layer.refuse(".nbits", core::text(scheme.bits, "-bit HQQ"), "4, 8");
  if (scheme.axis != 0 && scheme.axis != 1) layer.refuse(".axis", core::text("axis ", scheme.axis), "0, 1");
  const std::vector<std::int64_t> shape = layer.integers(".shape", 2);
  if (shape[0] != request.out || shape[1] != request.in) {
    layer.refuse(".shape", core::text("a matrix of ", core::shape_text(shape)),
                 core::text(core::shape_text({request.out, request.in}), ", the model's").c_str());
  }
  // Groups that go on from row to row (or column to column) would need an index for every weight.
  const std::int64_t length = scheme.axis == 1 ? request.in : request.out;
  if (scheme.group <= 0 || length % scheme.group != 0) {
    layer.refuse(".group_size", core::text("groups of ", scheme.group, " along ", length, " weights"),
                 "groups that divide them");
  }
  if (request.in % 4 != 0 || (scheme.bits == 4 && request.out % 2 != 0))
    layer.refuse(".shape", core::text("a matrix of ", core::shape_text(shape)), "even outputs and inputs in fours");
  return scheme;
}

kernels::Layout layout_of(const Scheme& scheme) {
  if (scheme.axis == 1) return scheme.bits == 8 ? kernels::Layout::kHqq8 : kernels::Layout::kHqq4;
  return scheme.bits == 8 ? kernels::Layout::kHqq8Axis0 : kernels::Layout::kHqq4Axis0;
}

class HqqFormat final : public Format {
 public:
  std::string name() const override { return "hqq"; }

  bool matches(const io::Checkpoint& checkpoint, const std::string& stem) const override {
    return checkpoint.tensors.find(stem + ".W_q") != nullptr;
  }

  PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request, const LoadOptions&) const override {
    const Scheme scheme = read_scheme(checkpoint, request);
    const bool by_input = scheme.axis == 1;
    const std::int64_t groups = request.out * request.in / scheme.group;
    const auto require = [&](const char* ending, std::initializer_list<Dtype> dtypes, std::int64_t rows,
                             std::int64_t columns) -> const io::TensorEntry& {
      const std::int64_t shape[] = {rows, columns};
      return checkpoint.tensors.require(request.name + ending, dtypes, shape);
    };
    const std::int64_t rows = (by_input ? groups : scheme.group) * scheme.bits / 8;
    const io::TensorEntry& codes = require(".W_q", {Dtype::kU8}, rows, by_input ? scheme.group : groups);
    const auto require_values = [&](const char* ending) -> const io::TensorEntry& {
      return require(ending, {Dtype::kF16, Dtype::kBF16, Dtype::kF32}, by_input ? groups : 1, by_input ? 1 : groups);
    };

    PackedWeight weight;
    weight.name = request.name;
    weight.format = name();
    weight.codes = {.layout = layout_of(scheme),
                    .out = request.out,
                    .in = request.in,
                    .group = scheme.group,
                    .codes = codes.bytes.data()};
    weight.scale_shape = by_input ? std::vector{request.out, request.in / scheme.group}
                                  : std::vector{request.out / scheme.group, request.in};
    set_scales(checkpoint, require_values(".scale"), weight);
    // w = s q + s (-zero): a minimum that follows its scale and has no field of its own.
    weight.minimum_rule = MinimumRule::kTied;
    weight.minimum = finite_floats(checkpoint, require_values(".zero"));
    for (float& zero : weight.minimum) zero = -zero;
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint,
                                           const io::TensorEntry& entry) const override {
    return fields_of(*this, checkpoint, entry, ".scale");
  }
};

}  // namespace

std::unique_ptr<Format> make_hqq_format() { return std::make_unique<HqqFormat>(); }

}  // namespace qzo::quant
