#!/usr/bin/env bash
# Builds the guests of the examples and the tests into target/guests/NAME.wasm.
#
#   scripts/build-guests.sh BINARY [python|all]
#
# BINARY is the plexspaces to build with; "python" builds only the example's Python actors. A guest that is newer than
# its sources, its SDK, wit/ and the build code of the binary is left alone. The tools come from
# PLEXSPACES_COMPONENTIZE_PY and PLEXSPACES_GUEST_RUSTC, see `plexspaces build --help`.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "build-guests: $*" >&2; exit 1; }

[ $# -ge 1 ] || die "usage: $0 BINARY [python|all]"
BINARY=$1
WHAT=${2:-all}
case $WHAT in python|all) ;; *) die "unknown part $WHAT: python or all" ;; esac
[ -x "$BINARY" ] || die "$BINARY is missing: run \`make build\`"
case $BINARY in /*) ;; *) BINARY=$PWD/$BINARY ;; esac

ROOT=$PWD
OUT=$ROOT/target/guests
# Commands run in other folders, so a relative path would break.
absolute() { case $1 in */*) case $1 in /*) echo "$1" ;; *) echo "$ROOT/$1" ;; esac ;; *) echo "$1" ;; esac; }
if [ -n "${PLEXSPACES_COMPONENTIZE_PY:-}" ]; then
  PLEXSPACES_COMPONENTIZE_PY=$(absolute "$PLEXSPACES_COMPONENTIZE_PY")
  export PLEXSPACES_COMPONENTIZE_PY
fi
export CARGO_TARGET_DIR=$ROOT/target/guests-rust
mkdir -p "$OUT"

# Whether $1 exists and nothing in the other paths (files or folders) is newer.
current() {
  local made=$1
  shift
  [ -e "$made" ] && [ -z "$(find "$@" -type f -newer "$made" -not -path '*/__pycache__/*' -not -path '*/target/*' -print -quit)" ]
}

built=0
skipped=0
build() { # name, source, what it depends on...
  local name=$1 source=$2
  shift 2
  if current "$OUT/$name.wasm" "$@" wit crates/cli/src/build; then
    skipped=$((skipped + 1))
    return
  fi
  echo "building $name from $source"
  "$BINARY" build "$source" -o "$OUT/$name.wasm"
  # The build may come from a cache with an older date.
  touch "$OUT/$name.wasm"
  built=$((built + 1))
}

shopt -s nullglob

# An actor may import its neighbours, so all of its folder counts.
for source in examples/calculator/actors/*.py; do
  build "$(basename "$source" .py)" "$source" examples/calculator/actors sdk/python/plexspaces
done

if [ "$WHAT" = all ]; then
  for source in examples/services/actors/*.py; do
    build "service_$(basename "$source" .py)" "$source" "$source" sdk/python/plexspaces
  done
  for source in tests/guests/seeds/*.py; do
    build "seed_$(basename "$source" .py)" "$source" tests/guests/seeds sdk/python/plexspaces
  done
  for source in tests/guests/python/*.py; do
    build "$(basename "$source" .py)_python" "$source" tests/guests/python sdk/python/plexspaces
  done
  if [ -e examples/calculator/rust/Cargo.toml ]; then
    build calculator_rust examples/calculator/rust examples/calculator/rust sdk/rust
  fi
  for manifest in tests/guests/rust/*/Cargo.toml; do
    folder=$(dirname "$manifest")
    build "$(basename "$folder")" "$folder" "$folder" tests/guests/rust/Cargo.toml tests/guests/rust/Cargo.lock sdk/rust
  done
fi

echo "guests: $built built, $skipped up to date, in target/guests"
