#pragma once
// Command line of qzo-quantize.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace qzo::cli {

struct QuantizeArguments {
  std::filesystem::path source, out;
  std::string format;  // gptq | nf4 | q4_0 | q4_1
  int bits = 4;
  std::int64_t group_size = 128;
  bool asymmetric = false;
  std::filesystem::path calibration;  // empty: round to nearest
  std::int64_t samples = 128, sample_length = 512;
  double first_token = 0;  // parsed: at least 1; default a fifth of sample_length
  double damp = 0.01;
  bool act_order = false;
  bool requantize = false;
  std::filesystem::path perplexity;  // measured before and after; empty: not
  std::int64_t context = 2048;
  int threads = 0;
  std::filesystem::path json;
  bool quiet = false;
};
std::optional<QuantizeArguments> parse_quantize(int argc, const char* const* argv);

}  // namespace qzo::cli
