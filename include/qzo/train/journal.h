#pragma once
// journal.bin: the truth about a run, append-only. From the base checkpoint and the journal alone every scale can be
// rebuilt bit for bit.
//
// Little-endian. Header 64 bytes: "QZOJRNL1", u32 version, u32 header size, u64 base checkpoint hash, u64 hash of the
// trajectory-relevant config, u64 hash of the tensor order (names, ids, sizes, frozen elements), u64 run seed, f32
// floor, u32 eps mode (2: first order, see below), u32 directions, u32 crc32c of the 60 bytes before. Records 48 bytes:
// u64 step, u64 seed, f32 lr, f32 d before the clip, f32 d applied, f32 L+, f32 L-, u32 flags (bit 0 clipped, 1
// skipped, 2 checksum record; bits 8-15 direction), u32 spare (0), u32 crc32c of the 44 bytes before. A checksum record
// holds the XXH3-64 of all masters after `step` in the seed field.
//
// A first-order run (eps mode 2, floor 0, directions 1) writes its loss as L+ and as L-, and the norm of its gradient
// before and after clipping as d. Its records cannot be replayed, since they do not hold the gradient: such a run goes
// on from its newest checkpoint and computes the steps after it again.
//
// fsync policy: data is synced every `sync_every` steps, before each checkpoint marker, and at close. After a crash at
// most that many steps are computed again, to the same bits.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "qzo/zo/qzo.h"

namespace qzo::train {

struct JournalHeader {
  std::uint64_t base_hash = 0;
  std::uint64_t config_hash = 0;
  std::uint64_t tensor_hash = 0;
  std::uint64_t run_seed = 0;
  float floor = 0;
  kernels::EpsMode eps_mode = kernels::EpsMode::kAbsolute;
  std::uint32_t directions = 1;
  bool first_order = false;  // eps_mode means nothing then
};

struct JournalEntry {
  bool checksum = false;
  zo::StepRecord record;   // if !checksum
  std::uint64_t step = 0;  // if checksum: number of steps done
  std::uint64_t scales_hash = 0;
};

struct Journal {
  JournalHeader header;
  std::vector<JournalEntry> entries;
  std::uint64_t whole_bytes = 0;  // length of the valid prefix
  std::uint64_t torn_bytes = 0;   // bytes after it (a torn or damaged tail)
};

// UserError if absent, not a journal, or its header is damaged. A record that is damaged or does not follow the one
// before (stale blocks after a power cut) ends the valid prefix.
Journal read_journal(const std::filesystem::path& file);
// The checks alone, on bytes (fuzzing).
Journal parse_journal(std::span<const std::byte> bytes, const std::string& name);

// Up to where every step has the records of all its directions.
struct WholeSteps {
  std::uint64_t steps = 0;
  std::uint64_t bytes = 0;  // with the checksum record that follows, if one does
};
WholeSteps whole_steps(const Journal& journal);

class AppendFile;

// Appends are whole or absent: a write that fails (disk full) is taken back before EnvironmentError is thrown. One
// writer per journal, also across processes (UserError).
class JournalWriter {
 public:
  // Creates (must not exist: UserError) or continues: cuts the file to `keep_bytes` first.
  static JournalWriter create(const std::filesystem::path& file, const JournalHeader& header);
  static JournalWriter open(const std::filesystem::path& file, std::uint64_t keep_bytes);
  ~JournalWriter();
  JournalWriter(JournalWriter&& other) noexcept;
  JournalWriter& operator=(JournalWriter&&) = delete;
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  void append(const zo::StepRecord& record);
  void append(std::span<const zo::StepRecord> step);  // all directions of a step in one write
  void append_checksum(std::uint64_t steps_done, std::uint64_t scales_hash);
  // Drops what stands behind `keep_bytes`.
  void cut(std::uint64_t keep_bytes);
  void sync();
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  explicit JournalWriter(std::unique_ptr<AppendFile> file);
  std::unique_ptr<AppendFile> file_;
};

std::uint64_t tensor_order_hash(std::span<const zo::TrainableScales> tensors);

// UserError naming the step if `found`, the checksum of the masters, is not that of the record.
void verify_checksum(const JournalEntry& checksum, std::uint64_t found);

// Applies the records of steps [first_step, last_step) to masters that stand after `first_step` steps; verifies
// checksum records on the way (UserError naming the step if one differs). A last step without all its directions is
// left out. Returns the number of steps done afterwards. UserError for the journal of a first-order run.
std::uint64_t replay(const Journal& journal, std::span<zo::TrainableScales> tensors, std::uint64_t first_step = 0,
                     std::uint64_t last_step = ~0ull);

}  // namespace qzo::train
