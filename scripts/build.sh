#!/usr/bin/env bash
# Builds a preset (release by default) into build/PRESET; programs land in build/PRESET/bin.
#   scripts/build.sh [release|dev|asan-ubsan|fuzz] [target...]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
shift || true
options=()
[ -n "${TORCH_ROOT:-}" ] && options+=("-DTORCH_ROOT=$TORCH_ROOT")
# Tests are built where they are asked for (scripts/test.sh), so that a user's build is short.
if [ "$preset" = release ] && [ "${QZO_BUILD_TESTS:-0}" != 1 ] && [ ! -e build/release/CMakeCache.txt ]; then
  options+=(-DQZO_TESTS=OFF)
elif [ "${QZO_BUILD_TESTS:-0}" = 1 ]; then
  options+=(-DQZO_TESTS=ON)
fi
mkdir -p build
cmake --preset "$preset" "${options[@]}" >"build/$preset.configure.log" 2>&1 || { cat "build/$preset.configure.log"; exit 1; }
cmake --build --preset "$preset" ${*:+--target "$@"}
