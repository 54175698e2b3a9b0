// qzo-inspect: shows what a checkpoint, a run or this machine holds.

#include "qzo/cli/commands.h"
#include "qzo/cli/messages.h"

int main(int argc, char** argv) {
  return qzo::cli::run_main([&] { return qzo::cli::inspect_command(argc, argv); });
}
