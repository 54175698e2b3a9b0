#include <iostream>

#include "qzo/cli/arguments.h"
#include "qzo/cli/assemble.h"
#include "qzo/cli/commands.h"
#include "qzo/cli/environment.h"
#include "qzo/cli/locate.h"
#include "qzo/cli/model_text.h"
#include "qzo/cli/table.h"
#include "qzo/core/run_folder.h"
#include "qzo/core/text.h"
#include "qzo/io/scale_patch.h"
#include "qzo/ops/threads.h"
#include "qzo/quant/format.h"
#include "qzo/train/checkpoint.h"
#include "qzo/train/journal.h"

namespace qzo::cli {
namespace {

namespace fs = std::filesystem;
using core::ExitCode;
using core::text;

std::string run_text(const core::RunFolder& run) {
  const train::Journal journal = train::read_journal(run.journal());
  std::uint64_t steps = 0, skipped = 0, clipped = 0, records = 0;
  for (const train::JournalEntry& entry : journal.entries) {
    if (entry.checksum) continue;
    ++records;
    steps = std::max(steps, entry.record.step + 1);
    if (entry.record.skipped) ++skipped;
    if (entry.record.clipped) ++clipped;
  }
  std::string out = text("run: ", steps, " steps in the journal (", records, " probes, ", clipped, " clipped, ",
                         skipped, " skipped)");
  if (journal.torn_bytes > 0) out += text(", ", journal.torn_bytes, " torn bytes at its end");
  out += "; checkpoints at steps";
  const std::vector<std::uint64_t> checkpoints = train::list_checkpoints(run);
  for (const std::uint64_t step : checkpoints) out += text(" ", step);
  return out + (checkpoints.empty() ? " (none)\n" : "\n");
}

void inspect(const fs::path& path) {
  if (is_run_folder(path)) std::cout << run_text(core::RunFolder{path});
  const LoadedModel loaded = load_model(path, {});
  const std::string tokenizer = has_tokenizer(*loaded.checkpoint)
                                    ? load_tokenizer(*loaded.checkpoint, *loaded.model)->description()
                                    : "no tokenizer here";
  const bool trainable = !loaded.model->decoder_linears().empty();
  if (trainable) models::select_trainable(*loaded.model, {"*"}, {});
  std::uint64_t bytes = 0;
  for (const core::MappedFile& file : loaded.checkpoint->tensors.files()) bytes += file.bytes().size();
  std::cout << loaded.checkpoint->root.string() << ": "
            << (loaded.checkpoint->kind == io::CheckpointKind::kGguf ? "GGUF file" : "Hugging Face folder") << ", "
            << core::human_bytes(bytes) << "\n"
            << summary_text(loaded.model->summary()) << "\n"
            << tokenizer << "\n\n"
            << tensor_tables(*loaded.model, *loaded.checkpoint, trainable) << "\n"
            << scale_table(*loaded.model) << zero_version_text(*loaded.model, *loaded.checkpoint);
}

std::string ranges_text(const io::TensorDiff& diff) {
  constexpr std::size_t kShown = 3;
  std::string out;
  for (std::size_t i = 0; i < diff.ranges.size() && i < kShown; ++i) {
    out += text(i == 0 ? "" : ", ", diff.ranges[i].begin, "-", diff.ranges[i].end - 1);
  }
  return diff.ranges.size() > kShown ? out + ", ..." : out;
}

ExitCode compare(const fs::path& first, const fs::path& second) {
  const io::Checkpoint a = io::open_checkpoint(find_checkpoint(first));
  const io::Checkpoint b = io::open_checkpoint(find_checkpoint(second));
  const io::DiffReport report = io::diff_checkpoints(a, b, quant::scale_fields(a));
  if (!report.tensors.empty()) {
    Table table({"tensor", "file", "differing bytes", "of scales", "at"}, LastColumn::kRemarks);
    for (const io::TensorDiff& diff : report.tensors) {
      table.add({diff.tensor.empty() ? "(outside of tensors)" : diff.tensor, diff.file, grouped(diff.bytes),
                 grouped(diff.scale_bytes), ranges_text(diff)});
    }
    std::cout << table.str();
  }
  for (const std::string& other : report.other) std::cout << other << "\n";
  const bool same = report.identical();
  const bool scales = !same && report.scales_only();
  std::cout << "verdict: " << (same ? "identical" : scales ? "scales only" : "other bytes differ") << "\n";
  return same || scales ? ExitCode::kDone : ExitCode::kRunFailed;
}

}  // namespace

ExitCode inspect_command(int argc, const char* const* argv) {
  const auto arguments = parse_inspect(argc, argv);
  if (!arguments) return ExitCode::kDone;
  ops::configure_threads(0);
  if (arguments->machine) {
    std::cout << machine_text();
    return ExitCode::kDone;
  }
  if (arguments->diff) return compare(arguments->paths[0], arguments->paths[1]);
  inspect(arguments->paths[0]);
  return ExitCode::kDone;
}

}  // namespace qzo::cli
