// Any bytes as a recipe: a config, or a UserError. What loads must survive its own effective form.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "qzo/config/load.h"
#include "qzo/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The part after a NUL is an override.
  const std::size_t cut = bytes.find('\0');
  std::vector<std::string> overrides;
  if (cut != std::string_view::npos) overrides.emplace_back(bytes.substr(cut + 1));
  try {
    const auto config = qzo::config::load_config_text(bytes.substr(0, cut), "fuzz.json", overrides);
    const auto effective = qzo::config::effective_json(config);
    const auto again = qzo::config::from_effective_json(effective, "effective");
    if (qzo::config::trajectory_hash(again) != qzo::config::trajectory_hash(config.values)) std::abort();
  } catch (const qzo::core::UserError&) {
    // Refused input is what most of this is about.
  }
  return 0;
}
