// Any bytes as the file of one quantized layer "p", safetensors (behind a line of quantization settings or without) or
// GGUF: its weights can be computed from what was accepted without a step outside of the file, or an error of ours says
// why not.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "qzo/core/error.h"
#include "qzo/core/json_file.h"
#include "qzo/core/log.h"
#include "qzo/io/gguf.h"
#include "qzo/io/safetensors.h"
#include "qzo/kernels/quant_matmul.h"
#include "qzo/quant/format.h"

namespace {

// Tensor sources map files: this one has its bytes in memory.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    const auto size = static_cast<ssize_t>(bytes.size());
    if (descriptor_ < 0 || write(descriptor_, bytes.data(), bytes.size()) != size) std::abort();
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

struct Shape {
  std::int64_t out, in;
};

void compute(const qzo::io::Checkpoint& checkpoint, Shape shape) {
  const qzo::quant::PackedWeight weight =
      qzo::quant::load_weight(checkpoint, {.name = "p", .out = shape.out, .in = shape.in}, {});
  qzo::quant::ScaleBuffers buffers;
  std::vector<float> values(static_cast<std::size_t>(shape.out * shape.in));
  qzo::kernels::dequantize_rows(weight.codes, qzo::quant::effective_scales(weight, {}, buffers).plus, 0, shape.out,
                                values.data());
  static_cast<void>(qzo::quant::export_changes(checkpoint, std::array{&weight}));
}

// The settings that a folder states beside its tensors: a first line of JSON. Returns what is left for the tensors.
std::string_view take_settings(std::string_view bytes, qzo::io::Checkpoint& checkpoint) {
  const std::size_t end = bytes.find('\n');
  if (!bytes.starts_with('{') || end == std::string_view::npos) return bytes;
  checkpoint.quantization = qzo::core::parse_json(bytes.substr(0, end), "fuzz");
  checkpoint.quantization_file = "fuzz";
  return bytes.substr(end + 1);
}

// The matrix "p.weight" of a GGUF file is as large as the file says; of other layers the shape is in no tensor.
std::vector<Shape> shapes_of(const qzo::io::Checkpoint& checkpoint) {
  if (checkpoint.kind == qzo::io::CheckpointKind::kHuggingFace) return {{5, 40}, {5, 24}, {4, 64}, {32, 64}};
  const qzo::io::TensorEntry* entry = checkpoint.tensors.find("p.weight");
  if (entry == nullptr || entry->shape.size() != 2) return {};
  return {{entry->shape[0], entry->shape[1]}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const qzo::core::LogCapture quiet([](qzo::core::LogLevel, const std::string&) {});
  std::optional<MemoryFile> file;
  qzo::io::Checkpoint checkpoint;
  try {
    const std::string_view bytes = take_settings({reinterpret_cast<const char*>(data), size}, checkpoint);
    file.emplace(bytes);
    if (bytes.starts_with("GGUF")) {
      checkpoint.kind = qzo::io::CheckpointKind::kGguf;
      checkpoint.metadata = qzo::io::read_gguf(file->path(), checkpoint.tensors);
    } else {
      qzo::io::read_safetensors(file->path(), checkpoint.tensors);
    }
  } catch (const qzo::core::Error&) {
    return 0;  // safetensors_fuzz and gguf_fuzz look closer
  }
  for (const Shape shape : shapes_of(checkpoint)) {
    try {
      qzo::quant::check_quantization_settings(checkpoint);
      compute(checkpoint, shape);
    } catch (const qzo::core::Error& error) {
      if (error.code() == qzo::core::ExitCode::kInternal) std::abort();
    }
  }
  return 0;
}
