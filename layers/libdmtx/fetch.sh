#!/usr/bin/env bash
# Fetches libdmtx's source. Usage: fetch.sh FILE
# On Debian and Ubuntu from the distribution's archive, whose copy is upstream's to the byte; else,
# and where that archive has another version by now, from upstream.
set -euo pipefail

version=0.7.7
sha256=7aa62adcefdd6e24bdabeb82b3ce41a8d35f4a0c95ab0c4438206aecafd6e1a1
upstream=https://github.com/dmtx/libdmtx/archive/refs/tags/v$version.tar.gz

file=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

is_whole() {
  sha256sum --check --status <<<"$sha256  $file"
}

# The machine's own list of sources is left as it is: apt works on a copy that asks for source code.
from_distribution() {
  command -v apt-get >/dev/null || return
  mkdir -p "$work"/{sources,lists/partial,cache/archives/partial}
  local list
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
    [ -f "$list" ] || continue
    sed -E 's/^deb /deb-src /; s/^Types:.*/Types: deb-src/' "$list" >"$work/sources/${list##*/}"
  done
  local options=(
    -qq -o APT::Sandbox::User=root
    -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/sources"
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache"
  )
  # A list without source code does no harm: the checksum decides.
  apt-get "${options[@]}" update >/dev/null 2>&1 || true
  (cd "$work" && apt-get "${options[@]}" source --download-only libdmtx >/dev/null 2>&1) || true
  cp "$work/libdmtx_$version.orig.tar.gz" "$file" 2>/dev/null
}

from_upstream() {
  curl --fail --silent --show-error --location --max-time 120 --output "$file" "$upstream"
}

if from_distribution && is_whole || from_upstream && is_whole; then
  exit 0
fi
echo "error: libdmtx $version with SHA-256 $sha256" \
  "is neither in the distribution's archive nor to be had from $upstream" >&2
exit 1
