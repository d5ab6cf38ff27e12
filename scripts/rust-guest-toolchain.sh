#!/usr/bin/env bash
# Prints the path of a rustc that can build for wasm32-unknown-unknown.
#
#   scripts/rust-guest-toolchain.sh DIR
#   RUSTC=$(scripts/rust-guest-toolchain.sh target/guest-toolchain) cargo build --target wasm32-unknown-unknown
#
# It takes the first of these that works:
#   1. the rustc on PATH, if its toolchain has the target already;
#   2. Debian's packages (apt-get and root needed), unpacked privately in DIR with std built once:
#      about 140 MB to fetch and 1 to 2 minutes; nothing is installed in the system;
#   3. `rustup target add wasm32-unknown-unknown`.
# Running it again costs nothing. Progress goes to stderr, and only the path to stdout.
set -euo pipefail

TARGET=wasm32-unknown-unknown

say() { echo "rust-guest-toolchain: $*" >&2; }
die() { say "$*"; exit 1; }

has_target() { # rustc
  local libdir
  libdir=$("$1" --print target-libdir --target "$TARGET" 2>/dev/null) || return 1
  compgen -G "$libdir/libstd-*.rlib" >/dev/null
}

# The packages' names carry versions, so they are read from the archive's own index.
depends_on() { # package, regular expression
  apt-cache depends "$1" | awk -v name="$2" '$1 == "Depends:" && $2 ~ name {print $2; exit}'
}

fetch_debian() {
  say "reading Debian's package lists"
  # Always afresh: an old list gives a compiler from before the last security update (1.85 instead of 1.96).
  apt-get update -qq >&2 || say "cannot refresh the lists; going on with those that are there"
  apt-cache show rust-web-src >/dev/null 2>&1 || { say "this Debian has no rust-web-src"; return 1; }
  local std llvm
  std=$(depends_on libstd-rust-web-dev '^libstd-rust-web-[0-9]')
  llvm=$(depends_on "$std" '^libllvm')
  [ -n "$std" ] && [ -n "$llvm" ] || { say "cannot read the dependencies of libstd-rust-web-dev"; return 1; }
  LLD=lld-${llvm#libllvm}

  say "fetching rustc-web, rust-web-src, $std, $llvm, $LLD (about 140 MB)"
  mkdir -p "$DIR/debs" "$ROOT"
  # apt's sandbox user cannot write to DIR; that is only a warning, so it is told apart from a failure.
  (cd "$DIR/debs" && apt-get download -qq -o APT::Sandbox::User=root \
    rustc-web rust-web-src libstd-rust-web-dev "$std" "$llvm" "$LLD" >&2) || return 1
  local deb
  for deb in "$DIR"/debs/*.deb; do dpkg -x "$deb" "$ROOT"; done
  rm -rf "$DIR/debs"
}

write_wrapper() {
  mkdir -p "$DIR/bin"
  cat > "$DIR/bin/rustc.new" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH="$ROOT/usr/lib/x86_64-linux-gnu\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "$ROOT/usr/bin/rustc" "\$@"
WRAPPER
  chmod +x "$DIR/bin/rustc.new"
  mv "$DIR/bin/rustc.new" "$DIR/bin/rustc"
}

# An empty crate makes cargo build std; its rlibs then go where the compiler looks for them.
# Without embed-bitcode a guest with `lto = true` fails ("can't find section .llvmbc").
build_std() {
  say "building std for $TARGET"
  local crate=$DIR/std-build libs=$ROOT/usr/lib/rustlib/$TARGET/lib
  local tools=$ROOT/usr/lib/rustlib/x86_64-unknown-linux-gnu/bin
  mkdir -p "$crate/src" "$libs" "$tools"
  : > "$crate/src/lib.rs"
  cat > "$crate/Cargo.toml" <<'MANIFEST'
[package]
name = "std-build"
version = "0.0.0"
edition = "2021"

[profile.release]
panic = "abort"

[workspace]
MANIFEST
  (cd "$crate" && RUSTC=$DIR/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR="$crate/target" \
    cargo build -q --release -Zbuild-std=std,panic_abort --target "$TARGET" >&2) || return 1
  cp "$crate/target/$TARGET"/release/deps/lib*.rlib "$libs/"
  rm -f "$libs"/libstd_build-*
  ln -sf "../../../../bin/wasm-ld-${LLD#lld-}" "$tools/rust-lld"
  rm -rf "$crate"
}

from_debian() {
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] && [ "$(uname -m)" = x86_64 ] || return 1
  rm -rf "$DIR/debs" "$ROOT"
  fetch_debian && write_wrapper && build_std && has_target "$DIR/bin/rustc"
}

[ $# = 1 ] || die "usage: $0 DIR"
if command -v rustc >/dev/null && has_target rustc; then
  say "the rustc on PATH has $TARGET"
  command -v rustc
  exit 0
fi

mkdir -p "$1"
DIR=$(cd "$1" && pwd)
ROOT=$DIR/root

# One at a time: parallel builds may all ask for it.
exec 9> "$DIR/.lock"
flock 9
if [ -e "$DIR/.done" ] && has_target "$DIR/bin/rustc"; then
  say "ready in $DIR"
elif from_debian; then
  touch "$DIR/.done"
  say "ready in $DIR"
elif command -v rustup >/dev/null && rustup target add "$TARGET" >&2 && has_target rustc; then
  say "added $TARGET with rustup"
  command -v rustc
  exit 0
else
  die "no Rust compiler for $TARGET: run \`rustup target add $TARGET\`, or run this as root on Debian 12"
fi
echo "$DIR/bin/rustc"
