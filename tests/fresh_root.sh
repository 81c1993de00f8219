#!/usr/bin/env bash
# Does the README work on a machine that has nothing? Makes an empty Debian root, puts a clean checkout of HEAD in and does
# there what a newcomer would: ./run train, interrupt, resume, sample, eval; then what a packager would: install, build an
# outside program against the library, make a .deb and install it in a second empty root without a checkout.
#
# Usage: tests/fresh_root.sh bookworm|trixie [FOLDER]      FOLDER: for the roots, removed at the end (default: one in /var/tmp)
# Needs root, debootstrap and a network with the Debian mirror that this machine's own apt uses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
suite=${1:?usage: tests/fresh_root.sh bookworm|trixie [FOLDER]}
if [[ ${FRESH_ROOT_MOUNTS:-} != private ]]; then
  # Mounts made below vanish with this process, whatever ends it.
  FRESH_ROOT_MOUNTS=private exec unshare --mount --fork --kill-child bash tests/fresh_root.sh "$@"
fi
folder=${2:-$(mktemp -d /var/tmp/forger-fresh-root.XXXXXX)}
checkout=/home/newcomer/forger
trap 'umount -q "$folder"/*/proc || true; rm -rf --one-file-system "$folder"' EXIT

say() { printf '\033[1m%s: %s\033[0m\n' "$suite" "$*"; }
fail() { echo "fresh_root $suite: $*" >&2; exit 1; }
# An environment as poor as a new machine's. A process that a script starts beside itself ignores Ctrl-C unless told not to.
there=(env -i --default-signal=INT HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot)
# within ROOT COMMAND...: runs it there.
within() { "${there[@]}" "$folder/$1" "${@:2}"; }
# newcomer COMMAND: in the checkout, as root of the first root.
newcomer() { within first bash -c "cd $checkout && $*"; }

mirror=$(apt-get indextargets --format '$(LABEL) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
  awk '$1 == "Debian" && $2 !~ /-/ { print $3; exit }')
[[ -n $mirror ]] || fail "this machine's apt names no Debian mirror"
say "an empty root from this machine's mirror"
mkdir -p "$folder"
begin=$SECONDS
debootstrap --variant=minbase "$suite" "$folder/empty" "$mirror" >"$folder/debootstrap.log" 2>&1 || {
  tail -20 "$folder/debootstrap.log"
  fail "debootstrap failed"
}
apt-config dump Acquire | grep -i '::proxy' >"$folder/empty/etc/apt/apt.conf.d/90proxy" || true
cp /etc/resolv.conf "$folder/empty/etc/resolv.conf"
for root in first second; do
  cp -a "$folder/empty" "$folder/$root"
  mount -t proc proc "$folder/$root/proc"
done
within first useradd --create-home newcomer
git clone -q --no-hardlinks . "$folder/first$checkout"
within first chown -R newcomer: "$checkout"
echo "$((SECONDS - begin)) s"

say "an ordinary user without sudo gets one line"
if within first su newcomer -c "cd $checkout && ./run train" >"$folder/user.log" 2>&1; then fail "./run train worked without packages"; fi
cat "$folder/user.log"
[[ $(wc -l <"$folder/user.log") == 1 ]] && grep -q 'ask an administrator for: apt-get install g++' "$folder/user.log" ||
  fail "that was not one line which says what to do"

say "./run train --steps 20"
begin=$SECONDS
newcomer ./run train --steps 20 --log-every 1 >"$folder/train.log" 2>&1 &
first_step=
while kill -0 $! 2>/dev/null; do
  sleep 1
  [[ -n $first_step ]] || ! grep -qE '^ *0 \[D loss' "$folder/train.log" || first_step=$((SECONDS - begin))
done
wait $! || { tail -40 "$folder/train.log"; fail "./run train failed"; }
[[ -n $first_step ]] || { tail -40 "$folder/train.log"; fail "no first step in the log"; }
if grep -E 'warning:' "$folder/train.log"; then fail "the build warns"; fi
tail -3 "$folder/train.log"
say "$first_step s from the first command to the first training step, packages included"
forger=build/release/forger run=runs/00000-dcgan-cpu-seed0
newcomer "$forger --version; $forger doctor"

say "interrupt, resume, sample, eval"
"${there[@]}" "$folder/first" bash -c "cd $checkout && exec $forger train dcgan --steps 100000 --log-every 1 --out runs/interrupted" \
  >"$folder/interrupted.log" 2>&1 &
until grep -qE '^ *3 \[D loss' "$folder/interrupted.log"; do
  sleep 0.2
  kill -0 $! || { cat "$folder/interrupted.log"; fail "the run ended by itself"; }
done
kill -INT $!
code=0
wait $! || code=$?
tail -2 "$folder/interrupted.log"
((code == 130)) || fail "interrupted: exit code $code, not 130"
newcomer "$forger train --resume runs/interrupted --steps 12" | tail -2
newcomer "$forger train --resume $run --steps 22" | tail -1
newcomer "$forger sample $run --count 64 --grid 8x8 --out digits.png && test -s digits.png"
newcomer "$forger eval $run --count 1000"

say "the library, and a program that uses it"
newcomer "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-minimal dpkg-dev file >/dev/null && tests/installed_example.sh build/release"

say "a .deb in an empty root, without the checkout"
newcomer "cd build/release && cpack -G DEB >/dev/null && rm -rf _CPack_Packages"
mkdir "$folder/second/packages"
cp "$folder/first$checkout"/build/release/forger_*.deb "$folder/second/packages/"
within second bash -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends /packages/*.deb >/dev/null'
within second bash -c 'cd /tmp && forger --version && forger train dcgan --steps 2 --batch 8 --log-every 1 &&
  forger sample runs/00000-dcgan-cpu-seed0 --count 4 --grid 2x2 --out digits.png && test -s digits.png'
say "all of it works"
