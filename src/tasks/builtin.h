#pragma once
// Built-in tasks: one file each, listed in registry.cpp.

#include "qzo/tasks/classification.h"

namespace qzo::tasks {

ClassificationTask sst2();

}  // namespace qzo::tasks
