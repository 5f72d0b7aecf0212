#!/usr/bin/env bash
# What Python packages cannot bring along: open3d, VTK and MediaPipe load these libraries from the system.
# Installed by apt where we may, otherwise the line that installs them is printed.
set -euo pipefail

# libegl1, libgl1, libgles2: VTK and MediaPipe off-screen; libusb-1.0-0, libgomp1: open3d; libglib2.0-0: OpenCV.
packages=(libegl1 libgl1 libgles2 libusb-1.0-0 libgomp1 libglib2.0-0)

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "face3d needs Python 3.11 or newer; '$python' is not. Name another: make PYTHON=/path/to/python3.11" >&2
  exit 1
fi
# Debian splits ensurepip from Python; without it `python -m venv` cannot bring pip.
"$python" -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)

# MediaPipe counts processors through /sys and aborts in a bare chroot, where nothing is mounted there.
if [ "$(uname)" = Linux ] && [ ! -e /sys/devices/system/cpu/possible ]; then
  if [ "$(id -u)" -ne 0 ] || ! mount -t sysfs sysfs /sys; then
    echo "/sys is empty; mount it, then run make again: sudo mount -t sysfs sysfs /sys" >&2
    exit 1
  fi
fi

if ! command -v dpkg-query >/dev/null; then
  echo "not a Debian system: make sure that EGL, OpenGL, libusb 1.0, libgomp and glib are there (face3d doctor checks)" >&2
  exit 0
fi
# Tests look at pages in a browser; where it cannot be installed they say that they skipped.
browser=chromium
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
dpkg-query -W -f '${db:Status-Status}' "$browser" 2>/dev/null | grep -qx installed && browser=
[ ${#missing[@]} -eq 0 ] && { [ -z "$browser" ] || [ "$(id -u)" -ne 0 ]; } && exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "system libraries are missing; install them, then run make again:" >&2
  echo "  sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || [ ${#missing[@]} -eq 0 ] # a browser alone is no reason to stop
install() {
  echo "installing $*"
  apt-get install -qq --yes --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
}
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}"
[ -z "$browser" ] || install "$browser" || echo "no $browser: pages are not tested in a browser" >&2
