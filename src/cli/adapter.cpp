#include "qzo/cli/adapter.h"

#include <cstring>
#include <set>

#include <ATen/ATen.h>

#include "qzo/cli/locate.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"
#include "qzo/io/safetensors.h"

namespace qzo::cli {
namespace {

namespace fs = std::filesystem;
using core::text;

constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kWeightsFile = "adapter_model.safetensors";
constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kA = ".lora_A.weight", kB = ".lora_B.weight";

enum class Rows { kToHuggingFace, kFromHuggingFace };

// Rows of each head from pairs to halves, or back.
at::Tensor reordered(const at::Tensor& matrix, std::int64_t heads, Rows direction) {
  if (heads == 0) return matrix.contiguous();
  const std::int64_t half = matrix.size(0) / heads / 2, columns = matrix.size(1);
  const bool out = direction == Rows::kToHuggingFace;
  return matrix.reshape({heads, out ? half : 2, out ? 2 : half, columns})
      .transpose(1, 2)
      .reshape({-1, columns})
      .contiguous();
}

core::Dtype dtype_of(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16 ? core::Dtype::kBF16 : core::Dtype::kF32;
}

std::string stem_of(const std::string& tensor) {
  return tensor.substr(kPrefix.size(), tensor.size() - kPrefix.size() - kA.size());
}

bool names_adapter(const std::string& tensor) {
  return tensor.starts_with(kPrefix) && tensor.size() > kPrefix.size() + kA.size() &&
         (tensor.ends_with(kA) || tensor.ends_with(kB));
}

class Config {
 public:
  explicit Config(const fs::path& file) : file_(file.string()), json_(core::read_json(file)) {
    if (!json_.is_object()) throw core::UserError(text(file_, " is not a JSON object"));
  }
  const core::Json& require(const char* key, bool good, const char* expected) const {
    if (good) return json_.at(key);
    throw core::UserError(text(file_, ": \"", key, "\" is ", json_.contains(key) ? json_.at(key).dump() : "missing",
                               ", expected ", expected));
  }
  [[nodiscard]] const core::Json* find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  void refuse_unless(const char* key, bool plain, const char* expected) const {
    if (find(key) != nullptr && !plain) require(key, false, expected);
  }

 private:
  std::string file_;
  core::Json json_;
};

AdapterDescription read_description(const fs::path& folder) {
  const Config config(folder / kConfigFile);
  const core::Json* type = config.find("peft_type");
  config.require("peft_type", type != nullptr && *type == "LORA", "\"LORA\", the one kind of adapter that is built");
  for (const char* key : {"use_dora", "use_rslora", "fan_in_fan_out", "lora_bias"}) {
    const core::Json* flag = config.find(key);
    config.refuse_unless(key, flag != nullptr && *flag == false, "false: this variant is not built");
  }
  for (const char* key : {"rank_pattern", "alpha_pattern", "modules_to_save", "trainable_token_indices"}) {
    const core::Json* pattern = config.find(key);
    config.refuse_unless(key, pattern != nullptr && pattern->empty(), "nothing: this variant is not built");
  }
  const core::Json* bias = config.find("bias");
  config.refuse_unless("bias", bias != nullptr && *bias == "none", "\"none\": trained biases are not built");
  AdapterDescription out;
  const core::Json* rank = config.find("r");
  out.rank = config
                 .require("r", rank != nullptr && rank->is_number_integer() && *rank > 0 && *rank <= 65536,
                          "the rank, a whole number from 1 to 65536")
                 .get<std::int64_t>();
  const core::Json* alpha = config.find("lora_alpha");
  out.alpha = config.require("lora_alpha", alpha != nullptr && alpha->is_number() && *alpha > 0, "a number above 0")
                  .get<double>();
  const core::Json* base = config.find("base_model_name_or_path");
  out.base = config
                 .require("base_model_name_or_path", base != nullptr && base->is_string() && *base != "",
                          "the path of the model that the adapter belongs to")
                 .get<std::string>();
  if (out.base.is_relative() && !fs::exists(out.base)) out.base = folder / out.base;
  if (!fs::exists(out.base)) {
    throw core::UserError(text((folder / kConfigFile).string(), ": \"base_model_name_or_path\" is ", out.base.string(),
                               ", which does not exist here. Set it to the path of the base model"));
  }
  return out;
}

}  // namespace

bool is_adapter(const fs::path& folder) { return fs::exists(folder / kConfigFile); }

void export_adapter(models::TrainableLm& adapters, const AdapterDescription& description, const fs::path& destination) {
  std::error_code error;
  fs::create_directories(destination, error);
  if (error) throw core::EnvironmentError(text(destination.string(), " cannot be created: ", error.message()));
  std::vector<at::Tensor> values;  // alive until they are written
  std::vector<io::TensorToWrite> tensors;
  std::set<std::string> stems;
  for (const models::TrainedTensor& tensor : adapters.tensors()) {
    values.push_back(reordered(tensor.values, tensor.interleaved_heads, Rows::kToHuggingFace));
    tensors.push_back({tensor.name,
                       dtype_of(tensor.values),
                       tensor.values.sizes().vec(),
                       {static_cast<const std::byte*>(values.back().const_data_ptr()), values.back().nbytes()}});
    stems.insert(stem_of(tensor.name));
  }
  const core::Json config = {{"peft_type", "LORA"},
                             {"task_type", "CAUSAL_LM"},
                             {"base_model_name_or_path", description.base.string()},
                             {"r", description.rank},
                             {"lora_alpha", description.alpha},
                             {"lora_dropout", 0.0},
                             {"bias", "none"},
                             {"fan_in_fan_out", false},
                             {"inference_mode", true},
                             {"target_modules", stems}};
  io::write_safetensors(destination / kWeightsFile, tensors);
  core::write_file_atomically(destination / kConfigFile, config.dump(2) + "\n");
}

LoadedModel load_with_adapter(const fs::path& folder, const quant::LoadOptions& options) {
  const AdapterDescription description = read_description(folder);
  LoadedModel out = load_model(description.base, options);
  if (out.adapters) {
    throw core::UserError(text(folder.string(), " is an adapter on another adapter, expected one on a whole model"));
  }
  io::TensorSource source;
  io::read_safetensors(folder / kWeightsFile, source);
  models::TrainableOptions trainable;
  trainable.adapters = models::AdapterOptions{.rank = description.rank, .alpha = description.alpha};
  trainable.include.clear();
  std::set<std::string> stems;
  for (const io::TensorEntry& entry : source.entries()) {
    if (!names_adapter(entry.name)) {
      throw core::UserError(text(source.describe(entry), " is no matrix of a LoRA adapter, expected names such as ",
                                 kPrefix, "model.layers.0.self_attn.q_proj", kA));
    }
    stems.insert(stem_of(entry.name));
  }
  trainable.include.assign(stems.begin(), stems.end());
  if (trainable.include.empty()) throw core::UserError(text(source.where(), " holds no adapter"));
  try {
    out.adapters = models::make_trainable(*out.model, trainable);
  } catch (const core::UserError& error) {
    throw core::UserError(text(source.where(), " does not fit ", description.base.string(), ": ", error.what()));
  }
  for (models::TrainedTensor& tensor : out.adapters->tensors()) {
    const io::TensorEntry& entry = source.require(
        tensor.name, {core::Dtype::kF32, core::Dtype::kF16, core::Dtype::kBF16}, tensor.values.sizes().vec());
    std::vector<float> stored = io::read_floats(entry);
    const at::Tensor matrix = at::from_blob(stored.data(), tensor.values.sizes(), at::kFloat);
    tensor.values.copy_(reordered(matrix, tensor.interleaved_heads, Rows::kFromHuggingFace));
  }
  out.adapters->changed();
  return out;
}

}  // namespace qzo::cli
