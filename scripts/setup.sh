#!/usr/bin/env bash
# Installs what is missing and nothing else; a second run only looks, in well under a second.
# With --tests also what only the tests and checks use: clients of others, a browser, further tokens.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "setup: $*" >&2; }
fail() { printf '%s\n' "setup: $*" >&2; exit 1; }

command -v node >/dev/null || fail "Node.js is missing: install Node.js 20.19 or later, with npm."
node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||(a===20&&b>=19)?0:1)' ||
  fail "Node.js $(node --version) is too old: 20.19 or later is needed."
command -v npm >/dev/null || fail "npm is missing: install it beside Node.js."

found() { # found FILE-PATTERN...: whether one of them exists
  local pattern
  for pattern in "$@"; do compgen -G "$pattern" >/dev/null && return 0; done
  return 1
}

# 1. System packages: the software tokens, the compiler, and what the tests use.
packages=()
command -v g++ >/dev/null || packages+=(g++)
found '/usr/lib/softhsm/libsofthsm2.so' '/usr/lib/*/softhsm/libsofthsm2.so' '/usr/lib64/pkcs11/libsofthsm2.so' '/usr/lib64/softhsm/libsofthsm2.so' '/opt/homebrew/lib/softhsm/libsofthsm2.so' ||
  packages+=(softhsm2)
found '/usr/lib/*/libsoftokn3.so' '/usr/lib/*/nss/libsoftokn3.so' '/usr/lib64/libsoftokn3.so' || packages+=(libnss3)
optional=()
# The README's examples use these.
command -v aws >/dev/null || optional+=(awscli)
command -v curl >/dev/null || optional+=(curl)
command -v openssl >/dev/null || optional+=(openssl)
if [ "${1:-}" = --tests ]; then
  command -v spin >/dev/null || optional+=(spin)
  command -v ip >/dev/null || optional+=(iproute2)
  /usr/bin/python3 -c 'import boto3' >/dev/null 2>&1 || optional+=(python3 python3-boto3)
  command -v chromium >/dev/null || optional+=(chromium)
  command -v swtpm >/dev/null || optional+=(swtpm)
  found '/usr/lib/*/pkcs11/libtpm2_pkcs11.so' || optional+=(libtpm2-pkcs11-1)
  command -v tpm2_ptool >/dev/null || optional+=(libtpm2-pkcs11-tools)
  command -v pkcsslotd >/dev/null || found /usr/sbin/pkcsslotd || optional+=(opencryptoki)
fi

install_packages() {
  local run=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "these packages are missing: $*. Install them as root: apt-get install $*"
    run=(sudo)
  fi
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null || say "apt-get update failed; trying with the lists that are here"
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if [ ${#packages[@]} -gt 0 ]; then
  command -v apt-get >/dev/null ||
    fail "missing: ${packages[*]}. This set-up knows Debian and Ubuntu; elsewhere install SoftHSM 2, NSS's softoken, and a C++20 compiler, then run it again."
  say "installing ${packages[*]}"
  install_packages "${packages[@]}"
fi
# A package that could not be had is not asked for again; a longer list is.
marker="build/.optional-packages.${#optional[@]}"
if [ ${#optional[@]} -gt 0 ] && [ ! -e "$marker" ] && command -v apt-get >/dev/null; then
  say "installing ${optional[*]} (used by examples and tests)"
  ( install_packages "${optional[@]}" ) || say "could not install ${optional[*]}: what uses them says so, or is skipped"
  mkdir -p build && touch "$marker"
fi

# 2. npm packages, exactly as the lock file has them.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "installing npm packages"
  npm ci --no-audit --no-fund --loglevel=error
  touch node_modules/.package-lock.json
fi

# 3. pkcs11js: npm may hold back its install script, so what counts is whether it loads.
loads() { node -e 'require("pkcs11js")' >/dev/null 2>&1; }
if ! loads; then
  say "building pkcs11js"
  prefix="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")"
  if [ -e "$prefix/include/node/node_api.h" ]; then export npm_config_nodedir="$prefix"; fi
  npm rebuild pkcs11js --foreground-scripts --loglevel=error >build-pkcs11js.log 2>&1 || true
  if ! loads; then
    # node-gyp wants Node's headers from the network; the package needs only the Node-API ones, which are here.
    source=node_modules/pkcs11js
    mkdir -p "$source/build/Release"
    g++ -std=c++17 -O2 -fPIC -shared -DNAPI_DISABLE_CPP_EXCEPTIONS -DNODE_GYP_MODULE_NAME=pkcs11 \
      -I node_modules/node-api-headers/include -I "$source/includes" \
      "$source/src/dl.cpp" "$source/src/common.cpp" "$source/src/main.cpp" \
      -ldl -o "$source/build/Release/pkcs11.node" >>build-pkcs11js.log 2>&1 || true
  fi
  loads || { tail -n 20 build-pkcs11js.log >&2; fail "pkcs11js could not be built; the whole output is in build-pkcs11js.log"; }
  rm -f build-pkcs11js.log
fi
