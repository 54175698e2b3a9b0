#include <algorithm>
#include <array>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/io/tensor_writer.h"

#include "io/mapped_files.h"
#include "io/output_folder.h"

namespace qzo::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeights = "model.safetensors";
// The same weights in other clothes, their indices, and settings of a quantization that is replaced.
constexpr std::array<std::string_view, 11> kLeftOut = {".safetensors",
                                                       ".bin",
                                                       ".pt",
                                                       ".pth",
                                                       ".gguf",
                                                       ".h5",
                                                       ".msgpack",
                                                       ".index.json",
                                                       ".onnx",
                                                       "quantize_config.json",
                                                       "quant_config.json"};

bool is_kept(const Checkpoint& source, const fs::path& name) {
  const std::string file = name.filename().string();
  return file != "config.json" && find_mapped(source.tensors, source.root / name) == nullptr &&
         std::ranges::none_of(kLeftOut, [&](std::string_view ending) { return file.ends_with(ending); });
}

class FolderWriter final : public TensorWriter {
 public:
  FolderWriter(const Checkpoint& source, const fs::path& destination, std::span<const TensorPlan> tensors,
               const core::Json& config, const std::map<std::string, std::string>& texts)
      : folder_(destination) {
    if (source.kind == CheckpointKind::kHuggingFace) copy_files(source);
    core::write_file_atomically(folder_.unfinished() / "config.json", config.dump(2) + "\n");
    for (const auto& [name, content] : texts) core::write_file_atomically(folder_.unfinished() / name, content);
    weights_ = make_safetensors_writer(folder_.unfinished() / kWeights, tensors);
  }

  void write(const std::string& name, std::span<const std::byte> bytes) override { weights_->write(name, bytes); }

  void commit() override {
    weights_->commit();
    folder_.commit();
  }

 private:
  void copy_files(const Checkpoint& source) const {
    for (const fs::path& name : source.files) {
      if (!is_kept(source, name)) continue;
      const fs::path target = folder_.unfinished() / name;
      fs::create_directories(target.parent_path());
      core::write_file_atomically(target, core::MappedFile(source.root / name).bytes());
    }
  }

  OutputFolder folder_;
  std::unique_ptr<TensorWriter> weights_;  // goes before the folder that it stands in
};

}  // namespace

std::unique_ptr<TensorWriter> make_folder_writer(const Checkpoint& source, const fs::path& destination,
                                                 std::span<const TensorPlan> tensors, const core::Json& config,
                                                 const std::map<std::string, std::string>& texts) {
  const fs::path place = resolve(destination);
  if (lies_within(place, resolve(source.root))) {
    throw core::UserError(core::text(destination.string(), " lies inside of ", source.root.string(),
                                     ", the model that is read; expected a folder apart from it: give another one"));
  }
  try {
    return std::make_unique<FolderWriter>(source, place, tensors, config, texts);
  } catch (const fs::filesystem_error& failure) {
    throw core::EnvironmentError(
        core::text(destination.string(), ": cannot be written (", failure.code().message(), ')'));
  }
}

}  // namespace qzo::io
