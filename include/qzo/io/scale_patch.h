#pragma once
// Output of a run: a byte copy of the input checkpoint in which only scale fields are rewritten, unless a format cannot
// hold the new scales in their place (ExportChanges); and the proof of it.

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "qzo/io/checkpoint.h"

namespace qzo::io {

// Where scales stand in a file: `count` values of `width` bytes, `stride` bytes apart, the first at `offset`.
struct ScaleField {
  std::string tensor;    // name of the tensor they belong to
  std::size_t file = 0;  // index into TensorSource::files()
  std::uint64_t offset = 0;
  std::uint64_t stride = 0;
  std::int64_t count = 0;
  std::uint32_t width = 2;  // 2: f16 or bf16; 4: f32
};

struct FieldWrite {
  ScaleField field;
  std::vector<std::byte> values;  // count * width bytes, little-endian
};

// Copies the checkpoint to `destination` (a file for GGUF; a folder, absent or replaced, for Hugging Face), rewriting
// only the fields; permissions are kept, missing parent folders made. Written as ".NAME.partial" beside the
// destination, fsynced, renamed: killed at any moment, the old or the new one stands there. The source is never opened
// for writing. UserError for a destination that overlaps the source, or a folder that holds anything but a model.
// EnvironmentError (disk full): nothing half-written is left and an earlier `destination` is intact.
void export_checkpoint(const Checkpoint& source, std::span<const FieldWrite> writes,
                       const std::filesystem::path& destination);

// A stored tensor under its name with another type, shape or content.
struct TensorWrite {
  std::string tensor;
  core::Dtype dtype = core::Dtype::kF32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

// What an export changes. All but the fields is for Hugging Face folders: a file with changed or dropped tensors is
// written anew (its other tensors byte for byte, its metadata kept), and so is the index that lists it.
struct ExportChanges {
  std::vector<FieldWrite> fields;
  std::vector<TensorWrite> tensors;
  std::vector<std::string> dropped;                    // tensors
  std::map<std::filesystem::path, std::string> texts;  // whole small files, relative to the folder
};
void export_with_changes(const Checkpoint& source, const ExportChanges& changes,
                         const std::filesystem::path& destination);

struct ByteRange {
  std::uint64_t begin;
  std::uint64_t end;
};

struct TensorDiff {
  std::string file;
  std::string tensor;             // "" = outside of any tensor (header, metadata)
  std::int64_t bytes = 0;         // differing bytes
  std::int64_t scale_bytes = 0;   // of these, inside scale fields
  std::vector<ByteRange> ranges;  // differing ranges (merged; at most 16 kept, offsets in the file)
};

struct DiffReport {
  std::vector<TensorDiff> tensors;
  std::vector<std::string> other;  // files that only one side has, or that differ in size
  [[nodiscard]] bool identical() const { return tensors.empty() && other.empty(); }
  [[nodiscard]] bool scales_only() const;
};

// Byte for byte, every file of both. `fields`: the scale fields of `a` (quant::scale_fields). Differences are
// attributed by the tensors of `a`.
DiffReport diff_checkpoints(const Checkpoint& a, const Checkpoint& b, std::span<const ScaleField> fields);

}  // namespace qzo::io
