#include "tasks/builtin.h"

namespace qzo::tasks {

// Stanford Sentiment Treebank, two classes, as GLUE ships it; wording of MeZO (arXiv 2305.17333, appendix E.2).
ClassificationTask sst2() {
  ClassificationTask task;
  task.name = "sst2";
  task.prompt = "{sentence} It was";
  task.candidates = {" terrible", " great"};
  task.labels = {"0", "1"};
  return task;
}

}  // namespace qzo::tasks
