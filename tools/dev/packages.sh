# Installs what is missing from Debian. The list of packages is the table in docs/dependencies.md and nowhere else.

packages_for() { # packages_for STAGE -> lines `package command`; the command may be empty
  sed -n 's/^| `\([^`]*\)` *| *\([a-z]*\) *| *`\{0,1\}\([^`|]*\)`\{0,1\} *|.*$/\2 \1 \3/p' docs/dependencies.md |
    awk -v stage="$1" '$1 == stage { print $2, $3 }'
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo > /dev/null; then
    if [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
  else
    echo "these packages need root, and there is no sudo: ${missing[*]}" >&2
    return 1
  fi
}

apt_get() {
  # RUNLEVEL=1: a server that comes with a package must not be started, least of all on our port.
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -o Acquire::Retries=3 \
    -o DPkg::Lock::Timeout=300 "$@" < /dev/null
}

need() { # need STAGE...
  local stage package program missing=()
  for stage in "$@"; do
    while read -r package program; do
      if [ -n "$program" ] && command -v "$program" > /dev/null; then continue; fi
      if dpkg-query -W -f='${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed; then continue; fi
      missing+=("$package")
    done < <(packages_for "$stage")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get > /dev/null; then
    echo "please install: ${missing[*]}" >&2
    return 1
  fi
  local log=build/packages.log
  mkdir -p build
  echo "installing: ${missing[*]}"
  # The package lists may be absent or too old: refresh them only when the first try fails.
  apt_get install -y --no-install-recommends "${missing[@]}" > "$log" 2>&1 ||
    { apt_get update >> "$log" 2>&1 &&
      apt_get install -y --no-install-recommends "${missing[@]}" >> "$log" 2>&1; } ||
    { tail -20 "$log" >&2; return 1; }

}
