#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/io/scale_patch.h"

#include "io/mapped_files.h"
#include "io/output_file.h"
#include "io/output_folder.h"
#include "io/rewrite_tensors.h"
#include "io/scale_fields.h"

namespace qzo::io {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = std::size_t{8} << 20;

using FileWrites = std::vector<const FieldWrite*>;

void write_patched(OutputFile& output, std::span<const std::byte> bytes, const FileWrites& writes) {
  std::vector<std::byte> buffer;
  for (std::uint64_t begin = 0; begin < bytes.size(); begin += kPieceBytes) {
    const std::span<const std::byte> piece =
        bytes.subspan(begin, std::min<std::uint64_t>(kPieceBytes, bytes.size() - begin));
    const auto touches = [&](const FieldWrite* write) {
      return write->field.offset < begin + piece.size() && field_end(write->field) > begin;
    };
    if (std::ranges::none_of(writes, touches)) {
      output.write(piece);
      continue;
    }
    buffer.assign(piece.begin(), piece.end());
    for (const FieldWrite* write : writes) {
      if (touches(write)) patch_piece(buffer, begin, *write);
    }
    output.write(buffer);
  }
}

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail_with_errno("read", path);
  return status.st_mode & 0777;
}

// The tensor files come from their mappings: what was checked, hashed and trained on, whatever stands at the path by
// now.
void copy_file(const Checkpoint& source, const fs::path& from, const FileWrites& writes, OutputFile& output) {
  const core::MappedFile* mapped = find_mapped(source.tensors, from);
  QZO_CHECK(mapped != nullptr || writes.empty(), "writes into ", from.string(), ", which is not a tensor file");
  if (mapped != nullptr) {
    write_patched(output, mapped->bytes(), writes);
  } else {
    output.write(core::MappedFile(from).bytes());
  }
  output.set_mode(mode_of(from));
}

std::map<fs::path, FileWrites> group_by_file(const Checkpoint& source, std::span<const FieldWrite> writes) {
  std::map<fs::path, FileWrites> groups;
  for (const FieldWrite& write : writes) {
    check_field(write.field, source.tensors);
    QZO_CHECK(write.values.size() == static_cast<std::uint64_t>(write.field.count) * write.field.width, "tensor ",
              write.field.tensor, ": ", write.values.size(), " bytes for ", write.field.count, " values");
    groups[source.tensors.files()[write.field.file].path()].push_back(&write);
  }
  return groups;
}

FileWrites writes_of(const std::map<fs::path, FileWrites>& groups, const fs::path& file) {
  const auto group = groups.find(file);
  return group == groups.end() ? FileWrites{} : group->second;
}

void check_folder_destination(const fs::path& root, const fs::path& destination) {
  if (lies_within(destination, root) || lies_within(root, destination)) {
    throw core::UserError(core::text(destination.string(), " overlaps ", root.string(),
                                     ", the model that is copied; expected a folder apart from it: give another one"));
  }
  if (!fs::exists(destination)) return;
  if (!fs::is_directory(destination)) {
    throw core::UserError(
        core::text(destination.string(), " is a file, expected a folder for the model: give another name"));
  }
  if (!fs::is_empty(destination) && !fs::exists(destination / "config.json")) {
    throw core::UserError(core::text(destination.string(),
                                     " holds other files (it has no config.json, so it is no model that ",
                                     "may be replaced): give an empty or new folder"));
  }
}

// One file of a folder, with whatever is changed in it.
void export_member(const Checkpoint& source, const std::map<fs::path, FileWrites>& groups, const ExportChanges& changes,
                   const fs::path& name, const fs::path& target) {
  const fs::path from = source.root / name;
  if (changes_tensors(source, changes, from)) return rewrite_tensors(source, changes, from, target);
  OutputFile output(target);
  const std::optional<std::string> text = changed_text(source, changes, name);
  if (text) {
    output.write(std::as_bytes(std::span(*text)));
    output.set_mode(mode_of(from));
  } else {
    copy_file(source, from, writes_of(groups, from), output);
  }
  output.finish();
}

void export_folder(const Checkpoint& source, const std::map<fs::path, FileWrites>& groups, const ExportChanges& changes,
                   const fs::path& destination) {
  check_folder_destination(resolve(source.root), destination);
  OutputFolder output(destination);
  const fs::path& partial = output.unfinished();
  std::set<fs::path> folders = {partial};
  for (const fs::path& name : source.files) {
    const fs::path target = partial / name;
    fs::create_directories(target.parent_path());
    for (fs::path folder = target.parent_path(); folders.insert(folder).second;) folder = folder.parent_path();
    export_member(source, groups, changes, name, target);
  }
  for (const fs::path& folder : folders) core::fsync_folder(folder);
  // A later export must be able to replace the folder even if the source is write-protected.
  if (::chmod(partial.c_str(), mode_of(source.root) | S_IRWXU) != 0) fail_with_errno("set the permissions", partial);
  output.commit();
}

void export_file(const Checkpoint& source, const std::map<fs::path, FileWrites>& groups, const fs::path& destination) {
  if (fs::exists(destination)) {
    if (fs::is_directory(destination)) {
      throw core::UserError(
          core::text(destination.string(), " is a folder, expected the name of a .gguf file: give one in it"));
    }
    if (fs::equivalent(destination, source.root)) {
      throw core::UserError(core::text(destination.string(), " is the model that is copied: give another destination"));
    }
  }
  fs::create_directories(destination.parent_path());
  OutputFile output(partial_path(destination));
  copy_file(source, source.root, writes_of(groups, source.root), output);
  output.commit(destination);
}

}  // namespace

void export_checkpoint(const Checkpoint& source, std::span<const FieldWrite> writes, const fs::path& destination) {
  ExportChanges changes;
  changes.fields.assign(writes.begin(), writes.end());
  export_with_changes(source, changes, destination);
}

void export_with_changes(const Checkpoint& source, const ExportChanges& changes, const fs::path& destination) {
  const auto groups = group_by_file(source, changes.fields);
  try {
    if (source.kind == CheckpointKind::kGguf) {
      QZO_CHECK(changes.tensors.empty() && changes.dropped.empty() && changes.texts.empty(), source.root.string());
      export_file(source, groups, resolve(destination));
    } else {
      export_folder(source, groups, changes, resolve(destination));
    }
  } catch (const fs::filesystem_error& failure) {
    throw core::EnvironmentError(
        core::text(destination.string(), ": cannot be written (", failure.code().message(), ')'));
  }
}

}  // namespace qzo::io
