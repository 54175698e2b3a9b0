#include "io/rewrite_tensors.h"

#include <algorithm>
#include <list>
#include <map>
#include <utility>

#include "qzo/core/check.h"
#include "qzo/core/json_file.h"
#include "qzo/io/safetensors.h"

#include "io/mapped_files.h"
#include "io/scale_fields.h"

namespace qzo::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndex = "model.safetensors.index.json";

const TensorWrite* replacement(const ExportChanges& changes, const std::string& name) {
  const auto found = std::ranges::find(changes.tensors, name, &TensorWrite::tensor);
  return found == changes.tensors.end() ? nullptr : &*found;
}

bool is_dropped(const ExportChanges& changes, const std::string& name) {
  return std::ranges::find(changes.dropped, name) != changes.dropped.end();
}

bool lies_in(const FieldWrite& write, const TensorEntry& entry) {
  return write.field.file == entry.file && write.field.count > 0 && write.field.offset >= entry.offset &&
         write.field.offset < entry.offset + entry.bytes.size();
}

// Bytes by which all tensors together grow.
std::int64_t growth(const Checkpoint& source, const ExportChanges& changes) {
  const auto size = [](const auto& bytes) { return static_cast<std::int64_t>(bytes.size()); };
  std::int64_t sum = 0;
  for (const TensorWrite& write : changes.tensors)
    sum += size(write.bytes) - size(source.tensors.find(write.tensor)->bytes);
  for (const std::string& name : changes.dropped) sum -= size(source.tensors.find(name)->bytes);
  return sum;
}

}  // namespace

bool changes_tensors(const Checkpoint& source, const ExportChanges& changes, const fs::path& file) {
  if (changes.tensors.empty() && changes.dropped.empty()) return false;
  const core::MappedFile* mapped = find_mapped(source.tensors, file);
  if (mapped == nullptr) return false;
  const auto index = static_cast<std::size_t>(mapped - source.tensors.files().data());
  return std::ranges::any_of(source.tensors.entries(), [&](const TensorEntry& entry) {
    return entry.file == index && (replacement(changes, entry.name) != nullptr || is_dropped(changes, entry.name));
  });
}

void rewrite_tensors(const Checkpoint& source, const ExportChanges& changes, const fs::path& from,
                     const fs::path& target) {
  const core::MappedFile& mapped = *find_mapped(source.tensors, from);
  const auto index = static_cast<std::size_t>(&mapped - source.tensors.files().data());
  std::map<std::string, std::string> metadata;
  parse_safetensors(mapped.bytes(), from.string(), &metadata);
  std::vector<TensorToWrite> tensors;
  std::list<std::vector<std::byte>> patched;
  for (const TensorEntry& entry : source.tensors.entries()) {
    if (entry.file != index || is_dropped(changes, entry.name)) continue;
    if (const TensorWrite* write = replacement(changes, entry.name)) {
      tensors.push_back({write->tensor, write->dtype, write->shape, write->bytes});
      continue;
    }
    std::span<const std::byte> bytes = entry.bytes;
    for (const FieldWrite& write : changes.fields) {
      if (!lies_in(write, entry)) continue;
      if (bytes.data() == entry.bytes.data()) bytes = patched.emplace_back(bytes.begin(), bytes.end());
      patch_piece(patched.back(), entry.offset, write);
    }
    tensors.push_back({entry.name, entry.dtype, entry.shape, bytes});
  }
  write_safetensors(target, tensors, std::move(metadata));
  fs::permissions(target, fs::status(from).permissions());
}

std::optional<std::string> changed_text(const Checkpoint& source, const ExportChanges& changes, const fs::path& name) {
  if (const auto text = changes.texts.find(name); text != changes.texts.end()) return text->second;
  if (name != kIndex || (changes.tensors.empty() && changes.dropped.empty())) return std::nullopt;
  core::Json index = core::read_json(source.root / name);
  for (const std::string& dropped : changes.dropped) index.at("weight_map").erase(dropped);
  if (const auto metadata = index.find("metadata"); metadata != index.end() && metadata->contains("total_size")) {
    (*metadata)["total_size"] = metadata->at("total_size").get<std::int64_t>() + growth(source, changes);
  }
  return index.dump(2) + "\n";
}

}  // namespace qzo::io
