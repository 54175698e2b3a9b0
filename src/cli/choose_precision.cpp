#include "cli/choose_precision.h"

#include <algorithm>
#include <vector>

#include "qzo/cli/table.h"
#include "qzo/core/text.h"
#include "qzo/kernels/cpu_features.h"
#include "qzo/objectives/fidelity.h"

namespace qzo::cli {
namespace {

using core::text;
using ops::Precision;

constexpr int kDraws = 8;

// Speed of a step relative to fp32: AVX2 and AVX-512 BF16 measured (qzo-bench step on SmolLM2's shape), the others from
// ratios of products alone.
struct Candidate {
  Precision precision;
  double speed;
};

std::vector<Candidate> candidates() {
  switch (kernels::active_isa()) {
    case kernels::Isa::kAvx512Bf16:
      return {{Precision::kBf16, 1.9}, {Precision::kInt8, 2.9}};
    case kernels::Isa::kAvx512Vnni:
      return {{Precision::kInt8, 2.2}};
    case kernels::Isa::kAvx512:
    case kernels::Isa::kAvx2:
      return {{Precision::kInt8, 1.35}};
    case kernels::Isa::kPortable:
      break;
  }
  return {};
}

// Whether any trained product would not be computed in fp32 all the same.
bool changes_a_product(models::CausalLm& model, Precision precision) {
  const std::optional<kernels::LateInputs> inputs = ops::late_inputs(precision);
  return std::ranges::any_of(model.decoder_linears(), [&](const quant::PackedWeight* weight) {
    return inputs && kernels::scale_late_supported(weight->codes, *inputs);
  });
}

}  // namespace

PrecisionChoice choose_precision(const Assembly& assembly, const std::function<void(double share)>& progress) {
  std::vector<Candidate> tried = candidates();
  std::erase_if(tried, [&](const Candidate& one) { return !changes_a_product(*assembly.base.model, one.precision); });
  const std::string isa = kernels::isa_name(kernels::active_isa());
  if (tried.empty())
    return {Precision::kFp32, text("fp32: nothing is faster for these weights on this CPU (", isa, ")")};

  const config::RunConfig& values = assembly.config.values;
  const std::span<const tasks::Example> examples = sample_batch(assembly);
  std::vector<Precision> precisions;
  for (const Candidate& candidate : tried) precisions.push_back(candidate.precision);
  const objectives::FidelityOptions options{.eps = static_cast<float>(values.zo.eps),
                                            .mode = eps_mode(values),
                                            .draws = kDraws,
                                            .seed = static_cast<std::uint64_t>(values.train.seed),
                                            .reference = objectives::FidelityReference::kFp32};
  const std::vector<objectives::Fidelity> measured = objectives::measure_fidelity(
      *assembly.base.model, evaluation_options(values), examples, options, precisions, progress);

  PrecisionChoice choice;
  double best = 1;  // fp32
  std::string seen;
  for (std::size_t i = 0; i < tried.size(); ++i) {
    const double rate = objectives::learning_speed(measured[i], tried[i].speed, kDraws);
    if (rate > best) {
      best = rate;
      choice.precision = tried[i].precision;
    }
    seen += text(i == 0 ? "" : "; ", ops::precision_name(tried[i].precision), " ", fixed(tried[i].speed, 2),
                 " times fp32's speed on ", isa, ", error of d ", fixed(100 * measured[i].error, 1), " % (slope ",
                 fixed(measured[i].slope, 3), ")");
  }
  choice.reason = text(ops::precision_name(choice.precision), ": ", seen, "; largest speed / (1 + error^2) over ",
                       kDraws, " probes of ", examples.size(), " examples");
  return choice;
}

}  // namespace qzo::cli
