#include <bit>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/io/tensor_writer.h"

#include "io/byte_cursor.h"
#include "io/extent.h"
#include "io/gguf_types.h"
#include "io/gguf_value.h"
#include "io/output_folder.h"
#include "io/planned_file.h"

namespace qzo::io {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors and GGUF are little-endian");

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint32_t kVersion = 3;

template <class Value>
void append(std::string& bytes, Value value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_string(std::string& bytes, std::string_view text) {
  append(bytes, std::uint64_t{text.size()});
  bytes += text;
}

std::uint64_t rounded_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

// Pairs of a checked file as they lie in it, without those that are replaced; counts them.
std::string kept_pairs(const Checkpoint& source, const std::map<std::string, std::uint32_t>& replaced,
                       std::uint64_t& count) {
  const std::span<const std::byte> bytes = source.tensors.files().at(0).bytes();
  ByteCursor in(bytes, source.root.string());
  in.read<std::uint32_t>();  // magic
  in.read<std::uint32_t>();  // version
  in.read<std::uint64_t>();  // tensors
  const auto pairs = in.read<std::uint64_t>();
  std::string kept;
  for (std::uint64_t i = 0; i < pairs; ++i) {
    const std::uint64_t begin = in.position();
    const std::string key(in.read_string());
    read_gguf_value(in);
    if (replaced.contains(key)) continue;
    kept.append(reinterpret_cast<const char*>(bytes.data()) + begin, in.position() - begin);
    ++count;
  }
  return kept;
}

class GgufWriter final : public TensorWriter {
 public:
  GgufWriter(const Checkpoint& source, const std::filesystem::path& destination, std::span<const TensorPlan> tensors,
             const std::map<std::string, std::uint32_t>& replaced)
      : destination_(destination), planned_(partial_path(destination)) {
    const auto alignment = static_cast<std::uint64_t>(source.metadata.find_integer("general.alignment").value_or(32));
    std::uint64_t pair_count = 0;
    std::string pairs = kept_pairs(source, replaced, pair_count);
    for (const auto& [key, value] : replaced) {
      append_string(pairs, key);
      append(pairs, static_cast<std::uint32_t>(GgufValueType::kU32));
      append(pairs, value);
      ++pair_count;
    }
    std::string header;
    append(header, kMagic);
    append(header, kVersion);
    append(header, std::uint64_t{tensors.size()});
    append(header, pair_count);
    header += pairs;
    std::vector<std::uint64_t> offsets;
    std::uint64_t offset = 0;
    for (const TensorPlan& tensor : tensors) {
      append_string(header, tensor.name);
      append(header, static_cast<std::uint32_t>(tensor.shape.size()));
      for (auto length = tensor.shape.rbegin(); length != tensor.shape.rend(); ++length)
        append(header, static_cast<std::uint64_t>(*length));  // fastest first
      append(header, ggml_type_number(tensor.dtype));
      append(header, offset);
      offsets.push_back(offset);
      offset = rounded_up(offset + size_of(tensor), alignment);
    }
    header.resize(rounded_up(header.size(), alignment), '\0');
    planned_.write_header(std::as_bytes(std::span(header)));
    for (std::size_t i = 0; i < tensors.size(); ++i)
      planned_.plan(tensors[i].name, header.size() + offsets[i], size_of(tensors[i]));
  }

  void write(const std::string& name, std::span<const std::byte> bytes) override { planned_.write(name, bytes); }

  void commit() override {
    planned_.check_complete();
    planned_.output().commit(destination_);
  }

 private:
  static std::uint64_t size_of(const TensorPlan& tensor) {
    const auto size = tensor_bytes(tensor.shape, tensor.dtype);
    QZO_CHECK(size.has_value(), "tensor ", tensor.name, " is too large");
    return *size;
  }

  std::filesystem::path destination_;
  PlannedFile planned_;
};

}  // namespace

std::unique_ptr<TensorWriter> make_gguf_writer(const Checkpoint& source, const std::filesystem::path& destination,
                                               std::span<const TensorPlan> tensors,
                                               const std::map<std::string, std::uint32_t>& replaced) {
  QZO_CHECK(source.kind == CheckpointKind::kGguf, source.root.string());
  const std::filesystem::path place = resolve(destination);
  std::error_code error;
  std::filesystem::create_directories(place.parent_path(), error);
  if (error)
    throw core::EnvironmentError(core::text(destination.string(), ": cannot be written (", error.message(), ')'));
  return std::make_unique<GgufWriter>(source, place, tensors, replaced);
}

}  // namespace qzo::io
