#!/bin/bash
# Installs the Debian packages the lab is made of, where they are missing.
#
# A machine that runs these tests must not become a mail or name server by it. So nothing may start while
# apt works (a policy-rc.d that says no, put back as it was whatever happens), nothing is left enabled for
# the next boot, and Postfix is configured for local mail only. What is installed already is left alone.
set -euo pipefail

packages=(postfix libsasl2-modules nsd openssl)
services=(postfix nsd)
guard=/usr/sbin/policy-rc.d

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
fail() { echo "install.sh: $1" >&2; exit 1; }

command -v apt-get >/dev/null || fail "no apt-get here: the lab needs Debian or the like"
missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || fail "must be root to install ${missing[*]}"

put_back() {
  rm -f "$guard"
  [ ! -e "$guard.before-lab" ] || mv "$guard.before-lab" "$guard"
  command -v systemctl >/dev/null || return 0
  for service in "${services[@]}"; do
    case " ${missing[*]} " in
      *" $service "*) systemctl disable "$service" >/dev/null 2>&1 || true ;;
    esac
  done
}
trap put_back EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# a run killed outright left its own guard in place: the one saved then is the real one
[ ! -e "$guard" ] || [ -e "$guard.before-lab" ] || mv "$guard" "$guard.before-lab"
printf '#!/bin/sh\nexit 101\n' >"$guard"
chmod 755 "$guard"

export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -y -o DPkg::Lock::Timeout=120)
"${apt[@]}" update || fail "apt-get update failed"
if command -v debconf-set-selections >/dev/null; then
  echo "postfix postfix/main_mailer_type select Local only" | debconf-set-selections
fi
"${apt[@]}" install --no-install-recommends "${missing[@]}" || fail "apt-get could not install ${missing[*]}"
