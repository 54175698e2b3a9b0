#pragma once
// What the command lines of all programs have in common.

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "qzo/core/build_info.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::cli {

inline void prepare(CLI::App& app) {
  app.set_version_flag("--version", core::build_text());
  app.get_formatter()->column_width(34);
}

// False after --help or --version.
inline bool parse(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return true;
  } catch (const CLI::Success& request) {
    app.exit(request, std::cout, std::cerr);
    return false;
  } catch (const CLI::ExtrasError& error) {
    const bool takes_recipe = app.get_option_no_throw("--config") != nullptr;
    throw core::UserError(core::text(error.what(), takes_recipe ? "; a recipe is given as --config FILE" : "", " (",
                                     app.get_name(), " --help shows the usage)"));
  } catch (const CLI::ParseError& error) {
    throw core::UserError(core::text(error.what(), " (", app.get_name(), " --help shows the usage)"));
  }
}

// A file that is written at the end of the work: better refused before it.
inline CLI::Option* output_file(CLI::App& app, const std::string& name, std::filesystem::path& value,
                                const std::string& help) {
  return app.add_option(name, value, help)->check([](const std::string& file) {
    const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
    return std::filesystem::is_directory(folder) ? "" : "there is no folder " + folder.string() + " to write it to";
  });
}

// Given several times, one value each: an option without limits would swallow positional arguments.
template <class Value>
CLI::Option* repeated(CLI::App& app, const std::string& name, std::vector<Value>& values, const std::string& help) {
  return app.add_option(name, values, help)->allow_extra_args(false);
}

}  // namespace qzo::cli
