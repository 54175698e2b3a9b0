#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "qzo/core/check.h"
#include "qzo/core/json_file.h"
#include "qzo/io/safetensors.h"

#include "io/extent.h"
#include "io/output_file.h"
#include "io/safetensors_dtype.h"

namespace qzo::io {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors and GGUF are little-endian");

constexpr std::size_t kHeaderAlignment = 8;

void check_tensor(const TensorToWrite& tensor) {
  QZO_CHECK(safetensors_name(tensor.dtype).has_value(), "tensor ", tensor.name, " has no dtype of safetensors");
  const auto size = tensor_bytes(tensor.shape, tensor.dtype);
  QZO_CHECK(size && *size == tensor.bytes.size(), "tensor ", tensor.name, " has ", tensor.bytes.size(), " bytes");
}

std::string header_of(std::span<const TensorToWrite* const> tensors,
                      const std::map<std::string, std::string>& metadata) {
  core::Json header;
  header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const TensorToWrite* tensor : tensors) {
    QZO_CHECK(!header.contains(tensor->name), "tensor ", tensor->name, " is given twice");
    const std::uint64_t end = offset + tensor->bytes.size();
    header[tensor->name] = {
        {"dtype", *safetensors_name(tensor->dtype)}, {"shape", tensor->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& file, std::span<const TensorToWrite> tensors,
                       std::map<std::string, std::string> metadata) {
  metadata["format"] = "pt";
  std::vector<const TensorToWrite*> order;
  order.reserve(tensors.size());
  for (const TensorToWrite& tensor : tensors) {
    check_tensor(tensor);
    order.push_back(&tensor);
  }
  // Wide elements first: every tensor is then aligned for its dtype, as readers that map the file like it.
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [](const TensorToWrite* tensor) { return core::dtype_info(tensor->dtype).block_bytes; });

  const std::string header = header_of(order, metadata);
  const std::uint64_t header_bytes = header.size();
  std::array<std::byte, sizeof(header_bytes)> length;
  std::memcpy(length.data(), &header_bytes, length.size());

  OutputFile output(partial_path(file));
  output.write(length);
  output.write(std::as_bytes(std::span(header)));
  for (const TensorToWrite* tensor : order) output.write(tensor->bytes);
  output.commit(file);
}

}  // namespace qzo::io
