#pragma once
// (model, examples) -> candidate scores and loss. Score of a candidate = mean log-probability of its scored tokens
// after the prompt; loss = mean over examples of the cross-entropy over the scores (QZO and MeZO's "train as
// classification"). Where every candidate of an example is one token, all share one sequence and their logits serve as
// scores: the full-vocabulary normaliser cancels. No row of a pass is computed twice, see Sharing. A NaN in a score
// reaches the loss. InternalError for an empty batch.

#include <cstdint>
#include <span>
#include <vector>

#include "qzo/models/causal_lm.h"
#include "qzo/tasks/classification.h"
#include "qzo/zo/qzo.h"

namespace qzo::objectives {

// What is computed once instead of again; each value includes those before it. Which one changes no bit of a loss:
// programs take the last, the others are there to prove that.
enum class Sharing : std::uint8_t {
  kNothing,     // every candidate is a sequence of its own
  kCandidates,  // the candidates of an example continue one prompt
  kExamples,    // equal examples of a batch are one
  kBeginnings,  // sequences of a pass are one as far as they begin alike: with the template's text before its first
                // field at least, and whatever texts have in common behind it
};

struct ObjectiveOptions {
  ops::Precision precision = ops::Precision::kFp32;
  bool stacked_signs = true;  // twin pass; false: two walks, less activation memory, same bits
  // Rows of one sign that are computed. 0 = no limit; otherwise a batch is computed in several passes, an example never
  // cut. Same bits.
  std::int64_t max_tokens_per_pass = 0;
  Sharing sharing = Sharing::kBeginnings;
};

class Classification {
 public:
  Classification(models::CausalLm& model, ObjectiveOptions options) : model_(model), options_(options) {}

  // Losses at s + eps z and s - eps z; the probe must ask for both signs. Order of summation fixed by the order of the
  // examples.
  zo::LossPair loss(std::span<const tasks::Example> examples, const kernels::Probe& probe);
  // Loss at the masters (no probe), and candidate scores, one vector per example. rounded: scales as exported.
  double loss(std::span<const tasks::Example> examples);
  std::vector<std::vector<float>> scores(std::span<const tasks::Example> examples, bool rounded_scales);

 private:
  std::vector<std::vector<std::vector<float>>> signed_scores(std::span<const tasks::Example> examples,
                                                             const quant::ScaleMode& mode);
  models::CausalLm& model_;
  ObjectiveOptions options_;
};

}  // namespace qzo::objectives
