#!/usr/bin/env bash
# How long a new user waits: clone this checkout's HEAD into a temporary folder, then time the
# set-up, the first `make repro` (VGG-19's download included) and a second one that has nothing to do.
set -euo pipefail
source=$(git -C "$(dirname "$0")/.." rev-parse --show-toplevel)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git clone -q "$source" "$folder/clone"
cd "$folder/clone"
TIMEFORMAT='%0R s'
for target in setup repro repro; do
    echo "== make $target"
    time make "$target" >"$folder/log" 2>&1 || { tail -20 "$folder/log"; exit 1; }
done
head -n 24 metrics/evaluate/*.json metrics/accuracy/*.json
