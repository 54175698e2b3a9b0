// qzo-train: fine-tunes a quantized checkpoint.

#include "qzo/cli/commands.h"
#include "qzo/cli/messages.h"

int main(int argc, char** argv) {
  return qzo::cli::run_main([&] { return qzo::cli::train_command(argc, argv); });
}
