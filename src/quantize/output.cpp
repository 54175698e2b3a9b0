#include "quantize/output.h"

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"

namespace qzo::quantize {
namespace {

void check_places(const io::Checkpoint& source, const Target& target, const std::filesystem::path& destination) {
  if (source.kind != target.kind()) {
    const bool folder = target.kind() == io::CheckpointKind::kHuggingFace;
    throw core::UserError(core::text(
        source.root.string(), " is ", folder ? "a GGUF file" : "a Hugging Face folder", ", but ", target.name(),
        " is stored in ", folder ? "Hugging Face folders" : "GGUF files", " and the two are not converted: expected ",
        folder ? "a Hugging Face folder, or --format q4_0 or q4_1" : "a GGUF file, or --format gptq or nf4"));
  }
  if (std::filesystem::exists(destination)) {
    throw core::UserError(
        core::text(destination.string(), " exists already and is not overwritten: remove it or give another name"));
  }
}

// The weight that a tensor is part of: the longest stem of the two sides of one of its dots; null if none. Biases are
// no part of it.
const std::string* stem_of(const std::string& tensor,
                           const std::unordered_map<std::string, const WeightShape*>& stems) {
  if (tensor.ends_with(".bias")) return nullptr;
  for (std::size_t dot = tensor.rfind('.'); dot != std::string::npos && dot > 0; dot = tensor.rfind('.', dot - 1)) {
    const auto found = stems.find(tensor.substr(0, dot));
    if (found != stems.end()) return &found->first;
  }
  return nullptr;
}

core::Json new_config(const io::Checkpoint& source, const core::Json& settings) {
  core::Json config = source.config;
  config["quantization_config"] = settings;
  return config;
}

std::map<std::string, std::uint32_t> gguf_values(const Target& target) {
  // llama.h, LLAMA_FTYPE_MOSTLY_Q4_0 and _Q4_1; ggml.h, GGML_QNT_VERSION.
  return {{"general.file_type", target.name() == "q4_0" ? 2U : 3U}, {"general.quantization_version", 2U}};
}

}  // namespace

Output::Output(const io::Checkpoint& source, const Target& target, const std::vector<WeightShape>& shapes,
               const std::filesystem::path& destination)
    : source_(source), target_(target) {
  check_places(source, target, destination);
  std::unordered_map<std::string, const WeightShape*> stems;
  for (const WeightShape& shape : shapes) stems.emplace(shape.stem, &shape);
  std::vector<io::TensorPlan> plans;
  for (const io::TensorEntry& entry : source.tensors.entries()) {
    const std::string* stem = stem_of(entry.name, stems);
    if (stem == nullptr) {
      others_.push_back(&entry);
      plans.push_back({entry.name, entry.dtype, entry.shape});
      continue;
    }
    source_bytes_ += entry.bytes.size();
    std::vector<const io::TensorEntry*>& parts = replaced_[*stem];
    parts.push_back(&entry);
    if (parts.size() > 1) continue;
    for (io::TensorPlan& plan : target.plan(*stems.at(*stem))) plans.push_back(std::move(plan));
  }
  if (source.kind == io::CheckpointKind::kGguf) {
    writer_ = io::make_gguf_writer(source, destination, plans, gguf_values(target));
  } else {
    std::map<std::string, std::string> texts;
    const core::Json settings = target.settings();
    if (target.name() == "gptq") texts["quantize_config.json"] = settings.dump(2) + "\n";
    writer_ = io::make_folder_writer(source, destination, plans, new_config(source, settings), texts);
  }
  copy_others();
}

void Output::copy_others() {
  for (const io::TensorEntry* entry : others_) {
    writer_->write(entry->name, entry->bytes);
    core::forget_pages(entry->bytes);
  }
}

void Output::write(const WeightShape& shape, const Encoded& encoded) {
  const std::vector<io::TensorPlan> plans = target_.plan(shape);
  for (std::size_t i = 0; i < plans.size(); ++i) {
    writer_->write(plans[i].name, encoded.tensors.at(i));
    bytes_ += encoded.tensors[i].size();
  }
  for (const io::TensorEntry* entry : replaced_[shape.stem]) core::forget_pages(entry->bytes);
}

void Output::commit() { writer_->commit(); }

}  // namespace qzo::quantize
