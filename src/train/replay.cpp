#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/train/journal.h"

namespace qzo::train {

void verify_checksum(const JournalEntry& checksum, std::uint64_t found) {
  if (found == checksum.scales_hash) return;
  throw core::UserError(core::text("the trained values after step ", checksum.step, " have the checksum ", found,
                                   ", the journal says ", checksum.scales_hash,
                                   ": base checkpoint and journal do not belong together, or one of them is damaged"));
}

std::uint64_t replay(const Journal& journal, std::span<zo::TrainableScales> tensors, std::uint64_t first_step,
                     std::uint64_t last_step) {
  const JournalHeader& header = journal.header;
  if (header.first_order) {
    throw core::UserError(
        "this is the journal of a first-order run, whose records do not hold the gradients: it cannot be replayed. "
        "Take "
        "the model from RUN/model, or from a checkpoint of the run");
  }
  std::uint64_t done = first_step;
  // Records of a step are held back until all its directions are there: a torn step was never applied.
  std::vector<zo::StepRecord> step;
  for (const JournalEntry& entry : journal.entries) {
    if (entry.checksum) {
      if (entry.step < first_step) continue;
      if (entry.step > last_step) break;
      done = entry.step;  // ahead of the records only where a trajectory leaves out skipped steps
      verify_checksum(entry, zo::scales_checksum(tensors));
      continue;
    }
    if (entry.record.step < first_step) continue;
    if (entry.record.step >= last_step) break;
    step.push_back(entry.record);
    QZO_CHECK(step.front().step == entry.record.step, "directions of step ", step.front().step, " are missing");
    if (step.size() < header.directions) continue;
    for (const zo::StepRecord& record : step) zo::apply_record(record, header.eps_mode, header.floor, tensors);
    done = entry.record.step + 1;
    step.clear();
  }
  return done;
}

}  // namespace qzo::train
