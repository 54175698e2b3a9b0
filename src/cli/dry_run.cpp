#include "cli/dry_run.h"

#include <functional>
#include <map>
#include <numeric>

#include "qzo/cli/first_order_memory.h"
#include "qzo/cli/memory_plan.h"
#include "qzo/cli/model_text.h"
#include "qzo/cli/samples.h"
#include "qzo/cli/table.h"
#include "qzo/core/text.h"

namespace qzo::cli {

namespace {

// Tensors by class, how many and how large, and whether they decay.
std::string trained_text(FirstOrderProblem& problem) {
  struct Class {
    std::int64_t tensors = 0, elements = 0;
    bool decays = false;
  };
  std::map<std::string, Class> classes;
  for (const optim::ParameterGroup& group : problem.parameter_groups()) {
    for (const optim::Parameter& parameter : group.parameters) {
      Class& of = classes[name_class(parameter.name)];
      ++of.tensors;
      of.elements +=
          std::accumulate(parameter.shape.begin(), parameter.shape.end(), std::int64_t{1}, std::multiplies<>());
      of.decays = group.weight_decay > 0;
    }
  }
  Table table({"tensor", "count", "elements", "decay"});
  for (const auto& [name, of] : classes)
    table.add({name, grouped(of.tensors), grouped(of.elements), of.decays ? "yes" : "no"});
  return table.str();
}

}  // namespace

std::string dry_run_text(Assembly& assembly, std::uint64_t runtime_bytes) {
  constexpr std::size_t kSamples = 3;
  const config::RunConfig& values = assembly.config.values;
  models::CausalLm& model = *assembly.base.model;
  const Examples& examples = assembly.examples;
  std::string out = "settings\n" + config::effective_text(assembly.config);
  out += "\nmodel\n" + summary_text(model.summary()) + "\n" + assembly.tokenizer->description() + "\n\n";
  const bool first_order = values.method.first_order();
  out += tensor_tables(model, *assembly.base.checkpoint, !first_order) + "\n";
  if (!first_order) {
    out += scale_table(model) + zero_version_text(model, *assembly.base.checkpoint);
    out += probe_text(model, values.zo.eps, values.zo.eps_mode == "relative");
  }
  out += "\ndata\n" + lengths_text("train", examples.train) + lengths_text("dev", examples.dev) +
         lengths_text("test", examples.test);
  out += core::text("  cut from the left: ", examples.counts.truncated,
                    "; prompt and answer merged by the tokenizer: ", examples.counts.merged_boundary, "\n");
  out += "\nsamples (the answer between >>> and <<<)\n" + samples_text(examples.train, *assembly.tokenizer, kSamples);
  if (!first_order) return out + "\nmemory\n" + memory_text(memory_inputs(assembly, runtime_bytes), usable_memory());
  // The parts of a run themselves: what can be refused is refused now, what is allocated is counted.
  FirstOrderProblem problem(assembly);
  const train::FirstOrder method(problem, first_order_settings(values));
  out += "\ntrained\n" + trained_text(problem);
  return out + "\nmemory\n" +
         memory_text(first_order_memory(assembly, problem, method.optimizer(), runtime_bytes), usable_memory());
}

}  // namespace qzo::cli
