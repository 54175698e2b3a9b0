#pragma once
// Command lines of the programs. Each parse function returns nullopt after --help or --version has been printed, and
// throws UserError (exit 2) for wrong usage.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace qzo::cli {

struct TrainArguments {
  std::filesystem::path config;
  std::vector<std::string> overrides;
  std::string resume;  // "", "auto", or the run folder whose config.json is used
  bool dry_run = false;
  bool quiet = false;
  bool json = false;
  bool no_held_out = false;  // base and tuned checkpoint are not scored afterwards
  bool schema = false;
  std::optional<std::string> describe;  // "" = all keys
  std::string print_default;            // format, or ""
};
std::optional<TrainArguments> parse_train(int argc, const char* const* argv);

struct EvalArguments {
  std::filesystem::path model;   // checkpoint or run folder
  std::filesystem::path config;  // empty: that of the run folder
  std::vector<std::string> overrides;
  std::string split = "test";        // test | dev | train
  std::vector<std::string> fields;   // NAME=VALUE, for one example of one's own
  std::optional<std::string> text;   // the same where the prompt has a single field
  std::filesystem::path perplexity;  // a text file; then no recipe is needed
  std::int64_t context = 2048;       // tokens of a window
  std::filesystem::path json, predictions;
  bool quiet = false;
};
std::optional<EvalArguments> parse_eval(int argc, const char* const* argv);

struct InspectArguments {
  std::vector<std::filesystem::path> paths;
  bool diff = false;
  bool machine = false;
};
std::optional<InspectArguments> parse_inspect(int argc, const char* const* argv);

struct ReplayArguments {
  std::filesystem::path base, run, out;
  std::filesystem::path trajectory;  // written
  std::filesystem::path config;
  std::optional<std::uint64_t> step;
  bool verify = false;
};
std::optional<ReplayArguments> parse_replay(int argc, const char* const* argv);

}  // namespace qzo::cli
