#!/usr/bin/env bash
# Make a virtual environment with pinned packages and our two distributions in place.
#
#   setup_environment.sh PYTHON FOLDER REQUIREMENTS
#
# On Debian and Ubuntu, what Python itself lacks (venv, a compiler is never needed) is installed with apt.
set -euo pipefail
python=$1 folder=$2 requirements=$3
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*"; }

apt_install() {
  command -v apt-get >/dev/null || { say "install these by hand: $*"; exit 1; }
  local sudo=()
  [[ $(id -u) == 0 ]] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if [[ -z $python ]]; then
  say "no Python 3.11 or newer: installing python3"
  apt_install python3 python3-venv
  python=python3
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  say "Python has no venv module: installing it"
  apt_install python3-venv
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "Python 3.11 or newer is needed, this is $("$python" -V)"; exit 1; }

[[ -x $folder/bin/python ]] || "$python" -m venv "$folder"
pip() { "$folder/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
say "installing packages into $folder"
pip install --require-hashes -r requirements/uv.txt
# uv is many times faster; pip is the fall-back where only pip is configured for this network.
if ! "$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --require-hashes -r "$requirements" 2>"$folder/uv.log"; then
  say "uv could not install them (see $folder/uv.log): trying pip"
  pip install --require-hashes -r "$requirements"
fi
"$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --offline --no-deps --no-build-isolation -e clients/python -e services
