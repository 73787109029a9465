#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# nomem.sh - the n-th allocation fails, for every n (TAP).
# Time limit: 900 s
#
# Each command runs once for each n with tests/preload/nomem.c, twice: that one allocation fails,
# and all from it on do. Whatever n: no signal; exit status 0 only with the output that there is
# when nothing fails, or with a word on stderr about what is missing; else a sentence there.
# Left out is what aborts in the C library itself (nss_database.c's assertions). PODHOP_LONG (make check-full): every n; else every
# 13th, beginning with another one for each command, and all of doctor's and of the pods' files.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD
podhop=$BUILD/podhop shim=$BUILD/preload/nomem.so
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C TZ=UTC
tmp=$(mktemp -d /tmp/podhop-nomem.XXXXXX)
trap 'rm -rf -- "$tmp"' EXIT
runs=0
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
[[ -x $podhop && -e $shim ]] || { echo "Bail out! make and make tools first"; exit 1; }
if ldd "$podhop" | grep -q 'libasan\|libtsan\|libubsan'; then
	echo '1..0 # SKIP built with a sanitizer, which has an allocator of its own'
	exit 0
fi
step=13
[[ -z ${PODHOP_LONG:-} ]] || step=1

# What differs from run to run: CPU time and memory used.
same_part() { sed -e '/cpu_ns\|max_rss/d' -e '/^cost /d' "$1"; }

node_files() { # DIR: what flannel, CNI and host-local leave on a node
	mkdir -p "$1"/{proc,run/flannel,etc/cni/net.d,etc/kube-flannel,var/lib/cni/networks/cbr0}
	printf '%s\n' FLANNEL_NETWORK=10.244.0.0/16 FLANNEL_SUBNET=10.244.1.1/24 FLANNEL_MTU=1450 \
		FLANNEL_IPMASQ=true >"$1/run/flannel/subnet.env"
	echo '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}' >"$1/etc/kube-flannel/net-conf.json"
	echo '{"name":"cbr0","plugins":[{"type":"flannel","delegate":{"hairpinMode":true}}]}' \
		>"$1/etc/cni/net.d/10-flannel.conflist"
	printf '0123abcd\r\neth0' >"$1/var/lib/cni/networks/cbr0/10.244.1.7"
}

id1=$(printf '1%.0s' {1..64}) id2=$(printf '2%.0s' {1..64}) id3=$(printf '3%.0s' {1..64})
pod_files() { # DIR: a pod of containerd, one of CRI-O and one of docker, whose cgroups say nothing
	local task=$1/run/containerd/io.containerd.runtime.v2.task/k8s.io/$id1
	local crio=$1/run/containers/storage/overlay-containers/$id2/userdata
	local docker=$1/var/lib/docker/containers/$id3 pid
	mkdir -p "$1/var/lib/cni/results" "$1/var/log/pods/shop_cart_55555555-0000-0000-0000-000000000000" \
		"$task" "$crio" "$docker" "$1/var/lib/cni/networks/cbr0"
	printf '%s\r\neth0' "$id2" >"$1/var/lib/cni/networks/cbr0/10.244.1.8"
	cat >"$1/var/lib/cni/results/cbr0-$id1-eth0" <<-END
		{"kind": "cniCacheV1", "containerId": "$id1", "ifName": "eth0", "networkName": "cbr0",
		 "config": "eyJwbHVnaW5zIjpbeyJ0eXBlIjoiYnJpZGdlIn1dfQ==",
		 "cniArgs": [["K8S_POD_NAMESPACE", "default"], ["K8S_POD_NAME", "web"]], "result": {
		 "cniVersion": "1.0.0", "interfaces": [{"name": "veth1"}, {"name": "eth0", "sandbox": "/x"}],
		 "ips": [{"interface": 1, "address": "10.244.1.7/24"}]}}
	END
	cat >"$task/config.json" <<-END
		{"annotations": {"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-name": "web",
		 "io.kubernetes.cri.sandbox-namespace": "default", "io.kubernetes.cri.sandbox-uid": "44444444-0000"}}
	END
	cat >"$crio/config.json" <<-END
		{"annotations": {"io.kubernetes.cri-o.ContainerType": "sandbox", "io.kubernetes.cri-o.Metadata":
		 "{\\"name\\": \\"cart\\", \\"namespace\\": \\"shop\\"}", "io.kubernetes.cri-o.Labels":
		 "{\\"io.kubernetes.pod.uid\\": \\"55555555-0000-0000-0000-000000000000\\"}"},
		 "linux": {"namespaces": [{"type": "network", "path": "/y"}]}}
	END
	cat >"$docker/config.v2.json" <<-END
		{"ID": "$id3", "Name": "/k8s_POD_till_shop_66666666-0000_0", "State": {"Running": true, "Pid": 303},
		 "NetworkSettings": {"SandboxKey": "/z"}}
	END
	echo '{"NetworkMode": "none"}' >"$docker/hostconfig.json"
	echo 101 >"$task/init.pid" && echo 202 >"$crio/pidfile"
	for pid in 1 101 202 303; do
		mkdir -p "$1/proc/$pid/ns"
		echo 0::/ >"$1/proc/$pid/cgroup"
		: >"$1/proc/$pid/ns/net"
	done
}

sweep() { # NAME COMMAND...
	local name=$1 total at mode status bad=() n=0 refused=0 in_libc=0
	shift
	NOMEM_FD=9 LD_PRELOAD=$shim "$@" 9>"$tmp/count" >"$tmp/out" 2>"$tmp/err"
	status_wanted=$?
	same_part "$tmp/out" >"$tmp/wanted"
	total=$(<"$tmp/count")
	for mode in one all; do
		for ((at = 1 + n_tests % step; at <= total; at += step)); do
			if [[ $mode == one ]]; then
				NOMEM_AT=$at LD_PRELOAD=$shim timeout -s KILL 20 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
			else
				NOMEM_AT=$at NOMEM_ON=1 LD_PRELOAD=$shim timeout -s KILL 20 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
			fi
			status=$?
			n=$((n + 1))
			if [[ $status == "$status_wanted" ]]; then
				# A list that found no room for a row says so in its own place.
				same_part "$tmp/out" | cmp -s - "$tmp/wanted" || [[ -s $tmp/err ]] ||
					grep -q 'that no list holds$' "$tmp/out" ||
					bad+=("$mode $at: exit $status with other output")
			elif [[ $status == 1 || $status == 2 ]]; then
				refused=$((refused + 1))
				[[ -s $tmp/err ]] || bad+=("$mode $at: exit $status without a word")
			elif [[ $status == 134 ]] && grep -q '^podhop: nss_\|^Unexpected error' "$tmp/err"; then
				in_libc=$((in_libc + 1))
			else
				bad+=("$mode $at: exit $status: $(head -c 200 "$tmp/err")")
			fi
		done
	done
	runs=$((runs + n))
	if ((${#bad[@]} == 0)); then
		ok "$name: $n runs of $total allocations, $refused refused, $in_libc aborts of libc, the rest as ever"
	else
		not_ok "$name: ${#bad[@]} of $n" "$(printf '%s\n' "${bad[@]}")"
	fi
}

sweep 'report --json' "$podhop" report samples/remote.pcapng -q --json
sweep 'report, lines a packet' "$podhop" report samples/service.pcapng -f 'tcp or udp' -T jsonl
sweep 'report -w --html --report' "$podhop" report samples/fragments.pcapng -q \
	-w "$tmp/out.pcapng" --html "$tmp/out.html" --report "$tmp/out.json"
sweep 'report, packed' "$podhop" report samples/ipv6.pcapng -q --terse -w "$tmp/out.pcapng.gz"
# Names bear the time: what is left of them is the next run's.
sweep 'report -b packets' "$podhop" report samples/service.pcapng -q --split -b packets:8 \
	-w "$tmp/ring.pcapng.gz"
sweep 'verify' "$podhop" verify samples/loss.pcapng
sweep 'list' "$podhop" list
# Few allocations, and each is between a fact and what is said of it: all of them, always.
step=1
pod_files "$tmp/pods"
sweep 'list, pods of three runtimes' "$podhop" list --json --host-root "$tmp/pods"
sweep 'doctor' "$podhop" doctor
node_files "$tmp/root"
sweep 'doctor, a node with all its files' "$podhop" doctor --host-root "$tmp/root"
echo "# $runs runs"
done_testing
