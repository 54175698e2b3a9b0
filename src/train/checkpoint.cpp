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
constexpr std::string_view kStateFile = "state.json", kOptimizerFile = "optimizer.safetensors", kDoneFile = "DONE";
constexpr const char* kTensorsHash = "scales_xxh3";
constexpr const char* kOptimizerHash = "optimizer_xxh3";
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

std::uint64_t file_hash(const fs::path& file) { return core::xxh3_64(core::MappedFile(file).bytes()); }

void write_contents(const fs::path& place, const CheckpointState& state, const CheckpointContent& content) {
  std::vector<io::TensorToWrite> tensors;
  tensors.reserve(content.tensors.size());
  for (const CheckpointTensor& tensor : content.tensors)
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes});
  io::write_safetensors(place / content.file, tensors);
  core::Json json = {{"version", kStateVersion},
                     {"steps_done", state.steps_done},
                     {"journal_bytes", state.journal_bytes},
                     {kTensorsHash, content_checksum(content)},
                     {"counters", state.counters}};
  if (content.optimizer != nullptr) {
    content.optimizer->save(place / kOptimizerFile);
    json[kOptimizerHash] = file_hash(place / kOptimizerFile);
  }
  core::write_file_atomically(place / kStateFile, json.dump(1) + "\n");
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
  fs::path optimizer;
};

void check_hash(std::uint64_t found, const core::Json& json, const char* name, const fs::path& place,
                std::string_view file) {
  if (found == field(json, name, place / kStateFile)) return;
  throw core::UserError(text((place / file).string(), " is damaged: its XXH3 checksum is not that of state.json"));
}

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

Stored read_checkpoint(const core::RunFolder& folder, std::uint64_t step, const CheckpointContent& content) {
  const fs::path place = checkpoint_path(folder, step);
  if (!fs::exists(place / kDoneFile)) {
    throw core::UserError(text(place.string(), " is not a complete checkpoint (no file DONE)"));
  }
  Stored stored;
  const core::Json json = core::read_json(place / kStateFile);
  stored.state = read_state(json, place / kStateFile, step);
  io::read_safetensors(place / content.file, stored.source);
  core::Xxh3 hash;  // the same bytes in the same order as content_checksum
  for (const CheckpointTensor& tensor : content.tensors) {
    stored.values.push_back(stored.source.require(tensor.name, {tensor.dtype}, tensor.shape).bytes);
    hash.update(stored.values.back());
  }
  check_hash(hash.digest(), json, kTensorsHash, place, content.file);
  if (content.optimizer == nullptr) return stored;
  stored.optimizer = place / kOptimizerFile;
  check_hash(file_hash(stored.optimizer), json, kOptimizerHash, place, kOptimizerFile);
  return stored;
}

// The states first: that may be refused, and changes nothing then.
void copy_into(const CheckpointContent& content, const Stored& stored) {
  if (content.optimizer != nullptr) content.optimizer->load(stored.optimizer);
  for (std::size_t i = 0; i < content.tensors.size(); ++i) {
    std::memcpy(content.tensors[i].bytes.data(), stored.values[i].data(), stored.values[i].size());
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

CheckpointContent::CheckpointContent(std::span<const zo::TrainableScales> scales) {
  for (const zo::TrainableScales& tensor : scales) {
    tensors.push_back({.name = tensor.name,
                       .shape = {static_cast<std::int64_t>(tensor.values.size())},
                       .bytes = std::as_writable_bytes(tensor.values)});
  }
}

CheckpointContent::CheckpointContent(const std::vector<zo::TrainableScales>& scales)
    : CheckpointContent(std::span<const zo::TrainableScales>(scales)) {}

std::uint64_t content_checksum(const CheckpointContent& content) {
  core::Xxh3 hash;
  for (const CheckpointTensor& tensor : content.tensors) hash.update(tensor.bytes);
  return hash.digest();
}

void save_checkpoint(const core::RunFolder& folder, const CheckpointState& state, const CheckpointContent& content) {
  const fs::path temporary = hidden(folder, state.steps_done, ".tmp");
  const fs::path place = checkpoint_path(folder, state.steps_done);
  try {
    fs::create_directories(folder.checkpoints());
    fs::remove_all(temporary);
    fs::create_directory(temporary);
    write_contents(temporary, state, content);
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

CheckpointState load_checkpoint(const core::RunFolder& folder, std::uint64_t step, const CheckpointContent& content) {
  const Stored stored = read_checkpoint(folder, step, content);
  copy_into(content, stored);
  return stored.state;
}

CheckpointState verify_checkpoint(const core::RunFolder& folder, std::uint64_t step, const CheckpointContent& content) {
  return read_checkpoint(folder, step, content).state;
}

std::optional<CheckpointState> load_newest_checkpoint(const core::RunFolder& folder, const CheckpointContent& content,
                                                      const std::function<void(const std::string&)>& warn,
                                                      const std::function<void(const CheckpointState&)>& accept) {
  const std::vector<std::uint64_t> steps = list_checkpoints(folder);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    try {
      const Stored stored = read_checkpoint(folder, *step, content);
      if (accept) accept(stored.state);
      copy_into(content, stored);
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
