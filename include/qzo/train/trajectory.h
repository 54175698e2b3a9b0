#pragma once
// A fine-tune as a patch: header (base checkpoint hash, tensor order hash, run seed, rules), then 12 bytes a direction
// and step: u32 step | f32 lr | f32 d applied. Applying it to the base checkpoint gives the tuned one, byte for byte.

#include <filesystem>

#include "qzo/train/journal.h"

namespace qzo::train {

// Skipped steps are left out. Atomic.
void write_trajectory(const Journal& journal, const std::filesystem::path& file, std::uint64_t last_step = ~0ull);
// As a journal, to be applied with replay(). UserError if damaged. CRC-32C at the end of the file.
Journal read_trajectory(const std::filesystem::path& file);

}  // namespace qzo::train
