#pragma once
// Always-on checks of our own invariants (never of user input). A failed check throws InternalError with place and
// values.

#include <string>

#include "qzo/core/text.h"

namespace qzo::core {
[[noreturn]] void check_failed(const char* condition, const char* file, int line, const std::string& details);
}  // namespace qzo::core

#define QZO_CHECK(condition, ...)                                                                                  \
  do {                                                                                                             \
    if (!(condition)) [[unlikely]]                                                                                 \
      ::qzo::core::check_failed(#condition, __FILE__, __LINE__, ::qzo::core::text("" __VA_OPT__(, ) __VA_ARGS__)); \
  } while (false)
