#include "qzo/io/tensor_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/half.h"
#include "qzo/core/text.h"

namespace qzo::io {
namespace {

std::string dtype_names(std::initializer_list<core::Dtype> dtypes) {
  std::string names;
  for (const core::Dtype dtype : dtypes) {
    if (!names.empty()) names += " or ";
    names += core::dtype_info(dtype).name;
  }
  return names;
}

template <class Element, class Convert>
std::vector<float> convert_elements(std::span<const std::byte> bytes, Convert convert) {
  std::vector<float> values(bytes.size() / sizeof(Element));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Element element;
    std::memcpy(&element, bytes.data() + i * sizeof(Element), sizeof(Element));
    values[i] = convert(element);
  }
  return values;
}

}  // namespace

std::size_t TensorSource::add_file(core::MappedFile file) {
  files_.push_back(std::move(file));
  return files_.size() - 1;
}

void TensorSource::add_file(core::MappedFile file, std::vector<TensorEntry> entries) {
  const std::size_t index = add_file(std::move(file));
  for (TensorEntry& entry : entries) {
    entry.file = index;
    add(std::move(entry));
  }
}

void TensorSource::add(TensorEntry entry) {
  QZO_CHECK(entry.file < files_.size(), "file index ", entry.file, " of ", files_.size());
  const auto [position, inserted] = by_name_.try_emplace(entry.name, entries_.size());
  if (!inserted) {
    const TensorEntry& first = entries_[position->second];
    throw core::UserError(core::text(describe(entry), " is also stored in ", files_[first.file].path().string(),
                                     "; a tensor may be stored once: remove one of the two files"));
  }
  entries_.push_back(std::move(entry));
}

const TensorEntry* TensorSource::find(std::string_view name) const {
  const auto position = by_name_.find(std::string(name));
  return position == by_name_.end() ? nullptr : &entries_[position->second];
}

const TensorEntry& TensorSource::require(std::string_view name, std::initializer_list<core::Dtype> dtypes,
                                         std::span<const std::int64_t> shape) const {
  const TensorEntry* entry = find(name);
  const std::vector<std::int64_t> wanted(shape.begin(), shape.end());
  if (entry == nullptr) {
    throw core::UserError(core::text(where(), ": tensor \"", name, "\" is missing; the model needs it as ",
                                     dtype_names(dtypes), " ", core::shape_text(wanted)));
  }
  if (std::ranges::find(dtypes, entry->dtype) == dtypes.end()) {
    throw core::UserError(core::text(describe(*entry), " has dtype ", core::dtype_info(entry->dtype).name,
                                     ", expected ", dtype_names(dtypes)));
  }
  if (entry->shape != wanted) {
    throw core::UserError(core::text(describe(*entry), " has shape ", core::shape_text(entry->shape), ", expected ",
                                     core::shape_text(wanted)));
  }
  return *entry;
}

std::string TensorSource::where() const {
  if (files_.empty()) return "the checkpoint";
  const std::filesystem::path& first = files_.front().path();
  return files_.size() == 1 ? first.string() : first.parent_path().string();
}

std::string TensorSource::describe(const TensorEntry& entry) const {
  QZO_CHECK(entry.file < files_.size(), "file index ", entry.file, " of ", files_.size());
  return core::text(files_[entry.file].path().string(), ": tensor \"", entry.name, "\"");
}

std::vector<float> read_floats(const TensorEntry& entry) {
  switch (entry.dtype) {
    case core::Dtype::kF32:
      return convert_elements<float>(entry.bytes, [](float value) { return value; });
    case core::Dtype::kF16:
      return convert_elements<std::uint16_t>(entry.bytes, core::half_to_float);
    case core::Dtype::kBF16:
      return convert_elements<std::uint16_t>(entry.bytes, core::bfloat16_to_float);
    default:
      throw core::UserError(core::text("tensor \"", entry.name, "\" has dtype ", core::dtype_info(entry.dtype).name,
                                       ", expected F32, F16 or BF16"));
  }
}

}  // namespace qzo::io
