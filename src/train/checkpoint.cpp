#include "qzo/train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <system_error>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/hash.h"
#include "qzo/core/text.h"
#include "qzo/io/safetensors.h"

namespace qzo::train {
namespace {

namespace fs = std::filesystem;
using core::text;

constexpr std::string_view kPrefix = "step-";
constexpr std::size_t kDigits = 6;
constexpr std::string_view kStateFile = "state.json", kScalesFile = "scales.safetensors", kDoneFile = "DONE";
constexpr int kStateVersion = 1;

// Temporary names begin with a dot, so no listing ever takes them for a checkpoint.
fs::path hidden(const core::RunFolder& folder, std::uint64_t step, std::string_view suffix) {
  return folder.checkpoints() / text(".", checkpoint_name(step), suffix);
}

std::optional<std::uint64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::uint64_t step = 0;
  const auto [end, error] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), step);
  // The round trip refuses other spellings of the same number.
  if (error != std::errc{} || end != name.data() + name.size() || checkpoint_name(step) != name) return std::nullopt;
  return step;
}

// Moves a finished folder out of sight first: a kill inside the deletion cannot leave a half-deleted checkpoint.
void remove_checkpoint(const core::RunFolder& folder, std::uint64_t step) {
  const fs::path doomed = hidden(folder, step, ".old");
  fs::remove_all(doomed);
  fs::rename(checkpoint_path(folder, step), doomed);
  core::fsync_folder(folder.checkpoints());
  fs::remove_all(doomed);
}

core::Json state_json(const CheckpointState& state, std::span<const zo::TrainableScales> tensors) {
  return {{"version", kStateVersion},
          {"steps_done", state.steps_done},
          {"journal_bytes", state.journal_bytes},
          {"scales_xxh3", zo::scales_checksum(tensors)},
          {"counters", state.counters}};
}

void write_contents(const fs::path& place, const CheckpointState& state, std::span<const zo::TrainableScales> tensors) {
  std::vector<io::TensorToWrite> scales;
  scales.reserve(tensors.size());
  for (const zo::TrainableScales& tensor : tensors) {
    scales.push_back({.name = tensor.name,
                      .dtype = core::Dtype::kF32,
                      .shape = {static_cast<std::int64_t>(tensor.values.size())},
                      .bytes = std::as_bytes(tensor.values)});
  }
  io::write_safetensors(place / kScalesFile, scales);
  core::write_file_atomically(place / kStateFile, state_json(state, tensors).dump(1) + "\n");
  core::write_file_atomically(place / kDoneFile, std::string_view("complete\n"));
}

[[noreturn]] void give_up(const fs::path& temporary, std::uint64_t step, const char* reason) {
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  throw core::EnvironmentError(text("could not save the checkpoint of step ", step, ": ", reason,
                                    ". What was saved before is intact; make room and continue with --resume auto"));
}

std::uint64_t field(const core::Json& json, const char* name, const fs::path& file) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number_unsigned()) {
    throw core::UserError(
        text(file.string(), ": \"", name, "\" is not a non-negative whole number; the file is damaged"));
  }
  return found->get<std::uint64_t>();
}

struct Stored {
  CheckpointState state;
  io::TensorSource source;
  std::vector<std::span<const std::byte>> values;  // by index of the trained tensor
};

CheckpointState read_state(const core::Json& json, const fs::path& file, std::uint64_t step) {
  if (!json.is_object() || !json.contains("counters")) {
    throw core::UserError(text(file.string(), " is not the state of a checkpoint; the file is damaged"));
  }
  if (const auto version = field(json, "version", file); version != kStateVersion) {
    throw core::UserError(
        text(file.string(), " has version ", version, "; this program reads version ", kStateVersion));
  }
  CheckpointState state{.steps_done = field(json, "steps_done", file),
                        .journal_bytes = field(json, "journal_bytes", file),
                        .counters = json.at("counters")};
  if (state.steps_done != step) {
    throw core::UserError(text(file.string(), " is of step ", state.steps_done, ", its folder of step ", step));
  }
  return state;
}

Stored read_checkpoint(const core::RunFolder& folder, std::uint64_t step,
                       std::span<const zo::TrainableScales> tensors) {
  const fs::path place = checkpoint_path(folder, step);
  if (!fs::exists(place / kDoneFile)) {
    throw core::UserError(text(place.string(), " is not a complete checkpoint (no file DONE)"));
  }
  Stored stored;
  const core::Json json = core::read_json(place / kStateFile);
  stored.state = read_state(json, place / kStateFile, step);
  io::read_safetensors(place / kScalesFile, stored.source);
  core::Xxh3 hash;  // the same bytes in the same order as zo::scales_checksum
  for (const zo::TrainableScales& tensor : tensors) {
    const std::int64_t shape[] = {static_cast<std::int64_t>(tensor.values.size())};
    stored.values.push_back(stored.source.require(tensor.name, {core::Dtype::kF32}, shape).bytes);
    hash.update(stored.values.back());
  }
  if (hash.digest() != field(json, "scales_xxh3", place / kStateFile)) {
    throw core::UserError(
        text((place / kScalesFile).string(), " is damaged: its XXH3 checksum is not that of state.json"));
  }
  return stored;
}

void copy_into(std::span<zo::TrainableScales> tensors, const Stored& stored) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::memcpy(tensors[i].values.data(), stored.values[i].data(), stored.values[i].size());
  }
}

}  // namespace

std::string checkpoint_name(std::uint64_t step) {
  std::string digits = std::to_string(step);
  if (digits.size() < kDigits) digits.insert(0, kDigits - digits.size(), '0');
  return std::string(kPrefix) + digits;
}

fs::path checkpoint_path(const core::RunFolder& folder, std::uint64_t step) {
  return folder.checkpoints() / checkpoint_name(step);
}

void save_checkpoint(const core::RunFolder& folder, const CheckpointState& state,
                     std::span<const zo::TrainableScales> tensors) {
  const fs::path temporary = hidden(folder, state.steps_done, ".tmp");
  const fs::path place = checkpoint_path(folder, state.steps_done);
  try {
    fs::create_directories(folder.checkpoints());
    fs::remove_all(temporary);
    fs::create_directory(temporary);
    write_contents(temporary, state, tensors);
    core::fsync_folder(temporary);
    if (fs::exists(place)) remove_checkpoint(folder, state.steps_done);
    fs::rename(temporary, place);
    core::fsync_folder(folder.checkpoints());
  } catch (const core::EnvironmentError& error) {
    give_up(temporary, state.steps_done, error.what());
  } catch (const fs::filesystem_error& error) {
    give_up(temporary, state.steps_done, error.what());
  }
}

std::vector<std::uint64_t> list_checkpoints(const core::RunFolder& folder) {
  std::vector<std::uint64_t> steps;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder.checkpoints(), error)) {
    const auto step = step_of(entry.path().filename().string());
    if (step && fs::exists(entry.path() / kDoneFile)) steps.push_back(*step);
  }
  std::ranges::sort(steps);
  return steps;
}

CheckpointState read_checkpoint_state(const core::RunFolder& folder, std::uint64_t step) {
  const fs::path file = checkpoint_path(folder, step) / kStateFile;
  return read_state(core::read_json(file), file, step);
}

CheckpointState load_checkpoint(const core::RunFolder& folder, std::uint64_t step,
                                std::span<zo::TrainableScales> tensors) {
  const Stored stored = read_checkpoint(folder, step, tensors);
  copy_into(tensors, stored);
  return stored.state;
}

CheckpointState verify_checkpoint(const core::RunFolder& folder, std::uint64_t step,
                                  std::span<const zo::TrainableScales> tensors) {
  return read_checkpoint(folder, step, tensors).state;
}

std::optional<CheckpointState> load_newest_checkpoint(const core::RunFolder& folder,
                                                      std::span<zo::TrainableScales> tensors,
                                                      const std::function<void(const std::string&)>& warn,
                                                      const std::function<void(const CheckpointState&)>& accept) {
  const std::vector<std::uint64_t> steps = list_checkpoints(folder);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    try {
      const Stored stored = read_checkpoint(folder, *step, tensors);
      if (accept) accept(stored.state);
      copy_into(tensors, stored);
      return stored.state;
    } catch (const core::UserError& error) {
      warn(text("Checkpoint ", checkpoint_name(*step), " is passed over: ", error.what()));
    }
  }
  return std::nullopt;
}

void retain_checkpoints(const core::RunFolder& folder, int keep_last, std::span<const std::uint64_t> pinned) {
  const std::vector<std::uint64_t> steps = list_checkpoints(folder);
  const auto spare = std::ssize(steps) - std::max(keep_last, 0);  // signed: few checkpoints make it negative
  for (std::ptrdiff_t i = 0; i < spare; ++i) {
    const std::uint64_t step = steps[static_cast<std::size_t>(i)];
    if (std::ranges::find(pinned, step) == pinned.end()) remove_checkpoint(folder, step);
  }
}

void discard_checkpoints_after(const core::RunFolder& folder, std::uint64_t step) {
  for (const std::uint64_t later : list_checkpoints(folder)) {
    if (later > step) remove_checkpoint(folder, later);
  }
}

void remove_stale_checkpoints(const core::RunFolder& folder) {
  std::error_code error;
  std::vector<fs::path> stale;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder.checkpoints(), error)) {
    if (entry.path().filename().string().starts_with(text(".", kPrefix))) stale.push_back(entry.path());
  }
  for (const fs::path& path : stale) fs::remove_all(path);
}

}  // namespace qzo::train
