#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "qzo/core/check.h"
#include "qzo/core/json_file.h"
#include "qzo/io/safetensors.h"
#include "qzo/io/tensor_writer.h"

#include "io/extent.h"
#include "io/planned_file.h"
#include "io/safetensors_dtype.h"

namespace qzo::io {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors and GGUF are little-endian");

constexpr std::size_t kHeaderAlignment = 8;

std::uint64_t size_of(const TensorPlan& tensor) {
  QZO_CHECK(safetensors_name(tensor.dtype).has_value(), "tensor ", tensor.name, " has no dtype of safetensors");
  const auto size = tensor_bytes(tensor.shape, tensor.dtype);
  QZO_CHECK(size.has_value(), "tensor ", tensor.name, " is too large");
  return *size;
}

class SafetensorsWriter final : public TensorWriter {
 public:
  SafetensorsWriter(std::filesystem::path file, std::span<const TensorPlan> tensors,
                    const std::map<std::string, std::string>& metadata)
      : file_(std::move(file)), planned_(partial_path(file_)) {
    std::vector<const TensorPlan*> order;
    for (const TensorPlan& tensor : tensors) order.push_back(&tensor);
    // Wide elements first: every tensor is then aligned for its dtype, as readers that map the file like it.
    std::ranges::stable_sort(order, std::ranges::greater{},
                             [](const TensorPlan* tensor) { return core::dtype_info(tensor->dtype).block_bytes; });
    const std::string header = header_of(order, metadata);
    const std::uint64_t header_bytes = header.size();
    std::array<std::byte, sizeof(header_bytes)> length;
    std::memcpy(length.data(), &header_bytes, length.size());
    planned_.write_header(length);
    planned_.write_header(std::as_bytes(std::span(header)));
    std::uint64_t offset = length.size() + header_bytes;
    for (const TensorPlan* tensor : order) {
      planned_.plan(tensor->name, offset, size_of(*tensor));
      offset += size_of(*tensor);
    }
  }

  void write(const std::string& name, std::span<const std::byte> bytes) override { planned_.write(name, bytes); }

  void commit() override {
    planned_.check_complete();
    planned_.output().commit(file_);
  }

 private:
  static std::string header_of(std::span<const TensorPlan* const> tensors,
                               std::map<std::string, std::string> metadata) {
    metadata["format"] = "pt";
    core::Json header;
    header["__metadata__"] = metadata;
    std::uint64_t offset = 0;
    for (const TensorPlan* tensor : tensors) {
      const std::uint64_t end = offset + size_of(*tensor);
      header[tensor->name] = {
          {"dtype", *safetensors_name(tensor->dtype)}, {"shape", tensor->shape}, {"data_offsets", {offset, end}}};
      offset = end;
    }
    std::string text = header.dump();
    text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
    return text;
  }

  std::filesystem::path file_;
  PlannedFile planned_;
};

}  // namespace

std::unique_ptr<TensorWriter> make_safetensors_writer(const std::filesystem::path& file,
                                                      std::span<const TensorPlan> tensors,
                                                      std::map<std::string, std::string> metadata) {
  return std::make_unique<SafetensorsWriter>(file, tensors, metadata);
}

void write_safetensors(const std::filesystem::path& file, std::span<const TensorToWrite> tensors,
                       std::map<std::string, std::string> metadata) {
  std::vector<TensorPlan> plans;
  for (const TensorToWrite& tensor : tensors) plans.push_back({tensor.name, tensor.dtype, tensor.shape});
  SafetensorsWriter writer(file, plans, metadata);
  for (const TensorToWrite& tensor : tensors) writer.write(tensor.name, tensor.bytes);
  writer.commit();
}

}  // namespace qzo::io
