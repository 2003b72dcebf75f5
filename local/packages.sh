#!/usr/bin/env bash
# Installs the Debian packages that the project needs and this machine lacks. Quick when there is
# nothing to do. Usage: local/packages.sh PYTHON [bench], the interpreter that the project will use;
# with "bench", what the benchmarks' peers need is installed as well.
set -euo pipefail

python=${1:-}
missing=()

need() {
  missing+=("$@")
}

has_library() {
  [[ $(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p) == *"$1"* ]]
}

has_header() {
  compgen -G "/usr/include/$1" >/dev/null || compgen -G "/usr/include/*-linux-gnu/$1" >/dev/null
}

python_is_complete() {
  [ -n "$python" ] && "$python" - 2>/dev/null <<'PYTHON'
import ensurepip, os, sysconfig, venv
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
PYTHON
}

# Python, and what compiles the library's C and Pillow-SIMD for it.
python_is_complete || need python3 python3-venv python3-dev
command -v cc >/dev/null || need gcc
has_header stdio.h || need libc6-dev
has_header zlib.h || need zlib1g-dev
# What compiles libjpeg-turbo (its assembler) and OpenJPEG for Pillow-SIMD's layer.
command -v nasm >/dev/null || need nasm
command -v c++ >/dev/null || need g++
# What encodes the tiles between the slide's levels.
has_library libturbojpeg.so.0 || need libturbojpeg0
# The second reader of Data Matrix labels.
has_library libdmtx.so.0 || need libdmtx0
# What counts system calls in tests and benchmarks.
command -v strace >/dev/null || need strace
# The pages, and the browser that tests them.
command -v node >/dev/null || need nodejs
command -v npm >/dev/null || need npm
command -v chromium >/dev/null || need chromium fonts-liberation

if [ "${2:-}" = bench ]; then
  # libvips with OpenSlide; it brings libtiff, which large_image's tiff source loads.
  command -v vips >/dev/null || need libvips-tools
  # Storage that is slow like EFS.
  command -v fusermount3 >/dev/null || need fuse3
  has_header fuse3/fuse_lowlevel.h || need libfuse3-dev
  # Other tile servers, and what loads them.
  [ -x /usr/sbin/nginx ] || need nginx-light
  [ -x /usr/lib/iipimage-server/iipsrv.fcgi ] || need iipimage-server
  command -v wrk >/dev/null || need wrk
fi

if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "error: as root, install: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
if ! command -v apt-get >/dev/null; then
  echo "error: this is no Debian or Ubuntu; install the like of: ${missing[*]}" >&2
  exit 1
fi

echo "Installing Debian packages: ${missing[*]}"
log=.local/log/packages.log
mkdir -p "$(dirname "$log")"
"${as_root[@]}" apt-get update -q >"$log" 2>&1 || {
  echo "error: apt-get update failed: see $log" >&2
  exit 1
}
# The library's package is libdmtx0b, libdmtx0t64 since Debian 13.
for i in "${!missing[@]}"; do
  if [ "${missing[i]}" = libdmtx0 ]; then
    missing[i]=$(apt-cache pkgnames libdmtx0 | sort | tail -n 1)
  fi
done
# Servers are installed to be measured: none shall start by itself and take a port.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod +x "$policy"
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -qy --no-install-recommends "${missing[@]}" >>"$log" 2>&1 || {
  echo "error: apt-get install failed: see $log" >&2
  exit 1
}
