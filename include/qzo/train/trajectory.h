#pragma once
// A fine-tune as a patch: applying it to the base checkpoint gives the tuned one, byte for byte.
//
// Little-endian. The 64-byte header of the journal with the magic "QZOTRAJ1"; u64 number of records; u64 step and u64
// XXH3-64 of the masters after it (the last checksum of the journal that is covered; step 2^64 - 1: none); 12 bytes a
// direction and step: u32 step | f32 lr | f32 d applied, directions in order; u32 crc32c of everything before.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "qzo/train/journal.h"

namespace qzo::train {

// The first `last_step` steps. Skipped ones are left out. Atomic.
void write_trajectory(const Journal& journal, const std::filesystem::path& file, std::uint64_t last_step = ~0ull);

// As a journal, to be applied with replay(). UserError if damaged.
Journal read_trajectory(const std::filesystem::path& file);
// The checks alone, on bytes (fuzzing).
Journal parse_trajectory(std::span<const std::byte> bytes, const std::string& name);

}  // namespace qzo::train
