// qzo-eval: scores a checkpoint on a task.

#include "qzo/cli/commands.h"
#include "qzo/cli/messages.h"

int main(int argc, char** argv) {
  return qzo::cli::run_main([&] { return qzo::cli::eval_command(argc, argv); });
}
