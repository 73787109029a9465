# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# runtime-node.sh - a lab node for real container runtimes, and TAP (sourced).
#
# node_up makes a lab and, on its node1, a mount and a pid namespace whose /run, /var/lib
# and /var/log are empty directories of ours: a runtime started there with its default
# paths finds a fresh machine, and podhop run there needs no --host-root, as on a real
# node. Nothing is installed into this machine and no file of it is written. Everything
# ends with one process, the first of the pid namespace: the kernel ends the others with
# it, and their mounts go with the last of them.
#
# The runtimes are those installed, else Debian's packages unpacked (not installed: that
# would start daemons on systemd machines, and conflicts with docker-ce) under build/.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$ROOT/build}
PODHOP=${PODHOP:-$BUILD/podhop}
LAB=rt$$
NODE=node1
CGROUP=podhop-$LAB
export PAUSE_IMAGE=podhop.test/pause:1
export PODHOP_LAB=$LAB PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
lab=$ROOT/samples/lab/lab

dir='' outer='' init=''
# shellcheck source=tests/lib/tap.sh
. "$ROOT/tests/lib/tap.sh"

# ---- the node ----

cleanup() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	if [[ -n $outer ]]; then
		[[ -z $init ]] || kill -KILL "$init" 2>/dev/null
		kill -KILL "$outer" 2>/dev/null
		wait "$outer" 2>/dev/null
	fi
	"$lab" down -q
	# A cgroup can be removed as soon as the last process is reaped, which may take a moment.
	local tries=50
	while ((tries--)) && find /sys/fs/cgroup -depth -type d -path "*/$CGROUP*" \
		! -exec rmdir {} \; -print 2>/dev/null | grep -q .; do
		sleep 0.1
	done
	[[ -z $dir ]] || rm -rf --one-file-system -- "$dir"
	exit "$status"
}

node_up() {
	[[ $EUID == 0 ]] || skip_all "needs root: it creates namespaces"
	[[ -x $PODHOP ]] || bail "$PODHOP is missing: make"
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	dir=$(mktemp -d /tmp/podhop-rt.XXXXXX)
	mkdir -p "$dir"/{run/netns,lib,log/pods,etc/cni/net.d}
	mkfifo "$dir/ready"
	"$lab" up -q || bail "the lab did not come up"
	# Its own pods would share addresses with the runtime's.
	for pod in web client; do
		"$lab" -q del "node1/$pod" || bail "lab del"
	done
	cp -r "/run/podhop-lab/$LAB/node1/run/flannel" "$dir/run/"
	# shellcheck disable=SC2016  # for the inner shell; its "wait" also reaps orphans
	nsenter --net="/run/netns/ph-$LAB-$NODE" \
		unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
		bash -c 'set -e
			# Hidden below the next mount it would still be in mountinfo, where containerd looks.
			umount --lazy --recursive /run/netns 2>/dev/null || :
			mount --bind "$1/run" /run
			mount --make-shared /run # as systemd has it
			mount --bind "$1/lib" /var/lib
			mount --bind "$1/log" /var/log
			sleep infinity &
			echo ready >"$1/ready"
			wait' node "$dir" </dev/null >"$dir/node.log" 2>&1 &
	outer=$!
	read -rt 20 <"$dir/ready" || bail "the node did not start: $(cat "$dir/node.log")"
	init=$(ps -o pid= --ppid "$outer" | tr -d ' ')
	[[ -n $init ]] || bail "the node has no first process"
}

on_node() { nsenter -t "$init" -n -m -p -- "$@"; }

# until_ok SECONDS CMD...: waits for something that has no event to wait for.
until_ok() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

# with_lists CMD...: a fresh machine has no package lists yet
with_lists() {
	timeout 600 "$@" >&2 || { timeout 300 apt-get update -qq >&2 && timeout 600 "$@" >&2; }
}

# find_runtime PACKAGES COMMAND...: puts the commands into PATH, from Debian's packages
# when they are not installed.
find_runtime() {
	local packages=$1 command missing='' into=$BUILD/runtimes
	shift
	export PATH=$PATH:$into/usr/bin:$into/usr/sbin
	for command in "$@"; do
		[[ -n $(type -P "$command") ]] || missing=$command
	done
	if [[ -n $missing ]]; then
		[[ -n $(type -P apt-get) ]] ||
			skip_all "$missing is missing and there is no apt-get"
		mkdir -p "$into/deb" "$into/deb/partial"
		# shellcheck disable=SC2086  # a list of packages
		(cd "$into/deb" && with_lists apt-get download -q $packages) ||
			skip_all "$missing is missing and apt-get cannot download $packages"
		for command in "$into"/deb/*.deb; do
			dpkg-deb -x "$command" "$into" || skip_all "cannot unpack $command"
		done
		for command in "$into"/usr/lib/*-linux-gnu* "$into"/lib/*-linux-gnu*; do
			[[ ! -d $command ]] || LD_LIBRARY_PATH=$command:${LD_LIBRARY_PATH:-}
		done
		export LD_LIBRARY_PATH=${LD_LIBRARY_PATH%:}
	fi
	for command in "$@"; do
		[[ -n $(type -P "$command") ]] || skip_all "$command is missing"
	done
}

# need_tool COMMAND PACKAGE
need_tool() {
	[[ -n $(type -P "$1") ]] && return
	[[ -z $(type -P apt-get) ]] ||
		with_lists apt-get install -qq -y --no-install-recommends "$2"
	[[ -n $(type -P "$1") ]] || skip_all "$1 is missing: apt-get install $2"
}

# A file system with one static program that waits: image of pause and of every container.
make_rootfs() {
	mkdir -p "$dir/rootfs"
	"${CC:-cc}" -static -Os -o "$dir/rootfs/pause" "$ROOT/tests/lab/pause.c" ||
		bail "cannot build pause"
}

# bridge_conf: what flannel's CNI plugin renders for its delegate on this node
bridge_conf() {
	jq -n '{cniVersion: "0.3.1", hairpinMode: true, ipMasq: false,
		ipam: {type: "host-local", ranges: [[{subnet: "10.244.1.0/24"}]],
		       routes: [{dst: "10.244.0.0/16"}]},
		isDefaultGateway: true, isGateway: true, mtu: 1450, name: "cbr0",
		type: "bridge"}'
}

# ---- containerd, and pods made over CRI as a kubelet makes them

# containerd_up: node_up, containerd with its CRI plugin, and the pause image in it
containerd_up() {
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
	make_rootfs
	import_image "$PAUSE_IMAGE" "$dir/rootfs" /pause
}

# import_image NAME DIRECTORY ENTRYPOINT: an image of one layer. It is an archive of blobs named by their
# SHA-256: layer, configuration and manifest, with an index that names the manifest.
import_image() {
	local name=$1 tree=$2 entrypoint=$3 arch layer config manifest
	case $(uname -m) in
	x86_64) arch=amd64 ;;
	aarch64) arch=arm64 ;;
	*) arch=$(uname -m) ;;
	esac
	rm -rf "$dir/image"
	mkdir -p "$dir/image/blobs/sha256"
	tar --owner=0 --group=0 -C "$tree" -cf "$dir/layer" .
	layer=$(blob "$dir/layer")
	jq -n --arg arch "$arch" --arg layer "$layer" --arg entrypoint "$entrypoint" \
		'{architecture: $arch, os: "linux",
		config: {Entrypoint: [$entrypoint], Env: ["PATH=/usr/bin", "LANG=C.UTF-8"]},
		rootfs: {type: "layers", diff_ids: [$layer]}}' >"$dir/c"
	config=$(blob "$dir/c")
	jq -n --arg config "$config" --argjson csize "$(blob_size "$config")" --arg layer "$layer" \
		--argjson lsize "$(blob_size "$layer")" '{schemaVersion: 2,
		mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config,
			 size: $csize},
		layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: $layer,
			  size: $lsize}]}' >"$dir/m"
	manifest=$(blob "$dir/m")
	jq -n --arg digest "$manifest" --argjson size "$(blob_size "$manifest")" --arg name "$name" \
		'{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json",
		  digest: $digest, size: $size, annotations: {"io.containerd.image.name": $name,
		  "org.opencontainers.image.ref.name": $name}}]}' >"$dir/image/index.json"
	echo '{"imageLayoutVersion": "1.0.0"}' >"$dir/image/oci-layout"
	tar -C "$dir/image" -cf "$dir/image.tar" oci-layout index.json blobs
	on_node ctr -n k8s.io images import --snapshotter native "$dir/image.tar" >&2 ||
		bail "ctr cannot import $name"
}

blob() { # FILE: moves it to its place, prints its digest
	local sum
	sum=$(sha256sum "$1")
	sum=${sum%% *}
	mv "$1" "$dir/image/blobs/sha256/$sum"
	printf 'sha256:%s' "$sum"
}
blob_size() { stat -c %s "$dir/image/blobs/sha256/${1#sha256:}"; }

cri() { CRI_MODULES=$modules timeout 90 node "$ROOT/tests/lab/cri/cri.js" \
	"$dir/run/containerd/containerd.sock" "$@"; }

# run_pod VARIABLE NAMESPACE NAME HOST [SPEC]: an associative array of what CRI says of the pod.
# SPEC: a Pod's spec, to be followed as a kubelet does; without it the container is a pause.
run_pod() {
	local -n pod=$1
	local reply spec=${5:-null}
	pod=([namespace]=$2 [name]=$3 [uid]=$(new_uid))
	mkdir -p "$dir/log/pods/$2_$3_${pod[uid]}/$3"
	reply=$(cri run "$(jq -n --arg ns "$2" --arg name "$3" --arg uid "${pod[uid]}" \
		--arg cgroup "/$CGROUP/kubepods/besteffort/pod${pod[uid]}" \
		--arg image "$PAUSE_IMAGE" --argjson host "$4" --argjson spec "$spec" --arg node $NODE \
		'{namespace: $ns, name: $name, $uid, $cgroup, $image, $host, $spec, $node}')") ||
		bail "cannot make pod $2/$3: $(tail -n 5 "$dir/containerd.log")"
	eval "$(jq -r 'to_entries[] | "pod[\(.key)]=\(.value | @sh)"' <<<"$reply")"
}

new_uid() { cat /proc/sys/kernel/random/uuid; }

# expected_veth PID: by a way of its own, from inside the pod
expected_veth() {
	local index
	index=$(on_node nsenter -t "$1" -n ip -j link show eth0 | jq '.[0].link_index')
	on_node ip -j link | jq -r --argjson i "$index" '.[] | select(.ifindex == $i).ifname'
}

# ---- podhop ----

# podhop ARGS...: sets out, errors and status
podhop() {
	out=$(on_node env NODE_NAME=$NODE timeout 20 "$PODHOP" "$@" 2>"$dir/stderr") && status=0 ||
		status=$?
	errors=$(cat "$dir/stderr")
}

# resolves FORM VETH: the form leads to the veth
resolves() {
	podhop resolve "$1" --json
	if [[ $status == 0 && $(jq -r .veth <<<"$out") == "$2" ]]; then
		ok "resolve $1"
	else
		not_ok "resolve $1" "exit $status, wanted $2"$'\n'"$errors"$'\n'"$out"
	fi
}

# refuses FORM PATTERN: exit 2 and a sentence
refuses() {
	podhop resolve "$1" --json
	if [[ $status == 2 && $errors =~ $2 ]]; then
		ok "resolve $1 is refused: ${errors%%$'\n'*}"
	else
		not_ok "resolve $1 is refused" "exit $status, wanted 2 and: $2"$'\n'"$errors"
	fi
}

# field NAME JQ WANTED: of the last output
field() { is "$1" "$(jq -rc "$2" <<<"$out" 2>&1)" "$3"; }
