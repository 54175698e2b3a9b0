#include "train/resume.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"
#include "qzo/train/checkpoint.h"

#include "train/journal_codec.h"

namespace qzo::train {
namespace {

namespace fs = std::filesystem;
using core::text;

JournalHeader header_of(Method& method, const LoopSettings& settings) {
  JournalHeader header = method.journal_header();
  header.base_hash = method.problem().base_hash();
  header.config_hash = settings.config_hash;
  header.run_seed = settings.zo.seed;
  return header;
}

// All that differs in one sentence.
void check_same_run(const JournalHeader& there, const JournalHeader& here, const core::RunFolder& folder) {
  std::vector<std::string> differences;
  if (there.base_hash != here.base_hash) {
    differences.push_back("it started from another base checkpoint (other tensor bytes)");
  }
  if (there.tensor_hash != here.tensor_hash)
    differences.push_back("it trains other tensors (include and exclude of zo or method)");
  const bool same_settings = there.config_hash == here.config_hash && there.run_seed == here.run_seed &&
                             there.floor == here.floor && there.eps_mode == here.eps_mode &&
                             there.first_order == here.first_order && there.directions == here.directions;
  if (!same_settings) {
    differences.push_back("settings that change the trajectory differ (its own stand in config.json there)");
  }
  if (differences.empty()) return;
  std::string all = differences.front();
  for (std::size_t i = 1; i < differences.size(); ++i) all += ", and " + differences[i];
  throw core::UserError(text(folder.root.string(), " holds another run: ", all,
                             ". Give a new output.dir, or the old model and config to go on with that run"));
}

bool has_content(const fs::path& folder) { return fs::exists(folder) && !fs::is_empty(folder); }

// A run that was killed before its journal existed leaves only these (and temporary files with a dot).
void check_holds_nothing_foreign(const core::RunFolder& folder) {
  const std::array ours = {folder.config(), folder.environment(), folder.checkpoints()};
  for (const fs::directory_entry& entry : fs::directory_iterator(folder.root)) {
    const bool known = std::ranges::find(ours, entry.path()) != ours.end();
    if (known || entry.path().filename().string().starts_with(".")) continue;
    throw core::UserError(text(folder.root.string(), " holds ", entry.path().filename().string(),
                               " but no journal.bin, so it is no run that could go on. Give another output.dir"));
  }
}

void write_settings(const LoopSettings& settings, const core::RunFolder& folder) {
  core::write_file_atomically(folder.config(), settings.config_json);
  core::write_file_atomically(folder.environment(), settings.environment_json);
}

OpenedRun start(const LoopSettings& settings, const core::RunFolder& folder, const JournalHeader& header) {
  std::error_code error;
  fs::create_directories(folder.checkpoints(), error);
  if (error) throw core::EnvironmentError(text("cannot create ", folder.root.string(), ": ", error.message()));
  write_settings(settings, folder);
  // Last: from here on there is a run.
  JournalWriter writer = JournalWriter::create(folder.journal(), header);
  LoopState state;
  state.journal_bytes = writer.bytes();
  Journal journal;
  journal.header = header;
  return {.journal = std::move(journal),
          .writer = std::move(writer),
          .state = state,
          .message = text("New run in ", folder.root.string(), ".")};
}

// The journal must lead on from the checkpoint, and the best model so far must still be there to be exported.
void check_usable(const CheckpointState& checkpoint, const Journal& journal, const WholeSteps& whole,
                  const core::RunFolder& folder, const CheckpointContent& content) {
  const LoopState state = from_checkpoint(checkpoint, "state.json");
  const std::uint64_t bytes = state.journal_bytes;
  const bool fits = bytes >= kHeaderBytes && bytes <= whole.bytes && (bytes - kHeaderBytes) % kRecordBytes == 0;
  if (!fits) {
    throw core::UserError(
        text("it stands at byte ", bytes, " of a journal of which ", whole.bytes, " bytes are whole"));
  }
  const std::size_t next = next_entry(state);
  std::uint64_t steps_there = whole.steps;
  if (next < journal.entries.size()) {
    const JournalEntry& entry = journal.entries[next];
    steps_there = entry.checksum ? entry.step : entry.record.step;
  }
  if (steps_there != state.steps_done) {
    throw core::UserError(text("the journal stands at step ", steps_there, " where it says step ", state.steps_done));
  }
  if (state.best && state.best_step != state.steps_done) verify_checkpoint(folder, state.best_step, content);
}

std::string resume_message(const core::RunFolder& folder, const LoopSettings& settings, const LoopState& state,
                           bool from_checkpoint, const Journal& journal, const WholeSteps& whole) {
  const std::string origin =
      from_checkpoint ? text("checkpoint ", checkpoint_name(state.steps_done)) : std::string("the base checkpoint");
  std::string message = text("Run in ", folder.root.string(), " goes on at step ", whole.steps, " of ", settings.steps,
                             ": ", origin, ", then ", whole.steps - state.steps_done,
                             journal.header.first_order ? " steps computed again." : " steps of the journal.");
  const std::uint64_t cut = journal.whole_bytes + journal.torn_bytes - whole.bytes;
  if (cut > 0) message += text(" ", cut, " torn or damaged bytes were cut off the journal.");
  return message;
}

OpenedRun reopen(Method& method, const LoopSettings& settings, const core::RunFolder& folder,
                 const JournalHeader& header, Reporter& reporter) {
  Journal journal = read_journal(folder.journal());
  check_same_run(journal.header, header, folder);
  const WholeSteps whole = whole_steps(journal);
  if (whole.steps > settings.steps) {
    throw core::UserError(text(folder.root.string(), " has ", whole.steps, " steps already, train.steps is ",
                               settings.steps, ". Set train.steps to at least ", whole.steps,
                               ", or give a new output.dir"));
  }
  JournalWriter writer = JournalWriter::open(folder.journal(), whole.bytes);
  write_settings(settings, folder);
  remove_stale_checkpoints(folder);

  LoopState state;
  state.journal_bytes = kHeaderBytes;
  const CheckpointContent content = method.content();
  const auto warn = [&](const std::string& sentence) { reporter.on_message(sentence); };
  const auto usable = [&](const CheckpointState& candidate) {
    check_usable(candidate, journal, whole, folder, content);
  };
  const auto checkpoint = load_newest_checkpoint(folder, content, warn, usable);
  if (checkpoint) state = from_checkpoint(*checkpoint, "state.json");
  if (checkpoint) method.loaded();
  std::string message = resume_message(folder, settings, state, checkpoint.has_value(), journal, whole);
  journal.entries.resize((whole.bytes - kHeaderBytes) / kRecordBytes);
  if (header.first_order) {  // what cannot be replayed is computed again
    writer.cut(state.journal_bytes);
    journal.entries.resize(next_entry(state));
  }
  return {.journal = std::move(journal),
          .writer = std::move(writer),
          .state = state,
          .resumed = true,
          .from_checkpoint = checkpoint.has_value(),
          .message = std::move(message)};
}

}  // namespace

std::size_t next_entry(const LoopState& state) {
  return static_cast<std::size_t>((state.journal_bytes - kHeaderBytes) / kRecordBytes);
}

OpenedRun open_run(Method& method, const LoopSettings& settings, const core::RunFolder& folder, Resume resume,
                   Reporter& reporter) {
  const JournalHeader header = header_of(method, settings);
  if (resume == Resume::kAuto && fs::exists(folder.journal())) {
    return reopen(method, settings, folder, header, reporter);
  }
  if (has_content(folder.root)) {
    if (resume == Resume::kNo) {
      throw core::UserError(text("output.dir ", folder.root.string(),
                                 " is not empty. Give another output.dir, or --resume auto to go on with its run"));
    }
    check_holds_nothing_foreign(folder);
  }
  return start(settings, folder, header);
}

}  // namespace qzo::train
