#pragma once
// Opening a run folder: a new run, or one that goes on from its newest good checkpoint and its journal.

#include <string>

#include "qzo/train/journal.h"
#include "qzo/train/loop.h"

#include "train/loop_state.h"

namespace qzo::train {

struct OpenedRun {
  Journal journal;       // whole steps only; empty for a new run
  JournalWriter writer;  // stands at the end of them
  LoopState state;  // masters stand after state.steps_done; the records after state.journal_bytes are to be replayed
  bool resumed = false;
  bool from_checkpoint = false;  // else the masters are those of the base checkpoint
  std::string message;           // what was found and done, for people
};

// Files, hashes and the lock on the journal; loads masters. UserError as described at run().
OpenedRun open_run(Method& method, const LoopSettings& settings, const core::RunFolder& folder, Resume resume,
                   Reporter& reporter);

// Index of the first entry after `state`.
std::size_t next_entry(const LoopState& state);

}  // namespace qzo::train
