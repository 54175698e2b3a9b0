#include "cli/dry_run.h"

#include "qzo/cli/memory_plan.h"
#include "qzo/cli/model_text.h"
#include "qzo/cli/samples.h"
#include "qzo/cli/table.h"
#include "qzo/core/text.h"

namespace qzo::cli {

std::string dry_run_text(Assembly& assembly, std::uint64_t runtime_bytes) {
  constexpr std::size_t kSamples = 3;
  const config::RunConfig& values = assembly.config.values;
  models::CausalLm& model = *assembly.base.model;
  const Examples& examples = assembly.examples;
  std::string out = "settings\n" + config::effective_text(assembly.config);
  out += "\nmodel\n" + summary_text(model.summary()) + "\n" + assembly.tokenizer->description() + "\n\n";
  out += tensor_tables(model, *assembly.base.checkpoint, true) + "\n";
  out += scale_table(model) + zero_version_text(model, *assembly.base.checkpoint);
  out += probe_text(model, values.zo.eps, values.zo.eps_mode == "relative");
  out += "\ndata\n" + lengths_text("train", examples.train) + lengths_text("dev", examples.dev) +
         lengths_text("test", examples.test);
  out += core::text("  cut from the left: ", examples.counts.truncated,
                    "; prompt and answer merged by the tokenizer: ", examples.counts.merged_boundary, "\n");
  out += "\nsamples (the answer between >>> and <<<)\n" + samples_text(examples.train, *assembly.tokenizer, kSamples);
  out += "\nmemory\n" + memory_text(memory_inputs(assembly, runtime_bytes), usable_memory());
  return out;
}

}  // namespace qzo::cli
