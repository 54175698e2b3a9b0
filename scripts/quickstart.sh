#!/usr/bin/env bash
# From a bare machine to a tuned 4-bit model: set-up, build, real model and data, training, table. What is done is skipped
# when run again; an interrupted training goes on where it stopped.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
printf 'quickstart: building (release)\n'
scripts/build.sh release
scripts/fetch_quickstart.sh

exec build/release/bin/qzo-train --config configs/quickstart.json --resume auto "$@"
