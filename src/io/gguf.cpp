#include "qzo/io/gguf.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <unordered_set>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "io/byte_cursor.h"
#include "io/extent.h"
#include "io/gguf_types.h"
#include "io/gguf_value.h"

namespace qzo::io {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors and GGUF are little-endian");

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint32_t kMaxDimensions = 4;
// The least that a pair (key length, type, value) and a tensor (name length, dimension count, type, offset) can take.
constexpr std::uint64_t kMinPairBytes = 8 + 4 + 1;
constexpr std::uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;

struct Counts {
  std::uint64_t tensors = 0;
  std::uint64_t pairs = 0;
};

Counts read_header(ByteCursor& in) {
  if (in.read<std::uint32_t>() != kMagic) in.fail("does not begin with GGUF; this is not a GGUF file");
  const auto version = in.read<std::uint32_t>();
  if ((version & 0xffffu) == 0) {
    in.fail("is big-endian, which is not supported; convert the file to little-endian (gguf_convert_endian.py)");
  }
  if (version != 2 && version != 3) {
    in.fail(core::text("has GGUF version ", version, ", expected 2 or 3; convert the model with a current llama.cpp"));
  }
  Counts counts;
  counts.tensors = in.read<std::uint64_t>();
  counts.pairs = in.read<std::uint64_t>();
  return counts;
}

void read_pairs(ByteCursor& in, std::uint64_t count, GgufMetadata& metadata) {
  in.enter("the metadata");
  in.expect(count, kMinPairBytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    in.enter(core::text("the metadata key number ", i));
    const std::string_view key = in.read_string();
    if (!core::valid_utf8(key)) in.fail(core::text("is ", core::quoted(key), ", expected UTF-8"));
    in.enter(core::text("metadata key ", core::quoted(key)));
    const auto [position, inserted] = metadata.values.try_emplace(std::string(key));
    if (!inserted) in.fail("stands twice in the file, expected once; the file is damaged");
    position->second = read_gguf_value(in);
  }
}

std::uint64_t alignment_of(const GgufMetadata& metadata) {
  const auto stated = metadata.find_integer("general.alignment");
  if (!stated) return kDefaultAlignment;
  if (*stated <= 0 || !std::has_single_bit(static_cast<std::uint64_t>(*stated))) {
    throw core::UserError(core::text(metadata.file, ": metadata key general.alignment is ", *stated,
                                     ", expected a power of two; the file is damaged"));
  }
  return static_cast<std::uint64_t>(*stated);
}

// A tensor as its info states it: entry.offset is still relative to the data, entry.bytes not yet known.
struct Info {
  TensorEntry entry;
  std::uint64_t size = 0;
};

std::vector<std::int64_t> read_dimensions(ByteCursor& in) {
  const auto count = in.read<std::uint32_t>();
  if (count > kMaxDimensions) {
    in.fail(core::text("has ", count, " dimensions, expected at most ", kMaxDimensions, "; the file is damaged"));
  }
  std::vector<std::int64_t> shape(count);
  for (std::int64_t& dimension : shape) {
    const auto stored = in.read<std::uint64_t>();
    if (!std::in_range<std::int64_t>(stored)) {
      in.fail(core::text("has a dimension of ", stored, ", expected at most 2^63 - 1; the file is damaged"));
    }
    dimension = static_cast<std::int64_t>(stored);
  }
  std::ranges::reverse(shape);  // stored fastest first
  return shape;
}

Info read_info(ByteCursor& in, std::uint64_t number) {
  Info info;
  TensorEntry& entry = info.entry;
  in.enter(core::text("the name of tensor number ", number));
  const std::string_view name = in.read_string();
  if (name.empty() || !core::valid_utf8(name)) {
    in.fail(core::text("is ", core::quoted(name), ", expected UTF-8 of at least one character; the file is damaged"));
  }
  entry.name = name;
  in.enter(core::text("tensor ", core::quoted(name)));
  entry.shape = read_dimensions(in);

  const auto type = in.read<std::uint32_t>();
  const auto dtype = ggml_dtype(type);
  if (!dtype) {
    in.fail(core::text("has type ", ggml_type_name(type), ", which is not supported; expected F32, F16, BF16, Q4_0, ",
                       "Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K: use a file quantized to one of these"));
  }
  entry.dtype = *dtype;
  const core::DtypeInfo& layout = core::dtype_info(*dtype);
  const std::int64_t fastest = entry.shape.empty() ? 1 : entry.shape.back();
  if (fastest % layout.block != 0) {
    in.fail(core::text("has shape ", core::shape_text(entry.shape), ", expected rows of a multiple of ", layout.block,
                       " elements for ", layout.name, "; the file is damaged"));
  }
  const auto size = tensor_bytes(entry.shape, *dtype);
  if (!size) {
    in.fail(core::text("has shape ", core::shape_text(entry.shape), ", whose size is beyond 64 bits; ",
                       "the file is damaged"));
  }
  info.size = *size;
  entry.offset = in.read<std::uint64_t>();
  return info;
}

std::vector<Info> read_infos(ByteCursor& in, std::uint64_t count) {
  in.enter("the tensor table");
  in.expect(count, kMinTensorBytes);
  std::vector<Info> infos;
  std::unordered_set<std::string> names;
  for (std::uint64_t i = 0; i < count; ++i) {
    infos.push_back(read_info(in, i));
    if (!names.insert(infos.back().entry.name).second) {
      in.fail("stands twice in the tensor table, expected once; the file is damaged");
    }
  }
  return infos;
}

// Turns offsets within the data into offsets within the file and checks that each tensor lies there, apart from others.
void place_tensors(std::vector<Info>& infos, std::span<const std::byte> bytes, std::uint64_t data_begin,
                   std::uint64_t alignment, ByteCursor& in) {
  const std::span<const std::byte> data = bytes.subspan(data_begin);
  for (Info& info : infos) {
    TensorEntry& entry = info.entry;
    in.enter(core::text("tensor ", core::quoted(entry.name)));
    if (entry.offset % alignment != 0) {
      in.fail(core::text("has offset ", entry.offset, ", expected a multiple of the alignment ", alignment,
                         "; the file is damaged"));
    }
    const auto end = checked_sum(entry.offset, info.size);
    if (!end || *end > data.size()) {
      in.fail(core::text("takes ", info.size, " bytes at offset ", entry.offset,
                         " of the data, but the file holds only ", data.size(),
                         "; the file is cut off, fetch it again"));
    }
    entry.bytes = data.subspan(entry.offset, info.size);
    entry.offset += data_begin;
  }
  std::ranges::sort(infos, [](const Info& a, const Info& b) {
    return std::pair(a.entry.offset, a.size) < std::pair(b.entry.offset, b.size);
  });
  for (std::size_t i = 1; i < infos.size(); ++i) {
    const Info& before = infos[i - 1];
    const TensorEntry& entry = infos[i].entry;
    if (entry.offset < before.entry.offset + before.size) {
      in.enter(core::text("tensor ", core::quoted(entry.name)));
      in.fail(core::text("begins at byte ", entry.offset, ", inside tensor ", core::quoted(before.entry.name),
                         " which ends at ", before.entry.offset + before.size, "; the file is damaged"));
    }
  }
}

}  // namespace

GgufMetadata parse_gguf(std::span<const std::byte> bytes, const std::string& name, std::vector<TensorEntry>& tensors) {
  ByteCursor in(bytes, name);
  GgufMetadata metadata;
  metadata.file = name;
  const Counts counts = read_header(in);
  read_pairs(in, counts.pairs, metadata);
  const std::uint64_t alignment = alignment_of(metadata);
  std::vector<Info> infos = read_infos(in, counts.tensors);
  // A vocabulary-only file may end before the padding that would lead to its data.
  if (infos.empty()) return metadata;

  const std::uint64_t padding = (alignment - in.position() % alignment) % alignment;
  if (padding > in.remaining()) {
    in.enter("the data");
    in.fail("is missing: the file ends after the tensor table; fetch it again");
  }
  place_tensors(infos, bytes, in.position() + padding, alignment, in);
  tensors.reserve(tensors.size() + infos.size());
  for (Info& info : infos) tensors.push_back(std::move(info.entry));
  return metadata;
}

GgufMetadata read_gguf(const std::filesystem::path& file, TensorSource& source) {
  core::MappedFile mapped(file);
  std::vector<TensorEntry> entries;
  GgufMetadata metadata = parse_gguf(mapped.bytes(), file.string(), entries);
  source.add_file(std::move(mapped), std::move(entries));
  return metadata;
}

}  // namespace qzo::io
