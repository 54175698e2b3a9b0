#include "qzo/train/json_values.h"

#include <cmath>
#include <limits>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::train {
namespace {

[[noreturn]] void wrong(const std::string& key, const std::string& source, const char* expected) {
  throw core::UserError(core::text(source, ": \"", key, "\" is absent or not ", expected, "; the file is damaged"));
}

const core::Json& member(const core::Json& object, const std::string& key, const std::string& source) {
  if (!object.is_object() || !object.contains(key)) wrong(key, source, "a value");
  return object.at(key);
}

}  // namespace

core::Json number_json(double value) {
  if (std::isfinite(value)) return value;
  if (std::isnan(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}

core::Json metrics_json(const tasks::Metrics& metrics) {
  return {{"count", metrics.count},
          {"accuracy", number_json(metrics.accuracy)},
          {"accuracy_se", number_json(metrics.accuracy_se)},
          {"loss", number_json(metrics.loss)},
          {"loss_se", number_json(metrics.loss_se)},
          {"auc", number_json(metrics.auc)}};
}

double read_number(const core::Json& object, const std::string& key, const std::string& source) {
  const core::Json& value = member(object, key, source);
  if (value.is_number()) return value.get<double>();
  if (value == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (value == "inf") return std::numeric_limits<double>::infinity();
  if (value == "-inf") return -std::numeric_limits<double>::infinity();
  wrong(key, source, "a number");
}

std::uint64_t read_count(const core::Json& object, const std::string& key, const std::string& source) {
  const core::Json& value = member(object, key, source);
  if (!value.is_number_unsigned()) wrong(key, source, "a non-negative whole number");
  return value.get<std::uint64_t>();
}

std::optional<std::uint64_t> read_optional_count(const core::Json& object, const std::string& key,
                                                 const std::string& source) {
  if (member(object, key, source).is_null()) return std::nullopt;
  return read_count(object, key, source);
}

std::optional<tasks::Metrics> read_optional_metrics(const core::Json& object, const std::string& key,
                                                    const std::string& source) {
  const core::Json& value = member(object, key, source);
  if (value.is_null()) return std::nullopt;
  tasks::Metrics metrics;
  metrics.count = static_cast<std::int64_t>(read_count(value, "count", source));
  metrics.accuracy = read_number(value, "accuracy", source);
  metrics.accuracy_se = read_number(value, "accuracy_se", source);
  metrics.loss = read_number(value, "loss", source);
  metrics.loss_se = read_number(value, "loss_se", source);
  metrics.auc = read_number(value, "auc", source);
  return metrics;
}

}  // namespace qzo::train
