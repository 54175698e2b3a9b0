// Any bytes as the safetensors file of one quantized layer "p": its weights can be computed from what was accepted
// without a step outside of the file, or an error of ours says why not.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "qzo/core/error.h"
#include "qzo/core/log.h"
#include "qzo/io/safetensors.h"
#include "qzo/kernels/quant_matmul.h"
#include "qzo/quant/format.h"

namespace {

// Tensor sources map files: this one has its bytes in memory.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* data, std::size_t size) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (descriptor_ < 0 || write(descriptor_, data, size) != static_cast<ssize_t>(size)) std::abort();
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const qzo::core::LogCapture quiet([](qzo::core::LogLevel, const std::string&) {});
  const MemoryFile file(data, size);
  qzo::io::Checkpoint checkpoint;
  try {
    qzo::io::read_safetensors(file.path(), checkpoint.tensors);
  } catch (const qzo::core::Error&) {
    return 0;  // safetensors_fuzz looks closer
  }
  for (const Shape shape : {Shape{5, 40}, {5, 24}, {4, 64}}) {
    try {
      compute(checkpoint, shape);
    } catch (const qzo::core::Error& error) {
      if (error.code() == qzo::core::ExitCode::kInternal) std::abort();
    }
  }
  return 0;
}
