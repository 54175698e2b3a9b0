#include <charconv>
#include <iostream>

#include "qzo/cli/arguments.h"
#include "qzo/cli/commands.h"
#include "qzo/cli/locate.h"
#include "qzo/cli/trained_part.h"
#include "qzo/cli/training_problem.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/run_folder.h"
#include "qzo/core/text.h"
#include "qzo/ops/threads.h"
#include "qzo/train/journal.h"
#include "qzo/train/trajectory.h"

namespace qzo::cli {
namespace {

namespace fs = std::filesystem;
using core::ExitCode;
using core::text;

struct Recording {
  train::Journal journal;
  TrainedPart part;
  std::uint64_t steps = 0;  // to be replayed
  std::string name;         // for messages
};

// The step in RUN/best ("step-000400").
std::uint64_t best_step(const core::RunFolder& run) {
  if (!fs::exists(run.best())) {
    throw core::UserError(
        text(run.root.string(), " has no best checkpoint yet. State how far to replay with --step N"));
  }
  constexpr std::string_view kPrefix = "step-";
  const std::string pointer = core::read_file(run.best());
  std::uint64_t step = 0;
  const char* end = pointer.data() + pointer.size();
  const char* stop = end;
  if (pointer.starts_with(kPrefix)) stop = std::from_chars(pointer.data() + kPrefix.size(), end, step).ptr;
  if (stop == end || *stop != '\n') {
    throw core::UserError(text(run.best().string(), " holds ", core::quoted(pointer),
                               ", expected the name of a checkpoint such ",
                               "as step-000400. State how far to replay with --step N"));
  }
  return step;
}

std::uint64_t steps_in(const train::Journal& journal) {
  std::uint64_t steps = 0;
  for (const train::JournalEntry& entry : journal.entries) {
    steps = std::max(steps, entry.checksum ? entry.step : entry.record.step + 1);
  }
  return steps;
}

TrainedPart part_of_recipe(const fs::path& file) { return trained_part(load_any_config(file, {}).values); }

Recording read_recording(const ReplayArguments& arguments) {
  Recording out;
  out.name = arguments.run.string();
  if (!fs::exists(arguments.run)) throw core::UserError(text("there is no ", out.name));
  if (fs::is_directory(arguments.run)) {
    const core::RunFolder run{arguments.run};
    out.journal = train::read_journal(run.journal());
    out.part = part_of_recipe(arguments.config.empty() ? run.config() : arguments.config);
    out.steps = arguments.step ? *arguments.step : best_step(run);
  } else {
    out.journal = train::read_trajectory(arguments.run);
    out.part = arguments.config.empty() ? read_sidecar(arguments.run) : part_of_recipe(arguments.config);
    out.steps = arguments.step ? *arguments.step : steps_in(out.journal);
  }
  // Steps that were skipped are left out of a trajectory, so its last step says nothing there.
  if (arguments.step && fs::is_directory(arguments.run) && out.steps > steps_in(out.journal)) {
    throw core::UserError(text("--step ", out.steps, ": ", out.name, " holds ", steps_in(out.journal), " steps only"));
  }
  return out;
}

quant::LoadOptions load_options(const TrainedPart& part) {
  config::RunConfig config;
  config.zo.minimum = part.minimum;
  config.model.gptq_zero_version = part.gptq_zero_version;
  return quant_options(config);
}

LoadedModel load_base(const ReplayArguments& arguments, const Recording& recording) {
  LoadedModel base = load_model(arguments.base, load_options(recording.part));
  const std::uint64_t hash = io::checkpoint_hash(*base.checkpoint);
  if (hash != recording.journal.header.base_hash) {
    throw core::UserError(text(arguments.base.string(), " is not the checkpoint that ", recording.name,
                               " started from: its tensor files hash to ", std::hex, hash, ", expected ",
                               recording.journal.header.base_hash, ". Give the untouched base checkpoint"));
  }
  models::select_trainable(*base.model, recording.part.include, recording.part.exclude);
  return base;
}

ExitCode verify(const fs::path& out, const fs::path& run) {
  const io::Checkpoint here = io::open_checkpoint(find_checkpoint(out));
  const io::Checkpoint there = io::open_checkpoint(find_checkpoint(run));
  const io::DiffReport report = io::diff_checkpoints(here, there, {});
  if (report.identical()) {
    std::cout << "identical to " << there.root.string() << ", byte for byte\n";
    return ExitCode::kDone;
  }
  std::cout << "differs from " << there.root.string() << " in " << report.tensors.size() + report.other.size()
            << " places; first: " << (report.tensors.empty() ? report.other[0] : report.tensors[0].tensor) << "\n";
  return ExitCode::kRunFailed;
}

}  // namespace

ExitCode replay_command(int argc, const char* const* argv) {
  const auto arguments = parse_replay(argc, argv);
  if (!arguments) return ExitCode::kDone;
  ops::configure_threads(0);
  const Recording recording = read_recording(*arguments);
  if (recording.journal.header.first_order) {
    throw core::UserError(text(recording.name, " is a first-order run, whose journal does not hold the gradients: it ",
                               "cannot be replayed. Take its model, or continue it with qzo-train --resume"));
  }
  if (arguments->verify && !fs::is_directory(arguments->run)) {
    throw core::UserError(
        text("--verify compares with RUN/model, but ", arguments->run.string(), " is not a run folder"));
  }
  const LoadedModel base = load_base(*arguments, recording);
  std::vector<zo::TrainableScales> tensors = trainable_scales(*base.model);
  if (train::tensor_order_hash(tensors) != recording.journal.header.tensor_hash) {
    throw core::UserError(text(recording.name, " trained other tensors than its settings select in ",
                               arguments->base.string(), ". Name the recipe of the run with --config"));
  }
  if (!arguments->trajectory.empty()) {
    train::write_trajectory(recording.journal, arguments->trajectory, recording.steps);
    write_sidecar(arguments->trajectory, recording.part);
    std::cout << "trajectory of " << recording.steps << " steps: " << arguments->trajectory.string() << ", "
              << core::human_bytes(fs::file_size(arguments->trajectory)) << "\n";
  }
  if (arguments->out.empty()) return ExitCode::kDone;
  train::replay(recording.journal, tensors, 0, recording.steps);
  export_tuned(*base.checkpoint, *base.model, arguments->out);
  std::cout << "replayed " << recording.steps << " steps on " << tensors.size()
            << " tensors: " << arguments->out.string() << "\n";
  return arguments->verify ? verify(arguments->out, arguments->run) : ExitCode::kDone;
}

}  // namespace qzo::cli
