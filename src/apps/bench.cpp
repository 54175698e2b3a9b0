// qzo-bench: measures kernels, steps and precisions.

#include "qzo/cli/commands.h"
#include "qzo/cli/messages.h"

int main(int argc, char** argv) {
  return qzo::cli::run_main([&] { return qzo::cli::bench_command(argc, argv); });
}
