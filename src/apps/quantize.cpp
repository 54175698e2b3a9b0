// qzo-quantize: turns a dense checkpoint into a quantized one.

#include "qzo/cli/commands.h"
#include "qzo/cli/messages.h"

int main(int argc, char** argv) {
  return qzo::cli::run_main([&] { return qzo::cli::quantize_command(argc, argv); });
}
