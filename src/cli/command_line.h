#pragma once
// What the command lines of all programs have in common.

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
  } catch (const CLI::ParseError& error) {
    throw core::UserError(core::text(error.what(), " (", app.get_name(), " --help shows the usage)"));
  }
}

// Given several times, one value each: an option without limits would swallow positional arguments.
template <class Value>
CLI::Option* repeated(CLI::App& app, const std::string& name, std::vector<Value>& values, const std::string& help) {
  return app.add_option(name, values, help)->allow_extra_args(false);
}

}  // namespace qzo::cli
