#include "qzo/train/trajectory.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/hash.h"
#include "qzo/core/text.h"

#include "train/journal_codec.h"

namespace qzo::train {
namespace {

struct Preamble {
  std::uint64_t records = 0;
  std::uint64_t checksum_step = ~0ull;
  std::uint64_t checksum = 0;
};
struct Move {
  std::uint32_t step = 0;
  float lr = 0;
  float d_applied = 0;
};
static_assert(sizeof(Preamble) == 24 && sizeof(Move) == 12, "written as they lie in memory");

constexpr std::size_t kMovesAt = kHeaderBytes + sizeof(Preamble);
constexpr std::size_t kTailBytes = sizeof(std::uint32_t);

template <class T>
void append(std::vector<std::byte>& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class T>
T read_at(std::span<const std::byte> bytes, std::size_t offset) {
  QZO_CHECK(offset <= bytes.size() && sizeof(T) <= bytes.size() - offset);
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

JournalEntry update_of(const Move& move, std::uint64_t seed, std::uint32_t direction) {
  JournalEntry entry;
  entry.record.step = move.step;
  entry.record.seed = seed;
  entry.record.direction = direction;
  entry.record.lr = move.lr;
  entry.record.d_raw = move.d_applied;
  entry.record.d_applied = move.d_applied;
  // Not kept: nobody can mistake them for losses that were measured.
  entry.record.loss_plus = entry.record.loss_minus = std::numeric_limits<float>::quiet_NaN();
  return entry;
}

JournalEntry checksum_of(const Preamble& preamble) {
  JournalEntry entry;
  entry.checksum = true;
  entry.step = preamble.checksum_step;
  entry.scales_hash = preamble.checksum;
  return entry;
}

[[noreturn]] void damaged(const std::string& name, const std::string& what) {
  throw core::UserError(core::text(name, ": the trajectory is damaged (", what, "); get the file again, or write it ",
                                   "from the run with qzo-replay --trajectory"));
}

}  // namespace

void write_trajectory(const Journal& journal, const std::filesystem::path& file, std::uint64_t last_step) {
  last_step = std::min(last_step, whole_steps(journal).steps);
  std::vector<std::byte> moves;
  Preamble preamble;
  for (const JournalEntry& entry : journal.entries) {
    if (entry.checksum) {
      if (entry.step > last_step) break;
      preamble.checksum_step = entry.step;
      preamble.checksum = entry.scales_hash;
      continue;
    }
    const zo::StepRecord& record = entry.record;
    if (record.step >= last_step) break;
    if (record.skipped) continue;
    if (record.step > std::numeric_limits<std::uint32_t>::max()) {
      throw core::UserError(core::text("step ", record.step, " does not fit into the 32 bits of a trajectory"));
    }
    append(moves, Move{static_cast<std::uint32_t>(record.step), record.lr, record.d_applied});
    ++preamble.records;
  }
  std::vector<std::byte> bytes;
  bytes.reserve(kMovesAt + moves.size() + kTailBytes);
  append(bytes, encode_header(journal.header, kTrajectoryMagic));
  append(bytes, preamble);
  bytes.insert(bytes.end(), moves.begin(), moves.end());
  append(bytes, core::crc32c(bytes));
  core::write_file_atomically(file, bytes);
}

Journal parse_trajectory(std::span<const std::byte> bytes, const std::string& name) {
  Journal journal;
  journal.header = decode_header(bytes, kTrajectoryMagic, name);
  if (bytes.size() < kMovesAt + kTailBytes) damaged(name, "it ends early");
  if (read_at<std::uint32_t>(bytes, bytes.size() - kTailBytes) != core::crc32c(bytes.first(bytes.size() - kTailBytes)))
    damaged(name, "CRC-32C differs");

  const auto preamble = read_at<Preamble>(bytes, kHeaderBytes);
  const std::size_t move_bytes = bytes.size() - kMovesAt - kTailBytes;
  const std::uint32_t directions = journal.header.directions;
  if (move_bytes % sizeof(Move) != 0 || preamble.records != move_bytes / sizeof(Move))
    damaged(name, "its length is not that of its records");
  if (preamble.records % directions != 0) damaged(name, "a step lacks directions");

  bool checksum_placed = preamble.checksum_step == ~0ull;
  std::uint64_t next_step = 0;
  for (std::uint64_t i = 0; i < preamble.records; ++i) {
    const auto move = read_at<Move>(bytes, kMovesAt + i * sizeof(Move));
    const auto direction = static_cast<std::uint32_t>(i % directions);
    if (direction == 0 ? move.step < next_step : move.step + 1ull != next_step) damaged(name, "steps out of order");
    if (!std::isfinite(move.lr) || !std::isfinite(move.d_applied)) damaged(name, "an update is not finite");
    if (!checksum_placed && move.step >= preamble.checksum_step) {
      if (direction != 0) damaged(name, "a checksum within a step");
      journal.entries.push_back(checksum_of(preamble));
      checksum_placed = true;
    }
    journal.entries.push_back(update_of(move, journal.header.run_seed, direction));
    next_step = move.step + 1ull;
  }
  if (!checksum_placed) journal.entries.push_back(checksum_of(preamble));
  journal.whole_bytes = bytes.size();
  return journal;
}

Journal read_trajectory(const std::filesystem::path& file) {
  const core::MappedFile mapped(file);
  return parse_trajectory(mapped.bytes(), file.string());
}

}  // namespace qzo::train
