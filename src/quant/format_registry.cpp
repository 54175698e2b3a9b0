#include <array>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/quant/format.h"
#include "qzo/quant/formats/aqlm.h"
#include "qzo/quant/formats/awq.h"
#include "qzo/quant/formats/bitsandbytes.h"
#include "qzo/quant/formats/compressed_tensors.h"
#include "qzo/quant/formats/dense.h"
#include "qzo/quant/formats/gguf_blocks.h"
#include "qzo/quant/formats/gguf_k_quants.h"
#include "qzo/quant/formats/gptq.h"
#include "qzo/quant/formats/hqq.h"

namespace qzo::quant {
namespace {

// Tensors that give a quantizer away, so that a refusal can name it.
struct ForeignMark {
  std::string_view ending;
  std::string_view quantizer;
};
constexpr std::array<ForeignMark, 3> kForeignMarks = {{
    {".weight.absmax", "bitsandbytes, without a quant_state of nf4 or fp4"},
    {".codebooks", "AQLM, without codes"},
    {".SCB", "LLM.int8"},
}};

std::vector<std::unique_ptr<Format>> make_formats() {
  std::vector<std::unique_ptr<Format>> all;
  all.push_back(make_gptq_format());
  all.push_back(make_awq_format());
  all.push_back(make_compressed_tensors_format());
  all.push_back(make_hqq_format());
  all.push_back(make_gguf_block_format(core::Dtype::kQ4_0));
  all.push_back(make_gguf_block_format(core::Dtype::kQ4_1));
  all.push_back(make_gguf_block_format(core::Dtype::kQ5_0));
  all.push_back(make_gguf_block_format(core::Dtype::kQ5_1));
  all.push_back(make_gguf_block_format(core::Dtype::kQ8_0));
  all.push_back(make_gguf_k_quant_format(core::Dtype::kQ4_K));
  all.push_back(make_gguf_k_quant_format(core::Dtype::kQ5_K));
  all.push_back(make_gguf_k_quant_format(core::Dtype::kQ6_K));
  all.push_back(make_nf4_format());
  all.push_back(make_fp4_format());
  all.push_back(make_aqlm_format());
  all.push_back(make_dense_format());
  return all;
}

std::string supported_names() {
  std::string names;
  for (const auto& format : formats()) names += core::text(names.empty() ? "" : ", ", format->name());
  return names;
}

std::string tensors_of(const io::Checkpoint& checkpoint, const std::string& stem) {
  std::string found;
  for (const io::TensorEntry& entry : checkpoint.tensors.entries()) {
    if (!entry.name.starts_with(stem + ".")) continue;
    found += core::text(found.empty() ? "" : ", ", entry.name.substr(stem.size() + 1), " ",
                        core::dtype_info(entry.dtype).name, " ", core::shape_text(entry.shape));
  }
  return found;
}

[[noreturn]] void refuse(const io::Checkpoint& checkpoint, const std::string& stem) {
  const io::TensorSource& tensors = checkpoint.tensors;
  const std::string found = tensors_of(checkpoint, stem);
  if (found.empty()) {
    throw core::UserError(core::text(tensors.where(), ": tensor \"", stem, ".weight\" is missing; the model needs it"));
  }
  for (const ForeignMark& mark : kForeignMarks) {
    if (tensors.find(core::text(stem, mark.ending)) == nullptr) continue;
    throw core::UserError(core::text(tensors.where(), ": ", stem, " is stored by ", mark.quantizer,
                                     ", which is not supported yet (found ", found,
                                     "); supported: ", supported_names()));
  }
  if (const io::TensorEntry* entry = tensors.find(stem + ".weight")) {
    throw core::UserError(core::text(tensors.describe(*entry), " of type ", core::dtype_info(entry->dtype).name,
                                     " is not supported yet; supported: ", supported_names()));
  }
  throw core::UserError(core::text(tensors.where(), ": the tensors of ", stem, " (", found,
                                   ") match no weight format; supported: ", supported_names()));
}

}  // namespace

const std::vector<std::unique_ptr<Format>>& formats() {
  static const std::vector<std::unique_ptr<Format>> all = make_formats();
  return all;
}

PackedWeight load_weight(const io::Checkpoint& checkpoint, const WeightRequest& request, const LoadOptions& options) {
  const Format* match = nullptr;
  for (const auto& format : formats()) {
    if (!format->matches(checkpoint, request.name)) continue;
    if (match != nullptr) {
      throw core::UserError(core::text(checkpoint.tensors.where(), ": ", request.name, " is stored twice, as ",
                                       match->name(), " and as ", format->name(), " (",
                                       tensors_of(checkpoint, request.name), "): remove one of the two"));
    }
    match = format.get();
  }
  if (match == nullptr) refuse(checkpoint, request.name);
  // GPTQ's writers pack the usual orientation of a Conv1D matrix too; of others it is not known.
  if (request.transposed && match->name() != "dense" && match->name() != "gptq") {
    throw core::UserError(core::text(checkpoint.tensors.where(), ": ", request.name, ", a Conv1D matrix, in format ",
                                     match->name(), " is not supported; supported: dense, gptq"));
  }
  PackedWeight weight = match->load(checkpoint, request, options);
  // A file can state any width where there is no row to store.
  if (weight.codes.out < 1 || weight.codes.in < 1) {
    throw core::UserError(core::text(checkpoint.tensors.where(), ": ", request.name, " has ", weight.codes.out,
                                     " rows of ", weight.codes.in,
                                     " weights, expected at least one of each; fetch the checkpoint again"));
  }
  if (kernels::scale_late_supported(weight.codes, kernels::LateInputs::kBf16))
    weight.chunks = kernels::make_chunk_plan(weight.codes);
  return weight;
}

std::vector<io::ScaleField> scale_fields(const io::Checkpoint& checkpoint) {
  std::vector<io::ScaleField> fields;
  for (const io::TensorEntry& entry : checkpoint.tensors.entries()) {
    for (const auto& format : formats()) {
      for (io::ScaleField& field : format->scale_fields(checkpoint, entry)) fields.push_back(std::move(field));
    }
  }
  return fields;
}

}  // namespace qzo::quant
