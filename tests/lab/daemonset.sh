#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# daemonset.sh - the DaemonSet's container under a real containerd and runc (TAP, needs root).
#
# The manifest's pod is made over CRI as a kubelet makes it: its image is what the Containerfile
# puts together, its seccomp profile containerd's own. That shows which rights podhop needs: with
# the two capabilities all works, and with one less something does not.
#
# Time limit: 240 s
# shellcheck disable=SC1091,SC2034,SC2154  # much is set by the sourced file and by namerefs
set -u
. "$(dirname "$0")/runtime-node.sh"

[[ -n $(type -P kubectl) ]] || skip_all "kubectl is missing"
containerd_up
"$ROOT/samples/kubernetes/make-image-root" "$PODHOP" "$dir/podhop-image" || bail "make-image-root"
import_image localhost/podhop:latest "$dir/podhop-image" /usr/bin/podhop

# The node's CNI configuration is kept beside the test: /etc is the machine's own. So is k3s's.
k3s=/var/lib/rancher/k3s/agent/etc
mkdir -p "$dir$k3s/flannel" "$dir$k3s/cni/net.d"
echo '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","VNI":7}}' >"$dir$k3s/flannel/net-conf.json"
echo '{"name":"cbr0","cniVersion":"1.0.0","plugins":[{"type":"flannel","delegate":{"hairpinMode":true}}]}' \
	>"$dir$k3s/cni/net.d/10-flannel.conflist"
export CRI_HOST_PATHS="{\"/etc/cni/net.d\": \"$dir/etc/cni/net.d\", \"$k3s/cni/net.d\": \"$dir$k3s/cni/net.d\",
	\"$k3s/flannel\": \"$dir$k3s/flannel\"}"
spec_of() { # KUSTOMIZATION
	kubectl kustomize "$ROOT/samples/kubernetes/$1" |
		env -u KUBECONFIG kubectl annotate --local -o json x=y -f - |
		jq -c 'select(.kind == "DaemonSet").spec.template.spec'
}
spec=$(spec_of daemonset) || bail "the manifest cannot be read"
declare -A web late agent no_admin no_raw on_k3s
run_pod web shop web false
run_pod agent podhop podhop-x1 true "$spec"

# in_agent ARGS...: podhop in the container; sets out, errors and status
in_agent() { in_container "${agent[container]}" "$@"; }
in_container() {
	local container=$1
	shift
	out=$(cri exec "$container" podhop "$@" --host-root /host 2>"$dir/stderr") && status=0 || status=$?
	errors=$(tr '\n' ' ' <"$dir/stderr")
}
process_status() { awk -v k="$1:" '$1 == k { print $2 }' "/proc/$2/status"; }
# The pid that CRI tells is of the node's pid namespace.
outer_pid() {
	local p
	for p in /proc/[0-9]*; do
		[[ $(awk '/^NSpid:/ && NF == 3 { print $3 }' "$p/status" 2>/dev/null) == "$1" &&
			$(cat "$p/comm" 2>/dev/null) == sleep ]] && echo "${p#/proc/}"
	done | head -n 1
}

pid=$(outer_pid "${agent[pid]}")
is "it runs with exactly the two capabilities" \
	"$(process_status CapBnd "$pid") $(process_status CapEff "$pid")" "0000000000003000 0000000000003000"
is "seccomp filters it, and it can gain nothing" \
	"$(process_status Seccomp "$pid") $(process_status NoNewPrivs "$pid")" "2 1"

in_agent list --json
is "list: the node's pods" "$status $(jq -rc '[.node, (.pods[] | select(.namespace == "shop").name)]' <<<"$out")" \
	'0 ["node1","web"]'
run_pod late shop late false
in_agent list --json
is "list: a pod that came later" "$(jq -rc '[.pods[] | select(.namespace == "shop").name]' <<<"$out")" '["late","web"]'
in_agent resolve shop/web --json
inside=$out
podhop resolve shop/web --json
facts='[.veth, .pod.ips, [.pod.interfaces[] | {name, mac, ifindex}], .host.vteps]'
is "resolve: what it finds on the node itself" "$(jq -Sc "$facts" <<<"$inside")" "$(jq -Sc "$facts" <<<"$out")"
in_agent resolve shop/late --json
is "resolve: the later pod's inside too" "$status $(jq -r '.pod.interfaces[0].name' <<<"$out")" "0 eth0"

in_agent doctor --json
checks='[.checks[] | select(.status != "skip") | [.id, .object, .status]] | sort'
inside_status=$status inside=$out
podhop doctor --json
is "doctor: the exit status that it has on the node itself" "$inside_status" "$status"
is "doctor: check for check what it says on the node itself" \
	"$(diff <(jq -c "$checks | .[]" <<<"$inside") <(jq -c "$checks | .[]" <<<"$out"))" ""

on_node nsenter -t "${web[pid]}" -n ping -q -c 40 -i 0.1 -W 1 10.244.2.2 >/dev/null &
in_agent capture shop/web -a duration:2 --json
is "capture: exit status" "$status" 0
[[ $status == 0 ]] || printf '# %s\n' "$errors"
is "capture: pings at four hops, both ways" \
	"$(jq -c '[.paths[] | select(.packets > 5) | .path] | sort' <<<"$out")" \
	'["underlay>vtep>bridge>veth","veth>bridge>vtep>underlay"]'
is "capture: the sandbox was entered" "$(jq -c '.packets.total > 10' <<<"$out")" true
in_agent capture shop/web -a duration:1 -w /tmp/x.pcapng
if [[ $status == 1 && $errors == *[Rr]ead-only* ]]; then
	ok "nothing can be written there"
else
	not_ok "nothing can be written there" "exit $status: $errors"
fi

# ---- k3s: the configuration that says 7 is seen where k3s keeps it

run_pod on_k3s podhop on-k3s true "$(spec_of k3s)"
in_container "${on_k3s[container]}" doctor --json
is "k3s: doctor compares the VTEP with flannel's configuration" \
	"$status $(jq -rc '.checks[] | select(.id == "vtep.vni") | .status, .expected' <<<"$out" | tr '\n' ' ')" \
	"3 fail VNI 7, as flannel's configuration says "
is "k3s: ... and reads the CNI configuration" \
	"$(jq -rc '.checks[] | select(.id == "flannel.cni") | .status, .object' <<<"$out" | tr '\n' ' ')" \
	"ok $k3s/cni/net.d/10-flannel.conflist "

# ---- without root, as the Debian package offers it to a group: by the processes' cgroups

as_member=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps "+net_raw,+net_admin" --ambient-caps "+net_raw,+net_admin")
is "a user with the two capabilities finds the pods" "$(on_node "${as_member[@]}" "$PODHOP" list --json |
	jq -rc '[.pods[] | select(.namespace == "shop") | .name, .problem]')" '["late",null,"web",null]'

# ---- one capability less

run_pod no_admin podhop no-admin true "$(jq -c '.containers[0].securityContext.capabilities.add = ["NET_RAW"]' <<<"$spec")"
run_pod no_raw podhop no-raw true "$(jq -c '.containers[0].securityContext.capabilities.add = ["NET_ADMIN"]' <<<"$spec")"
in_container "${no_admin[container]}" doctor --json
is "without NET_ADMIN pods cannot be looked into: skipped, not failed" \
	"$status $(jq -c '[.checks[] | select(.status == "skip" and .id == "pod.interface").object] | sort' <<<"$out")" \
	'0 ["shop/late","shop/web"]'
in_container "${no_raw[container]}" capture shop/web -a duration:1
if [[ $status == 1 && $errors == *CAP_NET_RAW* ]]; then
	ok "without NET_RAW nothing is captured, and it says so"
else
	not_ok "without NET_RAW nothing is captured, and it says so" "exit $status: $errors"
fi
done_testing
