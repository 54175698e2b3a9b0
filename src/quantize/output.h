#pragma once
// What the new checkpoint consists of.

#include <memory>
#include <unordered_map>

#include "qzo/io/tensor_writer.h"
#include "qzo/quantize/target.h"

namespace qzo::quantize {

class Output {
 public:
  // `shapes`: of the weights that are quantized. UserError if one does not fit the format, if `destination` exists or
  // the source is no checkpoint of the target's kind.
  Output(const io::Checkpoint& source, const Target& target, const std::vector<WeightShape>& shapes,
         const std::filesystem::path& destination);

  // Contents of one weight; nothing of the source's is needed of it afterwards.
  void write(const WeightShape& shape, const Encoded& encoded);
  void commit();
  // Of all tensors of the weights, in the source and here.
  [[nodiscard]] std::uint64_t source_bytes() const { return source_bytes_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void copy_others();

  const io::Checkpoint& source_;
  const Target& target_;
  std::unordered_map<std::string, std::vector<const io::TensorEntry*>> replaced_;  // tensors of each weight
  std::vector<const io::TensorEntry*> others_;
  std::unique_ptr<io::TensorWriter> writer_;
  std::uint64_t source_bytes_ = 0, bytes_ = 0;
};

}  // namespace qzo::quantize
