#pragma once
// Metrics as JSON. JSON has no NaN: numbers that are not finite are written as the strings "nan", "inf", "-inf".

#include <cmath>

#include "qzo/core/json_file.h"
#include "qzo/tasks/metrics.h"

namespace qzo::cli {

inline core::Json number_json(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

inline core::Json metrics_json(const tasks::Metrics& metrics) {
  return {{"count", metrics.count},
          {"accuracy", number_json(metrics.accuracy)},
          {"accuracy_se", number_json(metrics.accuracy_se)},
          {"loss", number_json(metrics.loss)},
          {"loss_se", number_json(metrics.loss_se)},
          {"auc", number_json(metrics.auc)}};
}

}  // namespace qzo::cli
