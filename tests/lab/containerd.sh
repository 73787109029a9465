#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# containerd.sh - podhop resolves the pods of a real containerd (TAP, needs root).
#
# containerd runs on a lab node with its CRI plugin and the CNI bridge plugin as flannel
# delegates to it; pods are made over CRI, as a kubelet makes them.
#
# shellcheck disable=SC1091,SC2034,SC2154  # much is set by the sourced file and by namerefs
set -u
. "$(dirname "$0")/runtime-node.sh"

containerd_up

declare -A web cart other proxy
run_pod web shop web false
run_pod cart shop cart false
run_pod other test web false
run_pod proxy kube-system kube-proxy-node1 true
ok "containerd made four pods"

veth=$(expected_veth "${web[pid]}")
like "the pod's veth is known from inside the pod" "$veth" '^veth'
if on_node nsenter -t "${web[pid]}" -n ping -q -c 1 -W 5 10.244.2.2 >/dev/null; then
	ok "the pod reaches a pod of the other node"
else
	not_ok "the pod reaches a pod of the other node"
fi

for form in shop/web "${web[ip]}" "container:${web[sandbox]}" "container:${web[container]}" \
	"container:${web[container]:0:8}" "${web[container]:0:12}" "${web[sandbox]}" \
	"pid:${web[pid]}" "pid:${web[pausePid]}" "netns:${web[netns]}" "veth:$veth"; do
	resolves "$form" "$veth"
done
resolves cart "$(expected_veth "${cart[pid]}")"
resolves test/web "$(expected_veth "${other[pid]}")"

podhop resolve shop/web --json
field "namespace and name" '.pod.namespace + "/" + .pod.name' shop/web
field "uid" .pod.uid "${web[uid]}"
field "addresses" .pod.ips "[\"${web[ip]}\"]"
field "runtime" .pod.runtime containerd
field "the application's container has its name and pid" \
	".pod.containers[] | select(.id == \"${web[container]}\") | [.name, .pid]" \
	"[\"web\",${web[pid]}]"
field "the pod's interface and its veth point at each other" \
	'.pod.interfaces[] | select(.name == "eth0") |
	 [.iflink == .host_veth.ifindex, .ifindex == .host_veth.iflink, .host_veth.bridge]' \
	'[true,true,"cni0"]'
field "bridge, VTEP and underlay" \
	'[.host.bridge.name, (.host.vteps[] | .name, .vni, .port), .host.underlays[].name]' \
	'["cni0","flannel.1",1,8472,"eth0"]'
field "each step has its evidence" '.evidence | length > 3' true

refuses web '(shop/web.*test/web|test/web.*shop/web)'
refuses kube-proxy-node1 '[Hh]ost ?[Nn]etwork'
refuses "pid:${proxy[pid]}" '[Hh]ost ?[Nn]etwork'
refuses 10.244.2.2 '(another|other) node'
refuses shop/nothing 'shop/nothing'

podhop list --json
is "list succeeds" "$status" 0
field "list knows the pods, hostNetwork included" \
	'[.pods[] | select(.namespace) | "\(.namespace)/\(.name) \(.host_network)"] | sort' \
	'["kube-system/kube-proxy-node1 true","shop/cart false","shop/web false","test/web false"]'

cri remove "${cart[sandbox]}" >/dev/null || bail "cannot remove shop/cart"
refuses shop/cart 'gone'
refuses "container:${cart[container]}" "${cart[container]}"
done_testing
