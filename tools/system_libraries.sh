#!/usr/bin/env bash
# What Python packages cannot bring along: open3d, VTK and MediaPipe load these libraries from the system.
# Installed by apt where we may, otherwise the line that installs them is printed.
set -euo pipefail

# libegl1, libgl1, libgles2: VTK and MediaPipe off-screen; libusb-1.0-0, libgomp1: open3d; libglib2.0-0: OpenCV;
# libpango*, fonts-liberation: WeasyPrint.
packages=(libegl1 libgl1 libgles2 libusb-1.0-0 libgomp1 libglib2.0-0 libpango-1.0-0 libpangoft2-1.0-0 fonts-liberation)

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
  echo "not a Debian system: make sure that EGL, OpenGL, libusb 1.0, libgomp, glib and Pango are there (face3d doctor checks)" >&2
  exit 0
fi
# What tests look with: pages in a browser, PDF as pictures, DICOM; where they cannot be installed tests skip and say so.
lookers=(chromium poppler-utils dcmtk)
installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
missing=() wanted=()
for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
for package in "${lookers[@]}"; do installed "$package" || wanted+=("$package"); done
[ ${#missing[@]} -eq 0 ] && { [ ${#wanted[@]} -eq 0 ] || [ "$(id -u)" -ne 0 ]; } && exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "system libraries are missing; install them, then run make again:" >&2
  echo "  sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || [ ${#missing[@]} -eq 0 ] # what only tests look with is no reason to stop
install() {
  echo "installing $*"
  apt-get install -qq --yes --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
}
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}"
for package in "${wanted[@]}"; do
  install "$package" || echo "no $package: what is looked at with it is not tested" >&2
done
