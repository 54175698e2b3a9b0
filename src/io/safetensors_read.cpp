#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/json_file.h"
#include "qzo/core/text.h"
#include "qzo/io/safetensors.h"

#include "io/extent.h"
#include "io/safetensors_dtype.h"

namespace qzo::io {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the bound of the reference implementation
constexpr int kMaxHeaderDepth = 4;                      // the format itself needs three levels

template <class... Parts>
[[noreturn]] void fail(const std::string& file, const Parts&... parts) {
  throw core::UserError(core::text(file, ' ', parts...));
}

template <class... Parts>
[[noreturn]] void fail_tensor(const std::string& file, const std::string& tensor, const Parts&... parts) {
  throw core::UserError(core::text(file, ": tensor ", core::quoted(tensor), ' ', parts...));
}

std::string_view header_text(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() < kLengthBytes) {
    fail(file, "is ", bytes.size(), " bytes long, expected at least the 8 bytes of a safetensors header length; ",
         "the file is damaged, fetch it again");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) {
    fail(file, "announces a header of ", length, " bytes, expected at most ", kMaxHeaderBytes,
         "; it is damaged or not a safetensors file");
  }
  if (length > bytes.size() - kLengthBytes) {
    fail(file, "announces a header of ", length, " bytes, but only ", bytes.size() - kLengthBytes,
         " follow; the file is cut off, fetch it again");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  if (!text.starts_with('{')) {
    fail(file, "has a header that begins with ", core::quoted(text.substr(0, 1)),
         ", expected '{'; it is damaged or not a safetensors file");
  }
  return text;
}

core::Dtype read_dtype(const core::Json& fields, const std::string& file, const std::string& tensor) {
  const auto field = fields.find("dtype");
  if (field == fields.end() || !field->is_string())
    fail_tensor(file, tensor, "has no dtype, expected a name such as F16");
  const auto& name = field->get_ref<const std::string&>();
  const auto dtype = safetensors_dtype(name);
  if (!dtype) {
    fail_tensor(
        file, tensor, "has dtype ", core::quoted(name),
        ", which is not supported; expected BOOL, U8, I8, F8_E4M3, F8_E5M2, I16, U16, F16, BF16, I32, U32, F32, ",
        "I64, U64 or F64");
  }
  return *dtype;
}

std::vector<std::int64_t> read_shape(const core::Json& fields, const std::string& file, const std::string& tensor) {
  const auto field = fields.find("shape");
  if (field == fields.end() || !field->is_array()) {
    fail_tensor(file, tensor, "has no shape, expected a list of dimensions");
  }
  std::vector<std::int64_t> shape;
  shape.reserve(field->size());
  for (const core::Json& dimension : *field) {
    if (!dimension.is_number_unsigned() ||
        dimension.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fail_tensor(file, tensor, "has the dimension ", core::quoted(dimension.dump()),
                  " in its shape, expected an integer from 0 to 2^63 - 1");
    }
    shape.push_back(dimension.get<std::int64_t>());
  }
  return shape;
}

struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

Extent read_offsets(const core::Json& fields, const std::string& file, const std::string& tensor) {
  const auto field = fields.find("data_offsets");
  const bool well_formed = field != fields.end() && field->is_array() && field->size() == 2 &&
                           (*field)[0].is_number_unsigned() && (*field)[1].is_number_unsigned();
  if (!well_formed) {
    fail_tensor(file, tensor, "has data_offsets ", field == fields.end() ? "missing" : core::quoted(field->dump()),
                ", expected two integers [begin, end]");
  }
  const Extent extent{(*field)[0].get<std::uint64_t>(), (*field)[1].get<std::uint64_t>()};
  if (extent.begin > extent.end) {
    fail_tensor(file, tensor, "has data_offsets [", extent.begin, ", ", extent.end, "], expected begin <= end");
  }
  return extent;
}

// `data`: everything after the header.
TensorEntry read_entry(const std::string& name, const core::Json& fields, std::span<const std::byte> data,
                       const std::string& file) {
  if (name.empty()) fail(file, "holds a tensor without a name");
  if (!fields.is_object()) {
    fail_tensor(file, name, "is described by ", core::quoted(fields.dump()),
                ", expected an object with dtype, shape and data_offsets");
  }
  TensorEntry entry;
  entry.name = name;
  entry.dtype = read_dtype(fields, file, name);
  entry.shape = read_shape(fields, file, name);
  const Extent extent = read_offsets(fields, file, name);
  const auto size = tensor_bytes(entry.shape, entry.dtype);
  if (!size) {
    fail_tensor(file, name, "has shape ", core::shape_text(entry.shape), ", whose size is beyond 64 bits");
  }
  if (extent.end - extent.begin != *size) {
    fail_tensor(file, name, "spans ", extent.end - extent.begin, " bytes (data_offsets [", extent.begin, ", ",
                extent.end, "]), but ", core::dtype_info(entry.dtype).name, ' ', core::shape_text(entry.shape),
                " takes ", *size);
  }
  if (extent.end > data.size()) {
    fail_tensor(file, name, "ends at byte ", extent.end, " of the data, but the file holds only ", data.size(),
                "; the file is cut off, fetch it again");
  }
  entry.offset = extent.begin;
  entry.bytes = data.subspan(extent.begin, *size);
  return entry;
}

// Offsets still relative to the data.
void check_coverage(const std::vector<TensorEntry>& sorted, std::uint64_t data_bytes, const std::string& file) {
  std::uint64_t covered = 0;
  const std::string* previous = nullptr;
  for (const TensorEntry& entry : sorted) {
    if (entry.offset < covered) {
      fail_tensor(file, entry.name, "begins at byte ", entry.offset, " of the data, inside tensor ",
                  core::quoted(*previous), " which ends at ", covered, "; expected tensors without overlap");
    }
    if (entry.offset > covered) {
      fail_tensor(file, entry.name, "begins at byte ", entry.offset, " of the data, expected ", covered,
                  ": no tensor covers the bytes between");
    }
    covered = entry.offset + entry.bytes.size();
    previous = &entry.name;
  }
  if (covered != data_bytes) {
    fail(file, "holds ", data_bytes, " bytes of data, but its tensors end at byte ", covered,
         "; the file is damaged, fetch it again");
  }
}

std::map<std::string, std::string> read_metadata(const core::Json& json, const std::string& file) {
  if (!json.is_object()) fail(file, "has a __metadata__ that is not an object of strings");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      fail(file, "is damaged: __metadata__ key ", core::quoted(key), " is ", core::quoted(value.dump()),
           ", expected a string");
    }
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

}  // namespace

std::vector<TensorEntry> parse_safetensors(std::span<const std::byte> bytes, const std::string& name,
                                           std::map<std::string, std::string>* metadata) {
  const std::string_view text = header_text(bytes, name);
  const core::Json header = core::parse_json(text, core::text(name, " (header)"), kMaxHeaderDepth);
  const std::uint64_t data_begin = kLengthBytes + text.size();
  const std::span<const std::byte> data = bytes.subspan(data_begin);

  std::vector<TensorEntry> entries;
  entries.reserve(header.size());
  for (const auto& [key, value] : header.items()) {
    if (key == "__metadata__") {
      auto pairs = read_metadata(value, name);
      if (metadata != nullptr) *metadata = std::move(pairs);
    } else {
      entries.push_back(read_entry(key, value, data, name));
    }
  }
  // Empty tensors stand before the tensor that begins at the same byte.
  std::ranges::sort(entries, [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.offset, a.bytes.size()) < std::pair(b.offset, b.bytes.size());
  });
  check_coverage(entries, data.size(), name);
  for (TensorEntry& entry : entries) entry.offset += data_begin;
  return entries;
}

std::map<std::string, std::string> read_safetensors(const std::filesystem::path& file, TensorSource& source) {
  core::MappedFile mapped(file);
  std::map<std::string, std::string> metadata;
  std::vector<TensorEntry> entries = parse_safetensors(mapped.bytes(), file.string(), &metadata);
  source.add_file(std::move(mapped), std::move(entries));
  return metadata;
}

}  // namespace qzo::io
