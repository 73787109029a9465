#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# many.sh - a node with 500 pods, and a capture of as many hops as one run can have (TAP, root).
# Time limit: 300 s
#
# The pods are made by hand beside those of the lab, as CNI's bridge plugin would: a namespace with
# a process, a veth on cni0, an address of the node's range, and what a runtime and libcni write.
# How long the commands take and what memory they use is told, not judged.
# shellcheck disable=SC1091,SC2034,SC2154  # what the sourced file reads and sets
set -u
LAB_PREFIX=my
. "$(dirname "$0")/../lib/lab.sh"
lab_test
need jq ip python3 capinfos
PODS=500
lab_up

make_pods() {
	local n
	# 16 more bits of addresses than the node's own 24 leave room for.
	on node1 ip addr add 10.245.0.1/16 dev cni0
	python3 - "$NODE1_ROOT" "$PODS" "$PODHOP_LAB" >"$dir/batch" <<'PYTHON'
import json, os, subprocess, sys
root, count, lab = sys.argv[1], int(sys.argv[2]), sys.argv[3]
tasks = root + "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
results = root + "/var/lib/cni/results"
os.makedirs(results, exist_ok=True)
for n in range(count):
    name, uid = f"many{n}", f"00000000-0000-4000-8000-{n:012x}"
    sandbox, netns = f"{n:064x}", f"ph-{lab}-node1-many-many{n}"
    ip = f"10.245.{1 + n // 250}.{2 + n % 250}"
    subprocess.run(["ip", "netns", "add", netns], check=True)
    process = subprocess.Popen(["ip", "netns", "exec", netns, "sleep", "infinity"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    os.makedirs(f"{tasks}/{sandbox}")
    with open(f"{tasks}/{sandbox}/config.json", "w") as f:
        json.dump({"ociVersion": "1.0.2", "hostname": name, "annotations": {
            "io.kubernetes.cri.container-type": "sandbox",
            "io.kubernetes.cri.sandbox-id": sandbox,
            "io.kubernetes.cri.sandbox-name": name,
            "io.kubernetes.cri.sandbox-namespace": "many",
            "io.kubernetes.cri.sandbox-uid": uid},
            "linux": {"namespaces": [{"type": "network", "path": f"/var/run/netns/{netns}"}]}}, f)
    with open(f"{tasks}/{sandbox}/init.pid", "w") as f:
        f.write(str(process.pid))
    with open(f"{results}/cbr0-{sandbox}-eth0", "w") as f:
        json.dump({"kind": "cniCacheV1", "containerId": sandbox, "ifName": "eth0", "networkName": "cbr0",
                   "netns": f"/var/run/netns/{netns}",
                   "cniArgs": [["K8S_POD_NAMESPACE", "many"], ["K8S_POD_NAME", name],
                               ["K8S_POD_UID", uid]],
                   "result": {"cniVersion": "0.3.1",
                              "interfaces": [{"name": "cni0"}, {"name": f"vm{n}"},
                                             {"name": "eth0", "sandbox": f"/var/run/netns/{netns}"}],
                              "ips": [{"version": "4", "interface": 2, "address": f"{ip}/16"}]}}, f)
    try:
        os.symlink(f"/run/netns/{netns}", f"{root}/run/netns/{netns}")
    except FileExistsError:
        pass
    print(f"link add vm{n} mtu 1450 master cni0 type veth peer name eth0 mtu 1450 netns {netns}")
    print(f"link set vm{n} up")
PYTHON
	ip -n "ph-$PODHOP_LAB-node1" -batch "$dir/batch" || bail "veths"
	for ((n = 0; n < PODS; n++)); do
		ip -n "ph-$PODHOP_LAB-node1-many-many$n" -batch - <<-END || bail "address of pod $n"
			addr add 10.245.$((1 + n / 250)).$((2 + n % 250))/16 dev eth0
			link set eth0 up
			route add default via 10.245.0.1
		END
	done
}
make_pods

# measured NAME COMMAND...: its stdout in $dir/out; seconds and memory as a comment
measured() {
	local name=$1
	shift
	on node1 python3 -c 'import resource, subprocess, sys, time
begin = time.monotonic()
status = subprocess.call(sys.argv[1:])
print(f"# {time.monotonic() - begin:.2f} s, at most {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss} KiB",
      file=sys.stderr)
sys.exit(status)' "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	echo "# $name: $(sed -n 's/^# //p' "$dir/err" | tail -n 1)"
}

# ---- list, resolve, doctor ----

measured list "$PODHOP" list --host-root "$NODE1_ROOT" --json
is "$PODS pods are listed" "$status $(jq '[.pods[] | select(.namespace == "many")] | length' "$dir/out")" "0 $PODS"
is "... each with its veth, bridge, address and without a problem" \
	"$(jq '[.pods[] | select(.namespace == "many") | (.name | ltrimstr("many") | tonumber) as $n |
		select(.veth == "vm\($n)" and .bridge == "cni0" and (.problem // "") == "" and
			.ips == ["10.245.\(1 + ($n / 250 | floor)).\(2 + $n % 250)"])] | length' "$dir/out")" "$PODS"
measured resolve "$PODHOP" resolve many/many499 --host-root "$NODE1_ROOT" --json
is "one of them is resolved" "$status $(jq -r .veth "$dir/out")" '0 vm499'
measured doctor "$PODHOP" doctor --host-root "$NODE1_ROOT" --json
is "doctor looks at each" "$(jq '[.checks[] | select(.id == "pod.veth" and (.object | startswith("many/")))] | length' \
	"$dir/out")" "$PODS"

# ---- a capture of one ----

capture node1 many/many123 --json
ip netns exec "ph-$PODHOP_LAB-node1-many-many123" ping -c 5 -i 0.05 10.245.0.1 >/dev/null
# Another pod's are not its.
ip netns exec "ph-$PODHOP_LAB-node1-many-many124" ping -c 5 -i 0.05 10.245.0.1 >/dev/null
capture_end node1
is "of one pod: its packets, and no others" \
	"$status $(jq -c '[.flows[] | select(.protocol == "icmp") | .packets] | add' "$dir/node1.out")" '0 10'

# ---- as many hops as there can be ----

hops=()
for ((n = 0; n < 61; n++)); do hops+=(--and "many/many$n"); done
# 61 more and the bridge: with VTEP and underlay one hop too many, and said.
on node1 "$PODHOP" capture many/many499 "${hops[@]}" --host-root "$NODE1_ROOT" -a duration:1 \
	>"$dir/out" 2>"$dir/err" </dev/null
is "65 hops are refused" "$?" 2
like "... with a sentence" "$(<"$dir/err")" 'too many pods for one run: it has at most 64 pods and 64 hops'
capture node1 many/many499 "${hops[@]:0:120}" --json -w "$dir/wide.pcapng"
for n in 0 30 59 499; do
	ip netns exec "ph-$PODHOP_LAB-node1-many-many$n" ping -c 5 -i 0.05 10.245.0.1 >/dev/null
done
capture_end node1
is "64 hops are captured" "$status $(jq '.capture.interfaces | length' "$dir/node1.out")" '0 64'
is "... and those pods' packets, each at its veth and the bridge" \
	"$(jq -c '[.flows[] | select(.protocol == "icmp") | .packets] | [length, add]' "$dir/node1.out")" '[8,40]'
is "... all whole" "$(jq -c '[.packets.incomplete, .packets.ambiguous]' "$dir/node1.out")" '[0,0]'
interfaces='[.capture.interfaces[] | .observations] | [length, add]'
again=$("$PODHOP" report "$dir/wide.pcapng" --json 2>"$dir/err")
is "report reads 64 interfaces" \
	"$? $(jq -c "$interfaces" <<<"$again")" "0 $(jq -c "$interfaces" "$dir/node1.out")"
done_testing
