#include <algorithm>
#include <array>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tasks/builtin.h"

namespace qzo::tasks {

namespace {

using Maker = ClassificationTask (*)();
constexpr std::array<Maker, 1> kMakers = {&sst2};

}  // namespace

std::vector<std::string> builtin_task_names() {
  std::vector<std::string> names;
  names.reserve(kMakers.size());
  for (const Maker make : kMakers) names.push_back(make().name);
  return names;
}

ClassificationTask builtin_task(const std::string& name) {
  std::string known;
  for (const Maker make : kMakers) {
    ClassificationTask task = make();
    if (task.name == name) return task;
    known += (known.empty() ? "" : ", ") + task.name;
  }
  throw core::UserError(core::text("unknown task ", core::quoted(name), "; built-in: ", known,
                                   ". Or give task.prompt and task.candidates instead of a name."));
}

}  // namespace qzo::tasks
