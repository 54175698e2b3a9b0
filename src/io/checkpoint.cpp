#include "qzo/io/checkpoint.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/hash.h"
#include "qzo/core/text.h"
#include "qzo/io/safetensors.h"

#include "io/quantization_settings.h"
#include "io/weight_files.h"

namespace qzo::io {
namespace {

namespace fs = std::filesystem;

// Enough to tell file formats apart.
std::string first_bytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw core::UserError(core::text(file.string(), " cannot be opened for reading: check its permissions"));
  std::string bytes(9, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

// One file of a model that was cut into several (llama-gguf-split).
void refuse_split(const GgufMetadata& metadata) {
  const auto count = metadata.find_integer("split.count");
  if (count && *count > 1) {
    throw core::UserError(
        core::text(metadata.file, " is one of ", *count,
                   " parts of a split model, expected a whole one: ", "join the parts (llama-gguf-split --merge)"));
  }
}

Checkpoint open_gguf(const fs::path& file) {
  Checkpoint checkpoint;
  checkpoint.root = file;
  checkpoint.kind = CheckpointKind::kGguf;
  checkpoint.metadata = read_gguf(file, checkpoint.tensors);
  refuse_split(checkpoint.metadata);
  checkpoint.files = {file.filename()};
  return checkpoint;
}

Checkpoint open_file(const fs::path& file) {
  const std::string start = first_bytes(file);
  if (start.starts_with("GGUF")) return open_gguf(file);
  const std::string extension = file.extension().string();
  if (extension == ".safetensors" || (start.size() == 9 && start[8] == '{')) {
    throw core::UserError(core::text(file.string(),
                                     " is a single safetensors file, expected the folder that holds it together ",
                                     "with its config.json: give the folder"));
  }
  if (extension == ".bin" || extension == ".pt" || extension == ".pth") {
    throw core::UserError(core::text(file.string(),
                                     " looks like PyTorch's pickle format, which is not read: convert the model ",
                                     "to safetensors (save_pretrained of transformers) and give its folder"));
  }
  throw core::UserError(core::text(file.string(), " begins with ", core::quoted(start),
                                   ", expected a GGUF file (or the folder ", "of a Hugging Face model)"));
}

[[noreturn]] void refuse_folder(const fs::path& folder) {
  if (fs::exists(folder / "model_index.json")) {
    throw core::UserError(core::text(folder.string(),
                                     " is a diffusion pipeline (model_index.json), which is not supported: ",
                                     "give the folder of a language model"));
  }
  if (fs::exists(folder / "adapter_config.json")) {
    throw core::UserError(core::text(
        folder.string(),
        " holds an adapter (adapter_config.json), expected a whole model: ", "merge it into its base model first"));
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".gguf") {
      throw core::UserError(core::text(folder.string(), " has no config.json, but holds ",
                                       entry.path().filename().string(), ": give that file itself"));
    }
  }
  throw core::UserError(core::text(
      folder.string(), " has no config.json, expected the folder of a Hugging Face model or a ", "GGUF file"));
}

Checkpoint open_folder(const fs::path& folder) {
  const fs::path config_file = folder / "config.json";
  if (fs::exists(folder / "model_index.json") || !fs::exists(config_file)) refuse_folder(folder);
  Checkpoint checkpoint;
  checkpoint.root = folder;
  checkpoint.kind = CheckpointKind::kHuggingFace;
  checkpoint.config = core::read_json(config_file);
  if (!checkpoint.config.is_object()) {
    throw core::UserError(
        core::text(config_file.string(), " holds ", checkpoint.config.type_name(), ", expected an object"));
  }
  QuantizationSettings settings = read_quantization_settings(folder, checkpoint.config);
  checkpoint.quantization = std::move(settings.values);
  checkpoint.quantization_file = std::move(settings.file);

  const WeightFiles weights = find_weight_files(folder);
  for (const fs::path& file : weights.files) read_safetensors(file, checkpoint.tensors);
  check_index(weights, checkpoint.tensors);
  checkpoint.files = list_files(folder);
  return checkpoint;
}

void update_number(core::Xxh3& hash, std::uint64_t number) { hash.update(std::as_bytes(std::span(&number, 1))); }

}  // namespace

Checkpoint open_checkpoint(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    throw core::UserError(core::text(path.string(),
                                     error && error != std::errc::no_such_file_or_directory
                                         ? core::text(" cannot be read (", error.message(), ')')
                                         : std::string(" does not exist"),
                                     ", expected a GGUF file or the folder of a Hugging Face model"));
  }
  try {
    // Without "." and a trailing slash, so that the name of the folder is there for messages and siblings.
    fs::path plain = path.lexically_normal();
    if (!plain.has_filename()) plain = plain.parent_path();
    return fs::is_directory(status) ? open_folder(plain) : open_file(plain);
  } catch (const fs::filesystem_error& failure) {
    throw core::EnvironmentError(
        core::text(path.string(), ": cannot read the folder (", failure.code().message(), ')'));
  }
}

std::uint64_t checkpoint_hash(const Checkpoint& checkpoint) {
  std::vector<const core::MappedFile*> files;
  for (const core::MappedFile& file : checkpoint.tensors.files()) files.push_back(&file);
  std::ranges::sort(files, {}, [](const core::MappedFile* file) { return file->path().filename().string(); });
  core::Xxh3 hash;
  for (const core::MappedFile* file : files) {
    // Lengths in front, so that no two lists of files give the same stream.
    const std::string name = file->path().filename().string();
    update_number(hash, name.size());
    hash.update(std::as_bytes(std::span(name)));
    update_number(hash, file->bytes().size());
    hash.update(file->bytes());
  }
  return hash.digest();
}

}  // namespace qzo::io
