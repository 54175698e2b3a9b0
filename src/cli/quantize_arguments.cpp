#include "qzo/cli/quantize_arguments.h"

#include <algorithm>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "cli/command_line.h"

namespace qzo::cli {
namespace {

void grid_options(CLI::App& app, QuantizeArguments& out) {
  app.add_option("--bits", out.bits, "Bits of a code (gptq)")
      ->check(CLI::IsMember({2, 3, 4, 8}))
      ->capture_default_str();
  app.add_option("--group-size", out.group_size, "Inputs that share a scale (gptq); -1: all of an output")
      ->check(CLI::IsMember({-1, 16, 32, 64, 128, 256, 512, 1024}))
      ->capture_default_str();
  app.add_flag("--asymmetric", out.asymmetric, "A zero point of its own for each group (gptq)");
}

void calibration_options(CLI::App& app, QuantizeArguments& out) {
  auto* calibration = app.add_option("--calibration", out.calibration,
                                     "Text file for calibrated quantization (GPTQ); without it: round to nearest");
  app.add_option("--samples", out.samples, "Most pieces of that text that are used, spread over all of it")
      ->check(CLI::Range(1, 1 << 20))
      ->needs(calibration)
      ->capture_default_str();
  app.add_option("--sample-length", out.sample_length, "Tokens of a piece")
      ->check(CLI::Range(2, 1 << 20))
      ->needs(calibration)
      ->capture_default_str();
  app.add_option("--first-token", out.first_token,
                 "Tokens that the first of a piece counts for, since all later ones attend to it; 1: as published "
                 "(default: a fifth of --sample-length)")
      ->check(CLI::Range(1.0, 1e6))
      ->needs(calibration);
  app.add_option("--damp", out.damp, "Share of the mean of the hessian's diagonal that is added to it")
      ->check(CLI::Range(1e-8, 1e3))
      ->needs(calibration)
      ->capture_default_str();
  app.add_flag("--act-order", out.act_order, "Inputs of large activations first, groups in that order (gptq: desc_act)")
      ->needs(calibration);
}

// Options of one format given with another would do nothing.
void check_combination(const CLI::App& app, const QuantizeArguments& out) {
  const auto refuse = [&](const char* option, const std::string& reason) {
    if (app.count(option) > 0)
      throw core::UserError(core::text(option, " does not apply to --format ", out.format, reason, " (", app.get_name(),
                                       " --help shows the usage)"));
  };
  if (out.format == "gptq") return;
  const std::string fixed =
      out.format == "nf4" ? ", which has blocks of 64 of 4 bits" : ", which has blocks of 32 of 4 bits";
  for (const char* option : {"--bits", "--group-size", "--asymmetric"}) refuse(option, fixed);
  refuse("--act-order", "");
  if (out.format == "nf4") refuse("--calibration", ", which is rounded to nearest");
}

}  // namespace

std::optional<QuantizeArguments> parse_quantize(int argc, const char* const* argv) {
  QuantizeArguments out;
  CLI::App app("Turns a dense checkpoint into a 4-bit one: round to nearest, or calibrated on a text (GPTQ).",
               "qzo-quantize");
  prepare(app);
  app.add_option("SOURCE", out.source, "Dense model: Hugging Face folder (gptq, nf4) or GGUF file (q4_0, q4_1)")
      ->required();
  app.add_option("OUT", out.out, "Folder or .gguf file to write; must not exist")->required();
  app.add_option("--format", out.format, "Format of OUT")
      ->required()
      ->check(CLI::IsMember({"gptq", "nf4", "q4_0", "q4_1"}));
  grid_options(app, out);
  calibration_options(app, out);
  app.add_flag("--requantize", out.requantize, "SOURCE is quantized: take its dequantized weights for dense ones");
  auto* perplexity =
      app.add_option("--perplexity", out.perplexity, "Measure the perplexity of this text before and after");
  app.add_option("--context", out.context, "Tokens of a window of --perplexity")
      ->check(CLI::Range(2, 1 << 20))
      ->needs(perplexity)
      ->capture_default_str();
  app.add_option("--threads", out.threads, "0: as many as the process may use")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  output_file(app, "--json", out.json, "Write what was done and measured to this file");
  app.add_flag("--quiet", out.quiet, "No progress");
  if (!parse(app, argc, argv)) return std::nullopt;
  check_combination(app, out);
  if (out.first_token == 0) out.first_token = std::max(1.0, static_cast<double>(out.sample_length) / 5);
  return out;
}

}  // namespace qzo::cli
