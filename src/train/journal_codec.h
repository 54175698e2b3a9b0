#pragma once
// The bytes of journal.bin (layout: qzo/train/journal.h), shared with trajectories, whose header is the same but for
// the magic.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "qzo/train/journal.h"

namespace qzo::train {

inline constexpr std::size_t kHeaderBytes = 64;
inline constexpr std::size_t kRecordBytes = 48;
inline constexpr std::string_view kJournalMagic = "QZOJRNL1";
inline constexpr std::string_view kTrajectoryMagic = "QZOTRAJ1";

static_assert(std::endian::native == std::endian::little, "journals are little-endian");

using HeaderBytes = std::array<std::byte, kHeaderBytes>;
using RecordBytes = std::array<std::byte, kRecordBytes>;

HeaderBytes encode_header(const JournalHeader& header, std::string_view magic);
// UserError naming `name` if the bytes are not a header of that magic, damaged, or of a newer version.
JournalHeader decode_header(std::span<const std::byte> bytes, std::string_view magic, const std::string& name);

RecordBytes encode_record(const zo::StepRecord& record);
RecordBytes encode_checksum(std::uint64_t steps_done, std::uint64_t scales_hash);
// nullopt if the checksum is wrong or a field cannot be what we write (unknown flag, non-finite update).
std::optional<JournalEntry> decode_record(std::span<const std::byte, kRecordBytes> bytes);

}  // namespace qzo::train
