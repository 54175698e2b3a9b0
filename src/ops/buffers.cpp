#include "qzo/ops/buffers.h"

#include <vector>

#include <ATen/ATen.h>

namespace qzo::ops {
namespace {

class Pool {
 public:
  explicit Pool(at::ScalarType dtype) : dtype_(dtype) {}

  // The smallest free tensor that is large enough. If none is, the largest free one makes way, so that there are never
  // more than are in use at once.
  at::Tensor take(at::IntArrayRef sizes, std::int64_t count) {
    const auto bytes = static_cast<std::size_t>(count) * at::elementSize(dtype_);
    at::Tensor* best = nullptr;
    at::Tensor* largest = nullptr;
    for (at::Tensor& one : tensors_) {
      if (!is_free(one)) continue;
      const std::size_t capacity = one.storage().nbytes();
      if (capacity >= bytes && (best == nullptr || capacity < best->storage().nbytes())) best = &one;
      if (largest == nullptr || capacity > largest->storage().nbytes()) largest = &one;
    }
    if (best != nullptr) {
      best->unsafeGetTensorImpl()->set_sizes_contiguous(sizes);
      return *best;
    }
    if (largest == nullptr) largest = &tensors_.emplace_back();
    largest->reset();  // before the new memory is asked for
    *largest = at::empty(sizes, dtype_);
    return *largest;
  }

 private:
  // Views have a tensor of their own and share the storage.
  static bool is_free(const at::Tensor& one) { return one.use_count() == 1 && one.storage().use_count() == 1; }

  at::ScalarType dtype_;
  std::vector<at::Tensor> tensors_;
};

thread_local Pool floats(at::kFloat);
thread_local Pool bytes(at::kByte);

}  // namespace

at::Tensor buffer(std::int64_t rows, std::int64_t columns) { return floats.take({rows, columns}, rows * columns); }

at::Tensor byte_buffer(std::int64_t count) { return bytes.take({count}, count); }

}  // namespace qzo::ops
