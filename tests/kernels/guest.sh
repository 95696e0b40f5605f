#!/bin/bash
# Runs one job in the guest and switches it off. Each step is told as "step ok: NAME" or "step failed: NAME".
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI=true
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo # the console begins with codes of its own
mkdir -p /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
mount -t devpts devpts /dev/pts
mount -t tmpfs run /run
mkdir -p /run/lock /var/run
ip link set lo up
for word in $(</proc/cmdline); do
  case $word in
    sallyport.root=*) cd "${word#*=}" || exit 1 ;;
    sallyport.job=*) job=${word#*=} ;;
  esac
done
node=$PWD/node_modules/.bin/node

step() {
  local name=$1
  shift
  if "$@"; then echo "step ok: $name"; else echo "step failed: $name"; fi
}

# `up` must end by itself with this code, and say what it misses.
refuses() {
  local code=$1 output
  output=$(timeout 120 bin/sallyport --run /run/guard up --state /var/guard 2>&1)
  local status=$?
  echo "$output"
  [ "$status" = 1 ] && grep -q "$code" <<<"$output" && grep -q "remedy:" <<<"$output"
}

# `up` comes to serve, and ends in order when asked to.
becomes_ready() {
  local log=/run/up.log tries=0
  bin/sallyport --run /run/guard up --state /var/guard >"$log" 2>&1 &
  until grep -q "ready" "$log" || [ $((tries += 1)) -gt 600 ] || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
  bin/sallyport --run /run/guard down
  wait $!
  local status=$?
  cat "$log"
  [ "$status" = 0 ] && grep -q "ready" "$log"
}

mount_all() {
  mount -t cgroup2 none /sys/fs/cgroup
  mount -t bpf bpf /sys/fs/bpf
  # where the kernel itself looks for what it lacks, such as NAT
  mkdir -p /lib/modules
  ln -s "$PWD/build/kernels/$(uname -r)/lib/modules/$(uname -r)" /lib/modules/
}

probe() {
  "$node" -e '
    const { probe } = require("ebpf-loader");
    const rows = probe("/sys/fs/cgroup");
    for (const row of rows) console.log(row.ok ? "has " : "LACKS", row.feature, "-", row.found);
    process.exitCode = rows.every(({ ok }) => ok) ? 0 : 1;'
}

native_suite() {
  "$node" --disable-warning=ExperimentalWarning --test --test-concurrency=1 --test-reporter=spec \
    $(ls tests/native/*.test.ts | grep -v floods) # ten thousand tags take an hour without KVM
}

floor() {
  mount_all
  step "every feature is there" probe
  step "tests/native: redirects, refusals, doors, births" native_suite
  step "npm start -- --once: a real server, a real client, statements judged" \
    "$node" --liftoff-only --disable-warning=ExperimentalWarning scripts/start.ts --once
}

no-btf() {
  mount_all
  mount -t tmpfs -o ro none /sys/kernel/btf
  step "up refuses with BTF_MISSING" refuses BTF_MISSING
}

no-cgroup2() {
  mount -t bpf bpf /sys/fs/bpf
  step "up refuses with CGROUP2_MISSING" refuses CGROUP2_MISSING
}

lockdown() {
  mount_all
  mount -t securityfs none /sys/kernel/security
  step "the kernel is locked down" grep -q '\[confidentiality\]' /sys/kernel/security/lockdown
  step "every feature is there" probe
  step "up is ready" becomes_ready
}

no-ipv6() {
  mount_all
  step "the kernel has no IPv6" test ! -e /proc/net/if_inet6
  step "up is ready" becomes_ready
}

"$job"
step "finished" true
sync
echo o >/proc/sysrq-trigger
sleep 30
