#!/bin/sh
# Installs the programs that some tests try and a machine may lack. Tests of what is missing all the same are skipped.
set -eu

install() {
  package=$1
  shift
  for command; do
    if command -v "$command" >/dev/null 2>&1; then return; fi
  done
  echo "test-setup: installing $package …"
  if [ "$(id -u)" = 0 ]; then sudo=''; else sudo='sudo -n'; fi
  if ! $sudo apt-get install -y -qq "$package" >/dev/null; then
    echo "test-setup: $package is missing, and apt-get does not install it: its tests will be skipped" >&2
  fi
}

install kcat kcat
install mosquitto-clients mosquitto_sub
install chromium chromium chromium-browser google-chrome
install zsh zsh
install fish fish
install tmux tmux
install buildah buildah
