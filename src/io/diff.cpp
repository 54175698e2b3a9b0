#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include "qzo/core/text.h"
#include "qzo/io/scale_patch.h"

#include "io/mapped_files.h"
#include "io/scale_fields.h"

namespace qzo::io {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxRanges = 16;
constexpr std::size_t kBlockBytes = 4096;  // compared at once; only blocks that differ are looked at byte by byte

// A stretch of a file that belongs to one tensor, or to none.
struct Segment {
  std::string tensor;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::vector<const ScaleField*> fields;
};

class Recorder {
 public:
  Recorder(TensorDiff& diff, const Segment& segment) : diff_(diff), segment_(segment) {}

  void differing_byte(std::uint64_t position) {
    ++diff_.bytes;
    const auto holds = [&](const ScaleField* field) { return field_contains(*field, position); };
    if (std::ranges::any_of(segment_.fields, holds)) ++diff_.scale_bytes;
    if (!diff_.ranges.empty() && diff_.ranges.back().end == position) {
      ++diff_.ranges.back().end;
    } else if (diff_.ranges.size() < kMaxRanges) {
      diff_.ranges.push_back({position, position + 1});
    }
  }

 private:
  TensorDiff& diff_;
  const Segment& segment_;
};

void compare_segment(std::span<const std::byte> a, std::span<const std::byte> b, const Segment& segment,
                     TensorDiff& diff) {
  Recorder recorder(diff, segment);
  for (std::uint64_t begin = segment.begin; begin < segment.end; begin += kBlockBytes) {
    const std::uint64_t end = std::min(segment.end, begin + kBlockBytes);
    if (std::memcmp(a.data() + begin, b.data() + begin, end - begin) == 0) continue;
    for (std::uint64_t i = begin; i < end; ++i) {
      if (a[i] != b[i]) recorder.differing_byte(i);
    }
  }
}

// The file cut into tensors and what lies between them, in order; each tensor with its scale fields.
std::vector<Segment> cut(const TensorSource& tensors, const fs::path& path, std::span<const ScaleField> fields) {
  const core::MappedFile* mapped = find_mapped(tensors, path);
  const auto file = static_cast<std::size_t>(mapped - tensors.files().data());
  std::vector<Segment> segments;
  std::uint64_t position = 0;
  const auto add = [&](std::string tensor, std::uint64_t end) {
    if (end > position) segments.push_back({std::move(tensor), position, end, {}});
    position = std::max(position, end);
  };
  for (const TensorEntry& entry : tensors.entries()) {  // readers deliver them by offset within a file
    if (entry.file != file) continue;
    add("", entry.offset);
    add(entry.name, entry.offset + entry.bytes.size());
  }
  add("", mapped->bytes().size());
  for (const ScaleField& field : fields) {
    if (field.file != file || field.count == 0) continue;
    const auto home = std::ranges::find_if(segments, [&](const Segment& s) { return field.offset < s.end; });
    if (home != segments.end()) home->fields.push_back(&field);
  }
  return segments;
}

void compare_bytes(const std::string& name, std::span<const std::byte> a, std::span<const std::byte> b,
                   const std::vector<Segment>& segments, DiffReport& report) {
  TensorDiff outside{.file = name, .tensor = "", .bytes = 0, .scale_bytes = 0, .ranges = {}};
  std::vector<TensorDiff> found;
  for (const Segment& segment : segments) {
    if (segment.tensor.empty()) {
      compare_segment(a, b, segment, outside);
      continue;
    }
    TensorDiff diff{.file = name, .tensor = segment.tensor, .bytes = 0, .scale_bytes = 0, .ranges = {}};
    compare_segment(a, b, segment, diff);
    if (diff.bytes != 0) found.push_back(std::move(diff));
  }
  if (outside.bytes != 0) report.tensors.push_back(std::move(outside));
  std::ranges::move(found, std::back_inserter(report.tensors));
}

// A file of a checkpoint: the mapping that its tensors point into, or one made for the comparison.
class OpenedFile {
 public:
  OpenedFile(const Checkpoint& checkpoint, const fs::path& path) : mapped_(find_mapped(checkpoint.tensors, path)) {
    if (mapped_ == nullptr) mapped_ = &own_.emplace(path);
  }
  OpenedFile(const OpenedFile&) = delete;
  OpenedFile& operator=(const OpenedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return mapped_->bytes(); }
  [[nodiscard]] bool holds_tensors() const { return !own_.has_value(); }

 private:
  std::optional<core::MappedFile> own_;
  const core::MappedFile* mapped_;
};

void compare_file(const std::string& name, const Checkpoint& a, const fs::path& path_a, const Checkpoint& b,
                  const fs::path& path_b, std::span<const ScaleField> fields, DiffReport& report) {
  const OpenedFile file_a(a, path_a);
  const OpenedFile file_b(b, path_b);
  const std::uint64_t size = file_a.bytes().size();
  if (size != file_b.bytes().size()) {
    report.other.push_back(core::text(name, ": ", size, " bytes and ", file_b.bytes().size(), " bytes"));
    return;
  }
  const std::vector<Segment> segments =
      file_a.holds_tensors() ? cut(a.tensors, path_a, fields) : std::vector<Segment>{{"", 0, size, {}}};
  compare_bytes(name, file_a.bytes(), file_b.bytes(), segments, report);
}

}  // namespace

bool DiffReport::scales_only() const {
  return other.empty() && std::ranges::all_of(tensors, [](const TensorDiff& t) { return t.bytes == t.scale_bytes; });
}

DiffReport diff_checkpoints(const Checkpoint& a, const Checkpoint& b, std::span<const ScaleField> fields) {
  for (const ScaleField& field : fields) check_field(field, a.tensors);
  DiffReport report;
  if (a.kind != b.kind) {
    report.other.push_back(core::text(a.root.string(), " and ", b.root.string(), " are of different kinds"));
    return report;
  }
  // A GGUF file may have any name: the two files are each other's partners.
  if (a.kind == CheckpointKind::kGguf) {
    compare_file(a.root.filename().string(), a, a.root, b, b.root, fields, report);
    return report;
  }
  for (const fs::path& name : a.files) {
    if (std::ranges::binary_search(b.files, name)) {
      compare_file(name.string(), a, a.root / name, b, b.root / name, fields, report);
    } else {
      report.other.push_back(core::text(name.string(), ": only in ", a.root.string()));
    }
  }
  for (const fs::path& name : b.files) {
    if (!std::ranges::binary_search(a.files, name)) {
      report.other.push_back(core::text(name.string(), ": only in ", b.root.string()));
    }
  }
  return report;
}

}  // namespace qzo::io
