// qzo-replay: rebuilds a tuned checkpoint from its base and a run's journal.

#include "qzo/cli/commands.h"
#include "qzo/cli/messages.h"

int main(int argc, char** argv) {
  return qzo::cli::run_main([&] { return qzo::cli::replay_command(argc, argv); });
}
