#pragma once
// The files of an export that are written anew (ExportChanges).

#include <filesystem>
#include <optional>
#include <string>

#include "qzo/io/scale_patch.h"

namespace qzo::io {

// Whether tensors of this tensor file are changed as wholes or dropped.
bool changes_tensors(const Checkpoint& source, const ExportChanges& changes, const std::filesystem::path& file);

// `target`: the safetensors file `from` with the changes, field writes included, in the order of its elements' width.
void rewrite_tensors(const Checkpoint& source, const ExportChanges& changes, const std::filesystem::path& from,
                     const std::filesystem::path& target);

// The new text of a file of the folder: a given one, or the index of the shards without the dropped tensors. nullopt if
// the file stays.
std::optional<std::string> changed_text(const Checkpoint& source, const ExportChanges& changes,
                                        const std::filesystem::path& name);

}  // namespace qzo::io
