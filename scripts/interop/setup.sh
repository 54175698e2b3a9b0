#!/usr/bin/env bash
# Installs the packages of requirements.txt into build/interop-venv, unless they are there.
#
# The torch wheel of the registry is built for CUDA and wants 3 GB of NVIDIA's libraries before it can be imported,
# although nothing here calls them. Each that is missing gets an empty library of its name; proof.py has symbols looked
# up when they are first called, so that none of them is looked for.
set -euo pipefail
cd "$(dirname "$0")/../.."
list=scripts/interop/requirements.txt venv=build/interop-venv
cmp -s "$list" "$venv/DONE" && exit 0
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps --no-compile \
  --timeout 60 --retries 2 -r "$list"
libraries=("$venv"/lib/python3*/site-packages/nvidia/cu13/lib)
for name in libcublas.so.13 libcublasLt.so.13 libcudnn.so.9 libcufft.so.12 libcufile.so.0 libcurand.so.10 libcusparse.so.12 \
            libcusparseLt.so.0 libnccl.so.2 libnvshmem_host.so.3; do
  gcc -shared -Wl,-soname,"$name" -o "${libraries[0]}/$name" -x c /dev/null
done
cp "$list" "$venv/DONE"
