#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# dockerd.sh - podhop resolves pods as dockershim and cri-dockerd make them, by a real
# dockerd (TAP, needs root).
#
# Such a pod is a pause container without a network, whose namespace the CNI plugin gives
# eth0 afterwards, and application containers that join it. cri-dockerd uses libcni, which
# leaves a result cache in /var/lib/cni/cache; one pod here has it, the other has none, so
# that only docker's own state leads from its name to its process.
#
# shellcheck disable=SC1091,SC2034,SC2154  # much is set by the sourced file and by namerefs
set -u
. "$(dirname "$0")/runtime-node.sh"

need_tool jq jq
find_runtime "docker.io containerd runc tini libseccomp2 libdevmapper1.02.1" \
	dockerd docker containerd runc
node_up

on_node dockerd --data-root /var/lib/docker --exec-root /run/docker -H unix:///run/docker.sock \
	-p /run/docker.pid --iptables=false --ip6tables=false --bridge=none \
	--storage-driver=vfs --exec-opt native.cgroupdriver=cgroupfs \
	>"$dir/dockerd.log" 2>&1 </dev/null &
docker() { on_node env HOME=/run timeout 60 docker "$@"; }
until_ok 60 docker version || bail "dockerd did not start: $(tail -n 20 "$dir/dockerd.log")"

make_rootfs
tar --owner=0 --group=0 -C "$dir/rootfs" -cf "$dir/rootfs.tar" pause
docker import "$dir/rootfs.tar" "$PAUSE_IMAGE" >&2 || bail "docker cannot import the image"

# container NAME ARGS...: starts one, prints its id
container() {
	local name=$1
	shift
	docker run -d --name "$name" "$@" "$PAUSE_IMAGE" /pause
}

# run_pod VARIABLE NAMESPACE NAME CACHE HOST: sets what is known of the pod
run_pod() {
	local -n pod=$1
	local conf result labels=() network=none dead="docker cannot start $2/$3"
	pod=([namespace]=$2 [name]=$3 [uid]=$(new_uid))
	[[ $5 == 0 ]] || network=host
	mkdir -p "$dir/log/pods/$2_$3_${pod[uid]}/$3"
	labels=(--label "io.kubernetes.pod.name=$3" --label "io.kubernetes.pod.namespace=$2"
		--label "io.kubernetes.pod.uid=${pod[uid]}"
		--cgroup-parent "/$CGROUP/kubepods/besteffort/pod${pod[uid]}")
	pod[sandbox]=$(container "k8s_POD_$3_$2_${pod[uid]}_0" --network $network \
		--label io.kubernetes.docker.type=podsandbox \
		--label io.kubernetes.container.name=POD "${labels[@]}") || bail "$dead"
	pod[pausePid]=$(docker inspect -f '{{.State.Pid}}' "${pod[sandbox]}")
	network=container:${pod[sandbox]}
	[[ $5 == 0 ]] || network=host
	pod[container]=$(container "k8s_$3_$3_$2_${pod[uid]}_0" --network "$network" \
		--label io.kubernetes.docker.type=container \
		--label "io.kubernetes.sandbox.id=${pod[sandbox]}" \
		--label "io.kubernetes.container.name=$3" "${labels[@]}") || bail "$dead"
	pod[pid]=$(docker inspect -f '{{.State.Pid}}' "${pod[container]}")
	[[ $5 == 0 ]] || return
	conf=$(bridge_conf)
	result=$(on_node env CNI_COMMAND=ADD CNI_CONTAINERID="${pod[sandbox]}" \
		CNI_NETNS="/proc/${pod[pausePid]}/ns/net" CNI_IFNAME=eth0 \
		CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=$2;K8S_POD_NAME=$3" \
		CNI_PATH="${CNI_PATH:-/usr/lib/cni}" "${CNI_PATH:-/usr/lib/cni}/bridge" \
		<<<"$conf") || bail "CNI ADD for $2/$3: $result"
	pod[ip]=$(jq -r '.ips[0].address | split("/")[0]' <<<"$result")
	[[ $4 == 0 ]] || {
		mkdir -p "$dir/lib/cni/cache/results"
		# As cri-dockerd's libcni writes it: no pod uid, the netns by the pause process.
		jq -n --arg id "${pod[sandbox]}" --arg ns "$2" --arg name "$3" --arg conf "$conf" \
			--arg netns "/proc/${pod[pausePid]}/ns/net" --argjson result "$result" \
			'{kind: "cniCacheV1", containerId: $id, config: ($conf | @base64),
			  ifName: "eth0", networkName: "cbr0", netns: $netns,
			  cniArgs: [["IgnoreUnknown", "1"], ["K8S_POD_NAMESPACE", $ns],
				["K8S_POD_NAME", $name], ["K8S_POD_INFRA_CONTAINER_ID", $id]],
			  result: $result}' \
			>"$dir/lib/cni/cache/results/cbr0-${pod[sandbox]}-eth0"
	}
}

declare -A web cart other proxy
run_pod web shop web 1 0
run_pod cart shop cart 0 0
run_pod other test web 0 0
run_pod proxy kube-system kube-proxy-node1 0 1
ok "dockerd made four pods"

veth=$(expected_veth "${web[pausePid]}")
cart_veth=$(expected_veth "${cart[pausePid]}")
like "the pod's veth is known from inside the pod" "$veth" '^veth'
if on_node nsenter -t "${cart[pid]}" -n ping -q -c 1 -W 5 10.244.2.2 >/dev/null; then
	ok "the pod reaches a pod of the other node"
else
	not_ok "the pod reaches a pod of the other node"
fi

# with libcni's cache
for form in shop/web "${web[ip]}" "container:${web[sandbox]}" "container:${web[container]}" \
	"${web[container]:0:12}" "pid:${web[pid]}" "veth:$veth"; do
	resolves "$form" "$veth"
done
# with docker's own state only
for form in shop/cart cart "${cart[ip]}" "container:${cart[sandbox]}" \
	"container:${cart[container]}" "${cart[container]:0:12}" "pid:${cart[pid]}" \
	"netns:/proc/${cart[pausePid]}/ns/net" "veth:$cart_veth"; do
	resolves "$form" "$cart_veth"
done

podhop resolve shop/cart --json
field "namespace and name" '.pod.namespace + "/" + .pod.name' shop/cart
field "uid" .pod.uid "${cart[uid]}"
field "addresses" .pod.ips "[\"${cart[ip]}\"]"
field "runtime" .pod.runtime docker
field "the application's container has its name and pid" \
	".pod.containers[] | select(.id == \"${cart[container]}\") | [.name, .pid]" \
	"[\"cart\",${cart[pid]}]"
field "the pod's interface and its veth point at each other" \
	'.pod.interfaces[] | select(.name == "eth0") |
	 [.iflink == .host_veth.ifindex, .ifindex == .host_veth.iflink, .host_veth.bridge]' \
	'[true,true,"cni0"]'

refuses web '(shop/web.*test/web|test/web.*shop/web)'
refuses kube-proxy-node1 '[Hh]ost ?[Nn]etwork'

podhop list --json
is "list succeeds" "$status" 0
field "list knows the pods, hostNetwork included" \
	'[.pods[] | select(.namespace) | "\(.namespace)/\(.name) \(.host_network)"] | sort' \
	'["kube-system/kube-proxy-node1 true","shop/cart false","shop/web false","test/web false"]'

docker rm -f "${cart[container]}" "${cart[sandbox]}" >/dev/null || bail "cannot remove shop/cart"
refuses shop/cart 'gone'
refuses "container:${cart[container]}" "${cart[container]}"
done_testing
