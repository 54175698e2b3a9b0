#include <chrono>
#include <iostream>

#include "qzo/cli/assemble.h"
#include "qzo/cli/commands.h"
#include "qzo/cli/environment.h"
#include "qzo/cli/quantize_arguments.h"
#include "qzo/cli/table.h"
#include "qzo/cli/text_perplexity.h"
#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/memory.h"
#include "qzo/core/text.h"
#include "qzo/ops/threads.h"
#include "qzo/quantize/quantize.h"

namespace qzo::cli {
namespace {

using core::text;
using objectives::Perplexity;

std::unique_ptr<quantize::Target> make_target(const QuantizeArguments& arguments) {
  if (arguments.format == "nf4") return quantize::make_nf4_target();
  if (arguments.format == "q4_0") return quantize::make_gguf_target(core::Dtype::kQ4_0, arguments.damp);
  if (arguments.format == "q4_1") return quantize::make_gguf_target(core::Dtype::kQ4_1, arguments.damp);
  return quantize::make_gptq_target({.bits = arguments.bits,
                                     .group_size = arguments.group_size,
                                     .symmetric = !arguments.asymmetric,
                                     .act_order = arguments.act_order,
                                     .damp = arguments.damp});
}

// Pieces of equal length, spread over the text; a shorter rest is left out.
std::vector<std::vector<std::int32_t>> sample(const std::vector<std::int32_t>& tokens,
                                              const QuantizeArguments& arguments) {
  const auto length = static_cast<std::size_t>(arguments.sample_length);
  const std::size_t available = tokens.size() / length;
  if (available == 0) {
    throw core::UserError(text(arguments.calibration.string(), " has ", tokens.size(),
                               " tokens, expected at least --sample-length ", length,
                               ": give a longer text or a smaller number"));
  }
  const std::size_t count = std::min(available, static_cast<std::size_t>(arguments.samples));
  std::vector<std::vector<std::int32_t>> samples;
  for (std::size_t i = 0; i < count; ++i) {
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(i * available / count * length);
    samples.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(length));
  }
  return samples;
}

class Clock {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// "weight 12/210 model.layers.1.mlp.down_proj, 1.1 s each, left 4 min".
std::string progress_line(const quantize::Progress& progress, double seconds) {
  std::string line = text("weight ", progress.done + 1, "/", progress.total, " ", progress.weight);
  if (progress.done == 0) return line;
  const double each = seconds / static_cast<double>(progress.done);
  return line + text(", ", short_number(each), " s each, left ",
                     core::human_seconds(each * static_cast<double>(progress.total - progress.done)));
}

core::Json perplexity_json(const Perplexity& result) {
  return {{"perplexity", result.value()},
          {"loss", result.loss},
          {"loss_standard_error", result.standard_error},
          {"tokens_scored", result.scored}};
}

struct Result {
  quantize::Report report;
  double seconds = 0;
  std::uint64_t peak_memory = 0;
  std::size_t samples = 0;
  std::optional<Perplexity> before, after;
};

core::Json result_json(const QuantizeArguments& arguments, const Result& result) {
  const quantize::Report& report = result.report;
  core::Json json = {{"source", arguments.source.string()},
                     {"out", arguments.out.string()},
                     {"format", arguments.format},
                     {"weights", report.weights},
                     {"parameters", report.parameters},
                     {"source_bytes", report.source_bytes},
                     {"bytes", report.bytes},
                     {"weight_error", report.weight_error},
                     {"seconds", result.seconds},
                     {"peak_memory", result.peak_memory},
                     {"environment", environment_json("fp32")}};
  if (result.samples > 0) {
    json["calibration"] = {{"text", arguments.calibration.string()},
                           {"samples", result.samples},
                           {"sample_length", arguments.sample_length},
                           {"first_token", arguments.first_token},
                           {"damp", arguments.damp},
                           {"act_order", arguments.act_order}};
    json["output_error"] = report.output_error;
  }
  if (result.after) {
    json["perplexity"] = {{"text", arguments.perplexity.string()},
                          {"context", arguments.context},
                          {"before", perplexity_json(*result.before)},
                          {"after", perplexity_json(*result.after)}};
  }
  return json;
}

std::string perplexity_text(const Perplexity& result) {
  return text(fixed(result.value(), 4), " ± ", fixed(result.value() * result.standard_error, 4));
}

void print(const QuantizeArguments& arguments, const Result& result) {
  const quantize::Report& report = result.report;
  std::cout << arguments.out.string() << ": " << report.weights << " weights, "
            << short_number(8 * static_cast<double>(report.bytes) / static_cast<double>(report.parameters))
            << " bits a parameter, " << core::human_bytes(report.bytes)
            << " (before: " << core::human_bytes(report.source_bytes) << "); " << core::human_seconds(result.seconds)
            << ", peak memory " << core::human_bytes(result.peak_memory) << "\n"
            << "lost of the weights: " << short_number(100 * report.weight_error) << " % of their squares";
  if (result.samples > 0)
    std::cout << "; of the outputs on " << result.samples << " samples: " << short_number(100 * report.output_error)
              << " %";
  std::cout << "\n";
  if (!result.after) return;
  Table table({"perplexity", arguments.perplexity.filename().string(), "loss"});
  table.add({"before", perplexity_text(*result.before), fixed(result.before->loss, 5)});
  table.add({"after", perplexity_text(*result.after), fixed(result.after->loss, 5)});
  std::cout << table.str();
}

}  // namespace

core::ExitCode quantize_command(int argc, const char* const* argv) {
  const auto arguments = parse_quantize(argc, argv);
  if (!arguments) return core::ExitCode::kDone;
  ops::configure_threads(arguments->threads);
  ProgressReporter reporter(std::cerr, progress_style(arguments->quiet, false), terminal_columns());
  const auto target = make_target(*arguments);
  const LoadedModel source = load_model(arguments->source, {});
  Result result;
  quantize::Options options;
  options.requantize = arguments->requantize;
  options.first_token = arguments->first_token;
  std::vector<std::int32_t> text_to_score;
  if (!arguments->calibration.empty() || !arguments->perplexity.empty()) {
    const auto tokenizer = load_tokenizer(*source.checkpoint, *source.model);
    if (!arguments->calibration.empty())
      options.samples = sample(text_tokens(arguments->calibration, *tokenizer), *arguments);
    if (!arguments->perplexity.empty()) text_to_score = text_tokens(arguments->perplexity, *tokenizer);
  }
  result.samples = options.samples.size();
  Clock clock;
  options.progress = [&](const quantize::Progress& progress) {
    if (progress.done < progress.total) reporter.show_status(progress_line(progress, clock.seconds()));
  };
  result.report = quantize::quantize(*source.checkpoint, *source.model, *target, options, arguments->out);
  result.seconds = clock.seconds();
  result.peak_memory = core::peak_resident_bytes();
  // Behind the peak, which belongs to the quantization.
  const auto measure = [&](models::CausalLm& model, const std::filesystem::path& path) {
    return text_perplexity(model, text_to_score, arguments->context, path.string(), arguments->perplexity, reporter);
  };
  if (!text_to_score.empty()) {
    result.before = measure(*source.model, arguments->source);
    result.after = measure(*load_model(arguments->out, {}).model, arguments->out);
  }
  if (!arguments->json.empty())
    core::write_file_atomically(arguments->json, result_json(*arguments, result).dump(2) + "\n");
  print(*arguments, result);
  return core::ExitCode::kDone;
}

}  // namespace qzo::cli
