#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages that the project needs and this machine lacks. Quick when
# there is nothing to do. Usage: local/packages.sh [PYTHON [GROUP…]], the interpreter that the project
# will use, and what is needed besides: "test" for the tests, "web" for the pages' tests in a
# browser, "bench" for the benchmarks' peers.
set -euo pipefail

python=${1:-python3}
groups=" ${*:2} "
missing=()
# Tests show it another machine.
root=${MACHINE_ROOT:-}

if [ "$(uname -s)" != Linux ] || [ "$(uname -m)" != x86_64 ]; then
  cat >&2 <<'TEXT'
error: this needs Linux on x86-64: Lambda's layers are compiled here, and tests run on them.
  Windows: install Debian in WSL (wsl --install Debian), and work there.
  macOS: work in a container: docker run --platform linux/amd64 --network host -it -v "$PWD:/project" \
    -w /project debian:13 bash -c 'apt-get update && apt-get install -y make && exec bash'
TEXT
  exit 1
fi
if ! grep -qw avx2 "$root/proc/cpuinfo"; then
  echo "error: this processor has no AVX2, for which the layers are compiled" >&2
  exit 1
fi

need() {
  missing+=("$@")
}

wants() {
  [[ $groups == *" $1 "* ]]
}

has_header() {
  compgen -G "$root/usr/include/$1" >/dev/null ||
    compgen -G "$root/usr/include/*-linux-gnu/$1" >/dev/null
}

python_is_complete() {
  "$python" - 2>/dev/null <<'PYTHON'
import ensurepip, os, sysconfig, venv
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
PYTHON
}

# Refuses an interpreter that does not run, or is of a version that the pinned packages are not for.
check_python() {
  local version
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || {
    echo "error: $python does not run here" >&2
    exit 1
  }
  case $version in
  3.11 | 3.12 | 3.13) ;;
  *)
    cat >&2 <<TEXT
error: this needs Python 3.11 to 3.13, and $python is Python $version. Debian 12 and 13 and Ubuntu 24.04
  have one that fits. If there is one elsewhere on this machine, name it: make PYTHON=/path/to/python3.13
TEXT
    exit 1
    ;;
  esac
}

# Python, and what compiles the layers for it. The distribution's may still have to be installed.
if [ "$python" != python3 ] || command -v python3 >/dev/null; then
  check_python
fi
python_is_complete || need python3 python3-venv python3-dev
command -v cc >/dev/null || need gcc
has_header stdio.h || need libc6-dev
has_header zlib.h || need zlib1g-dev
# libjpeg-turbo's assembler, and what Meson wants to see.
command -v nasm >/dev/null || need nasm
command -v c++ >/dev/null || need g++
# The pages.
command -v node >/dev/null || need nodejs
command -v npm >/dev/null || need npm

if wants test; then
  # What counts system calls.
  command -v strace >/dev/null || need strace
fi

# The browser that tests the pages. Ubuntu has it as a snap only, which is of no use in a container and
# cannot read what tests write.
has_browser() {
  command -v chromium >/dev/null || command -v google-chrome >/dev/null ||
    compgen -G "$HOME/.cache/ms-playwright/chromium-*" >/dev/null
}

# The other browser; Ubuntu has it as a snap only, too.
has_firefox() {
  [ -n "${FIREFOX-}" ] || command -v firefox-esr >/dev/null || command -v firefox >/dev/null
}

if wants web && grep -q '^ID=ubuntu' "$root/etc/os-release"; then
  if ! { has_browser && has_firefox; }; then
    cat >&2 <<'TEXT'
error: the pages' tests need Chromium and Firefox, and Ubuntu has no packages of them. Run as root:
  .venv/bin/playwright install --with-deps chromium
  npx --yes @puppeteer/browsers install firefox@stable
or install Google Chrome and Mozilla's Firefox. FIREFOX=/path/to/firefox names one elsewhere. Everything else works
without them: make test-quick test-slow test-stack
TEXT
    exit 1
  fi
elif wants web; then
  has_browser || need chromium fonts-liberation
  has_firefox || need firefox-esr
fi

if wants bench; then
  # libvips with OpenSlide; it brings libtiff, which large_image's tiff source loads.
  command -v vips >/dev/null || need libvips-tools
  # Storage that is slow like EFS.
  command -v fusermount3 >/dev/null || need fuse3
  has_header fuse3/fuse_lowlevel.h || need libfuse3-dev
  # Other tile servers, and what loads them.
  [ -x "$root/usr/sbin/nginx" ] || need nginx-light
  [ -x "$root/usr/lib/iipimage-server/iipsrv.fcgi" ] || need iipimage-server
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
  echo "error: this is not Debian or Ubuntu; install the like of: ${missing[*]}" >&2
  exit 1
fi

echo "Installing packages: ${missing[*]}"
log=.local/log/packages.log
mkdir -p "$(dirname "$log")"
"${as_root[@]}" apt-get update -q >"$log" 2>&1 || {
  echo "error: apt-get update failed: see $log" >&2
  exit 1
}
# Servers are installed to be measured: none must start by itself and take a port.
policy=$root/usr/sbin/policy-rc.d
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

# A Python that the distribution did not make gets nothing from these packages.
check_python
python_is_complete || {
  echo "error: $python lacks venv, ensurepip or its headers (Python.h), and the distribution's packages" \
    "python3-venv and python3-dev are for another Python. Name that one: make PYTHON=/usr/bin/python3" >&2
  exit 1
}
