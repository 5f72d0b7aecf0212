#!/usr/bin/env bash
# The light install, as a server has it: a new environment with the base dependencies alone reads, checks and writes, and
# names the extra for whatever else is asked of it.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check .
"$venv/bin/python" tests/light_install.py
