#include "qzo/train/journal.h"

#include <utility>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/hash.h"
#include "qzo/core/text.h"

#include "train/append_file.h"
#include "train/journal_codec.h"

namespace qzo::train {
namespace {

// Which record may come next: the directions of a step in order, the steps in order, a checksum only between steps.
class Sequence {
 public:
  explicit Sequence(const JournalHeader& header) : header_(header) {}

  bool accept(const JournalEntry& entry) {
    if (entry.checksum) return direction_ == 0 && entry.step == step_;
    const zo::StepRecord& record = entry.record;
    if (record.step != step_ || record.direction != direction_ || record.seed != header_.run_seed) return false;
    if (++direction_ == header_.directions) {
      direction_ = 0;
      ++step_;
    }
    return true;
  }

 private:
  const JournalHeader& header_;
  std::uint64_t step_ = 0;
  std::uint32_t direction_ = 0;
};

}  // namespace

Journal parse_journal(std::span<const std::byte> bytes, const std::string& name) {
  Journal journal;
  journal.header = decode_header(bytes, kJournalMagic, name);
  journal.whole_bytes = kHeaderBytes;
  journal.entries.reserve((bytes.size() - kHeaderBytes) / kRecordBytes);
  Sequence sequence(journal.header);
  while (bytes.size() - journal.whole_bytes >= kRecordBytes) {
    const auto entry = decode_record(bytes.subspan(journal.whole_bytes).first<kRecordBytes>());
    if (!entry || !sequence.accept(*entry)) break;
    journal.entries.push_back(*entry);
    journal.whole_bytes += kRecordBytes;
  }
  journal.torn_bytes = bytes.size() - journal.whole_bytes;
  return journal;
}

Journal read_journal(const std::filesystem::path& file) {
  const core::MappedFile mapped(file);
  return parse_journal(mapped.bytes(), file.string());
}

WholeSteps whole_steps(const Journal& journal) {
  WholeSteps whole{.steps = 0, .bytes = kHeaderBytes};
  std::uint64_t bytes = kHeaderBytes;
  for (const JournalEntry& entry : journal.entries) {
    bytes += kRecordBytes;
    const bool ends_step = !entry.checksum && entry.record.direction + 1 == journal.header.directions;
    if (ends_step) whole.steps = entry.record.step + 1;
    if (ends_step || entry.checksum) whole.bytes = bytes;
  }
  return whole;
}

JournalWriter::JournalWriter(std::unique_ptr<AppendFile> file) : file_(std::move(file)) {}
JournalWriter::JournalWriter(JournalWriter&& other) noexcept = default;

JournalWriter::~JournalWriter() {
  if (!file_) return;
  try {
    file_->sync();
  } catch (const core::EnvironmentError&) {
    // Nothing is lost that was promised: checkpoints sync before they are written, and every earlier sync succeeded.
  }
}

JournalWriter JournalWriter::create(const std::filesystem::path& file, const JournalHeader& header) {
  if (std::filesystem::exists(std::filesystem::symlink_status(file))) {
    throw core::UserError(core::text(file.string(), " exists already; a journal is never overwritten"));
  }
  // Through a rename, so that no journal exists without its whole header.
  core::write_file_atomically(file, encode_header(header, kJournalMagic));
  return open(file, kHeaderBytes);
}

JournalWriter JournalWriter::open(const std::filesystem::path& file, std::uint64_t keep_bytes) {
  auto out = std::make_unique<AppendFile>(file);
  out->lock();
  out->cut(keep_bytes);
  return JournalWriter(std::move(out));
}

void JournalWriter::append(std::span<const zo::StepRecord> step) {
  std::vector<std::byte> bytes;
  bytes.reserve(step.size() * kRecordBytes);
  for (const zo::StepRecord& record : step) {
    const RecordBytes encoded = encode_record(record);
    bytes.insert(bytes.end(), encoded.begin(), encoded.end());
  }
  file_->append(bytes);
}

void JournalWriter::append(const zo::StepRecord& record) { append(std::span(&record, 1)); }

void JournalWriter::append_checksum(std::uint64_t steps_done, std::uint64_t scales_hash) {
  file_->append(encode_checksum(steps_done, scales_hash));
}

void JournalWriter::cut(std::uint64_t keep_bytes) { file_->cut(keep_bytes); }
void JournalWriter::sync() { file_->sync(); }
std::uint64_t JournalWriter::bytes() const { return file_->bytes(); }

std::uint64_t tensor_order_hash(std::span<const zo::TrainableScales> tensors) {
  core::Xxh3 hash;
  for (const zo::TrainableScales& tensor : tensors) {
    // Name, NUL, id, size: no two lists of tensors give the same bytes.
    const std::uint64_t numbers[] = {tensor.id, tensor.values.size(), tensor.signed_scales ? 1U : 0U,
                                     tensor.frozen.size()};
    hash.update(std::as_bytes(std::span(tensor.name.c_str(), tensor.name.size() + 1)));
    hash.update(std::as_bytes(std::span(numbers)));
    hash.update(std::as_bytes(tensor.frozen));
  }
  return hash.digest();
}

}  // namespace qzo::train
