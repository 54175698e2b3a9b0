#pragma once
// A loaded model as tables for people: qzo-inspect and qzo-train --dry-run.

#include <string>

#include "qzo/io/checkpoint.h"
#include "qzo/models/causal_lm.h"

namespace qzo::cli {

// "llama: 30 layers, hidden 576, ...".
std::string summary_text(const models::ModelSummary& summary);

// Weights grouped by class (numbers in names become *), format, shape; then the other tensors of the checkpoint.
// `trained`: with a column of how many are trained.
std::string tensor_tables(models::CausalLm& model, const io::Checkpoint& checkpoint, bool trained);

// min, median, max of |s|, zeros and negative scales per format.
std::string scale_table(models::CausalLm& model);

// How GPTQ zeros were read: "GPTQ zeros: v1 (stored zero - 1)"; "" if there are none.
std::string zero_version_text(models::CausalLm& model, const io::Checkpoint& checkpoint);

// Quantiles of |s| / eps of the trained scales (absolute eps), or what relative eps means.
std::string probe_text(models::CausalLm& model, double eps, bool relative);

// "blk.3.attn_q" -> "blk.*.attn_q".
std::string name_class(const std::string& name);

}  // namespace qzo::cli
