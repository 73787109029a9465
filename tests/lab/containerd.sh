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

need_tool jq jq
need_tool node nodejs
need_tool npm npm
find_runtime "containerd runc libseccomp2" containerd ctr runc containerd-shim-runc-v2
modules=$BUILD/cri
if ! cmp -s "$ROOT/tests/lab/cri/package-lock.json" "$modules/package-lock.json" ||
	[[ ! -e $modules/node_modules/@grpc/grpc-js/package.json ]]; then
	mkdir -p "$modules"
	cp "$ROOT"/tests/lab/cri/package.json "$modules/"
	cp "$ROOT"/tests/lab/cri/package-lock.json "$modules/"
	(cd "$modules" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund >&2) ||
		skip_all "npm ci cannot fetch @grpc/grpc-js"
fi
node_up

cat >"$dir/config.toml" <<END
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
	"io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "$PAUSE_IMAGE"
disable_hugetlb_controller = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${CNI_PATH:-/usr/lib/cni}"
conf_dir = "$dir/etc/cni/net.d"
END
bridge_conf | jq '{name: "cbr0", cniVersion: "0.3.1", plugins: [del(.name, .cniVersion)]}' \
	>"$dir/etc/cni/net.d/10-flannel.conflist"

on_node containerd -c "$dir/config.toml" >"$dir/containerd.log" 2>&1 </dev/null &
until_ok 30 on_node ctr version ||
	bail "containerd did not start: $(tail -n 20 "$dir/containerd.log")"

# An image is an archive of blobs named by their SHA-256: a layer, a configuration and a
# manifest, with an index that names the manifest.
blob() { # FILE: moves it to its place, prints its digest
	local sum
	sum=$(sha256sum "$1")
	sum=${sum%% *}
	mv "$1" "$dir/image/blobs/sha256/$sum"
	printf 'sha256:%s' "$sum"
}
blob_size() { stat -c %s "$dir/image/blobs/sha256/${1#sha256:}"; }
case $(uname -m) in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) arch=$(uname -m) ;;
esac
make_rootfs
mkdir -p "$dir/image/blobs/sha256"
tar --owner=0 --group=0 -C "$dir/rootfs" -cf "$dir/layer" pause
layer=$(blob "$dir/layer")
jq -n --arg arch "$arch" --arg layer "$layer" '{architecture: $arch, os: "linux",
	config: {Entrypoint: ["/pause"]}, rootfs: {type: "layers", diff_ids: [$layer]}}' >"$dir/c"
config=$(blob "$dir/c")
jq -n --arg config "$config" --argjson csize "$(blob_size "$config")" --arg layer "$layer" \
	--argjson lsize "$(blob_size "$layer")" '{schemaVersion: 2,
	mediaType: "application/vnd.oci.image.manifest.v1+json",
	config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config,
		 size: $csize},
	layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: $layer,
		  size: $lsize}]}' >"$dir/m"
manifest=$(blob "$dir/m")
jq -n --arg digest "$manifest" --argjson size "$(blob_size "$manifest")" --arg name "$PAUSE_IMAGE" \
	'{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json",
	  digest: $digest, size: $size, annotations: {"io.containerd.image.name": $name,
	  "org.opencontainers.image.ref.name": $name}}]}' >"$dir/image/index.json"
echo '{"imageLayoutVersion": "1.0.0"}' >"$dir/image/oci-layout"
tar -C "$dir/image" -cf "$dir/image.tar" oci-layout index.json blobs
on_node ctr -n k8s.io images import --snapshotter native "$dir/image.tar" >&2 ||
	bail "ctr cannot import the image"

cri() { CRI_MODULES=$modules timeout 90 node "$ROOT/tests/lab/cri/cri.js" \
	"$dir/run/containerd/containerd.sock" "$@"; }

# run_pod VARIABLE NAMESPACE NAME HOST: an associative array of what CRI says of the pod
run_pod() {
	local -n pod=$1
	local reply
	pod=([namespace]=$2 [name]=$3 [uid]=$(new_uid))
	mkdir -p "$dir/log/pods/$2_$3_${pod[uid]}/$3"
	reply=$(cri run "$(jq -n --arg ns "$2" --arg name "$3" --arg uid "${pod[uid]}" \
		--arg cgroup "/$CGROUP/kubepods/besteffort/pod${pod[uid]}" \
		--arg image "$PAUSE_IMAGE" --argjson host "$4" \
		'{namespace: $ns, name: $name, $uid, $cgroup, $image, $host}')") ||
		bail "cannot make pod $2/$3: $(tail -n 5 "$dir/containerd.log")"
	eval "$(jq -r 'to_entries[] | "pod[\(.key)]=\(.value | @sh)"' <<<"$reply")"
}

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
