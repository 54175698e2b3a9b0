#include "qzo/quant/formats/aqlm.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "quant/scale_value.h"
#include "quant/settings.h"
#include "quant/stored_scales.h"

namespace qzo::quant {
namespace {

using core::Dtype;

constexpr std::int64_t kVector = 8;
constexpr int kMostBits = 16;

class AqlmFormat final : public Format {
 public:
  std::string name() const override { return "aqlm"; }

  bool matches(const io::Checkpoint& checkpoint, const std::string& stem) const override {
    return checkpoint.tensors.find(stem + ".codes") != nullptr &&
           checkpoint.tensors.find(stem + ".codebooks") != nullptr;
  }

  PackedWeight load(const io::Checkpoint& checkpoint, const WeightRequest& request, const LoadOptions&) const override {
    const io::TensorSource& tensors = checkpoint.tensors;
    const io::TensorEntry& codebooks = *tensors.find(request.name + ".codebooks");
    const kernels::Codebooks books = read_codebooks(tensors, codebooks);
    check_against_settings(checkpoint, books, tensors.describe(codebooks));
    if (request.in % kVector != 0) {
      throw core::UserError(core::text(tensors.where(), ": ", request.name, " has ", request.in,
                                       " inputs, expected a multiple of 8 since AQLM quantizes eight at a time"));
    }
    const std::array<std::int64_t, 3> code_shape = {request.out, request.in / kVector, books.books};
    const std::array<std::int64_t, 4> scale_shape = {request.out, 1, 1, 1};
    const io::TensorEntry& codes =
        tensors.require(request.name + ".codes", {books.bits <= 8 ? Dtype::kI8 : Dtype::kI16}, code_shape);
    const io::TensorEntry& scales =
        tensors.require(request.name + ".scales", {Dtype::kF16, Dtype::kBF16, Dtype::kF32}, scale_shape);

    PackedWeight weight;
    weight.name = request.name;
    weight.format = name();
    weight.codes = {.layout = kernels::Layout::kAqlm,
                    .out = request.out,
                    .in = request.in,
                    .group = request.in,
                    .codes = codes.bytes.data(),
                    .codebooks = books};
    weight.scale_shape = scales.shape;
    weight.scale_dtype = scales.dtype;
    weight.scale_field = field_of(scales);
    weight.file_scales = scales.bytes.data();
    weight.scales = io::read_floats(scales);
    check_finite(weight.scales, tensors.describe(scales));
    return weight;
  }

  std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint,
                                           const io::TensorEntry& entry) const override {
    return fields_of(*this, checkpoint, entry, ".scales");
  }

 private:
  static kernels::Codebooks read_codebooks(const io::TensorSource& tensors, const io::TensorEntry& entry) {
    const std::string tensor = tensors.describe(entry);
    const auto refuse = [&](const std::string& found, const char* expected) {
      throw core::UserError(core::text(tensor, " has ", found, ", expected ", expected));
    };
    if (entry.dtype != Dtype::kF16) refuse(core::text("dtype ", core::dtype_info(entry.dtype).name), "F16");
    if (entry.shape.size() != 4) refuse("shape " + core::shape_text(entry.shape), "[books, 2^bits, 1, 8]");
    const std::int64_t books = entry.shape[0], vectors = entry.shape[1];
    if (entry.shape[2] != 1 || entry.shape[3] != kVector) {
      throw core::UserError(core::text(tensor, ": vectors of ", entry.shape[2], " x ", entry.shape[3],
                                       " weights (out_group_size x in_group_size) are not supported yet; supported: "
                                       "1 x 8"));
    }
    const int bits = vectors < 2 ? 0 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(vectors))) - 1;
    if (books < 1 || bits < 1 || bits > kMostBits || vectors != std::int64_t{1} << bits) {
      refuse("shape " + core::shape_text(entry.shape), "a power of two of vectors, 2 to 65536, in each book");
    }
    check_vectors(entry.bytes, tensor);
    return {.vectors = entry.bytes.data(), .books = static_cast<std::int32_t>(books), .bits = bits};
  }

  static void check_vectors(std::span<const std::byte> halves, const std::string& tensor) {
    for (std::size_t i = 0; i < halves.size() / 2; ++i) {
      const float value = read_scale(Dtype::kF16, halves.data() + 2 * i);
      if (std::isfinite(value)) continue;
      throw core::UserError(core::text(tensor, ": element ", i, " is ", value,
                                       ", expected a finite number: the file is damaged or was badly quantized"));
    }
  }

  static void check_finite(const std::vector<float>& scales, const std::string& tensor) {
    const auto bad = std::ranges::find_if_not(scales, [](float scale) { return std::isfinite(scale); });
    if (bad == scales.end()) return;
    throw core::UserError(core::text(tensor, ": scale of output ", bad - scales.begin(), " is ", *bad,
                                     ", expected a finite number: the file is damaged or was badly quantized"));
  }

  // One of them is wrong where they differ, and nothing tells which.
  static void check_against_settings(const io::Checkpoint& checkpoint, const kernels::Codebooks& books,
                                     const std::string& tensor) {
    const std::optional<AqlmSettings> settings = read_aqlm_settings(checkpoint);
    if (!settings || (settings->books == books.books && settings->bits == books.bits)) return;
    throw core::UserError(core::text(tensor, " has ", books.books, " books of ", books.bits, " bits, expected ",
                                     settings->books, " of ", settings->bits, " as ", checkpoint.quantization_file,
                                     " says"));
  }
};

}  // namespace

std::unique_ptr<Format> make_aqlm_format() { return std::make_unique<AqlmFormat>(); }

}  // namespace qzo::quant
