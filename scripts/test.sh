#!/usr/bin/env bash
# Set-up, builds and every test: unit and integration tests (release), tuned checkpoints in other libraries, unit tests
# under ASan and UBSan, fuzzers for half a minute each, layers, sizes, formatting. Ends with: N passed, N failed, N skipped.
set -uo pipefail
cd "$(dirname "$0")/.."
stage() { printf '\n== %s (%s min)\n' "$*" "$((SECONDS / 60))"; }
broken() { printf 'test: %s\n0 passed, 1 failed, 0 skipped\n' "$1"; exit 1; }

stage "set-up"
QZO_SETUP_TESTS=1 scripts/setup.sh || broken "set-up failed"
scripts/fetch_quickstart.sh || echo "no real model: the tests that need it will be skipped"
rm -rf build/test-counts
stage "build: release"
QZO_BUILD_TESTS=1 scripts/build.sh release || broken "the release build failed"
stage "tests: release"
scripts/run_tests.py tests build/release/bin
stage "tuned checkpoints in the libraries that own their formats"
scripts/run_tests.py interop
stage "the optimizers as an installed library, for CUDA, and in Python"
scripts/run_tests.py library
scripts/run_tests.py cuda
scripts/run_tests.py python
stage "build: ASan and UBSan"
# Every part that compiles without LibTorch; the rest would double the time of this script.
QZO_BUILD_TESTS=1 scripts/build.sh asan-ubsan {core,io,kernels,quant,tokenizer,data,tasks,config,zo,optim,train}_tests || broken "the sanitizer build failed"
stage "tests: ASan and UBSan"
scripts/run_tests.py tests build/asan-ubsan/bin
stage "build: fuzzers"
QZO_BUILD_TESTS=1 scripts/build.sh fuzz || broken "the fuzzer build failed"
stage "fuzzers"
scripts/run_tests.py fuzz build/fuzz/bin
stage "layers, sizes, format"
scripts/run_tests.py check
stage "done"
scripts/run_tests.py sum
