#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# resolve.sh - pods resolved on a node made of network namespaces, every POD form and every refusal.
#
# The pods' veths come from the real bridge and host-local plugins; the cache files
# are what containerd's libcni would write around the plugins' own results. Needs
# root, iproute2, jq and containernetworking-plugins; touches no interface of the machine.
set -u
cd "$(dirname "$0")/../.." || exit 1
PODHOP=${PODHOP:-$PWD/build/podhop}
CNI=${CNI_BIN:-/usr/lib/cni}
PFX=ph-res-$$
NODE=$PFX-n1
FAR=$PFX-n2

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

[ "$(id -u)" = 0 ] || skip_all "needs root"
for tool in ip jq bridge base64 sha256sum; do
	command -v "$tool" >/dev/null 2>&1 || skip_all "needs $tool"
done
for plugin in bridge host-local; do
	[ -x "$CNI/$plugin" ] || skip_all "needs the CNI plugin $plugin in $CNI"
done
[ -x "$PODHOP" ] || skip_all "$PODHOP is not built"
ip netns add "$NODE" 2>/dev/null || skip_all "cannot make network namespaces"

dir=$(mktemp -d) || exit 1
root=$dir/root
children=()
# shellcheck disable=SC2317 # runs from the trap
cleanup()
{
	local ns
	for ns in "${children[@]}"; do
		kill "$ns" 2>/dev/null
	done
	wait 2>/dev/null
	ip netns list | awk -v p="$PFX-" 'index($1, p) == 1 { print $1 }' | while read -r ns; do
		ip netns del "$ns"
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

podhop()
{
	timeout 20 ip netns exec "$NODE" "$PODHOP" "$@" --host-root "$root"
}

# ------------------------------------------------------------------ the node

ip netns add "$FAR"
ip -n "$NODE" link add eth0 type veth peer name eth0 netns "$FAR"
i=0
for ns in "$NODE" "$FAR"; do
	i=$((i + 1))
	ip -n "$ns" link set lo up
	ip -n "$ns" addr add 192.168.77.$i/24 dev eth0
	ip -n "$ns" addr add fd77::$i/64 dev eth0 nodad
	ip -n "$ns" link set eth0 up
	ip -n "$ns" link add flannel.1 type vxlan id 1 dev eth0 local 192.168.77.$i dstport 8472 nolearning
	ip -n "$ns" link set flannel.1 address 02:00:00:00:00:0$i mtu 1450 up
	ip -n "$ns" addr add 10.244.$i.0/32 dev flannel.1
	ip -n "$ns" link add flannel-v6.1 type vxlan id 1 dev eth0 local fd77::$i dstport 8472 nolearning udp6zerocsumrx
	ip -n "$ns" link set flannel-v6.1 up
done
ip -n "$NODE" neigh replace 10.244.2.0 lladdr 02:00:00:00:00:02 dev flannel.1 nud permanent
bridge -n "$NODE" fdb replace 02:00:00:00:00:02 dev flannel.1 dst 192.168.77.2 self permanent
ip -n "$NODE" route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
ip -n "$NODE" route replace 10.244.3.0/24 via 192.168.77.3 dev eth0
ip -n "$NODE" route add default via 192.168.77.2
mkdir -p "$root/var/lib/cni/results" "$root/run/flannel" "$root/etc" "$root/var/log/pods"
echo lab-n1 >"$root/etc/hostname"
printf 'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n' \
	>"$root/run/flannel/subnet.env"

id_of()
{
	printf '%s' "$1" | sha256sum | cut -c1-64
}
# cache NAMESPACE NAME ID RESULT CONFIG: the file that libcni 1.1 writes (no "netns" key)
cache()
{
	jq -n --arg id "$3" --arg ns "$1" --arg name "$2" --arg cfg "$(printf '%s' "$5" | base64 -w0)" \
		--argjson r "$4" '{kind: "cniCacheV1", containerId: $id, config: $cfg, ifName: "eth0",
		networkName: "cbr0", cniArgs: [["K8S_POD_NAME", $name], ["IgnoreUnknown", "1"],
		["K8S_POD_NAMESPACE", $ns], ["K8S_POD_UID", "00000000-0000-0000-0000-" + $id[0:12]]],
		result: $r}' >"$root/var/lib/cni/results/cbr0-$3-eth0"
}
conf='{"cniVersion":"1.0.0","name":"cbr0","type":"bridge","bridge":"cni0","isGateway":true,
	"isDefaultGateway":true,"hairpinMode":true,"mtu":1450,"ipam":{"type":"host-local",
	"ranges":[[{"subnet":"10.244.1.0/24"}],[{"subnet":"fd00:1::/64"}]],
	"dataDir":"'$root'/var/lib/cni/networks"}}'
# pod NAMESPACE NAME: its namespace, veth, addresses and cache file
pod()
{
	local id result
	id=$(id_of "$1/$2")
	ip netns add "$PFX-$1-$2" || return 1
	result=$(printf '%s' "$conf" | CNI_COMMAND=ADD CNI_CONTAINERID=$id CNI_IFNAME=eth0 CNI_PATH=$CNI \
		CNI_NETNS=/var/run/netns/$PFX-$1-$2 timeout 20 ip netns exec "$NODE" "$CNI/bridge") || return 1
	cache "$1" "$2" "$id" "$result" "$conf"
}
for p in default/web default/db other/web default/doomed; do
	pod ${p%/*} ${p#*/} && continue
	echo "Bail out! the bridge plugin failed"
	exit 1
done
ip netns exec "$PFX-default-web" sleep 600 &
children+=($!)
web_pid=${children[0]}
# wait until it is there: the fork of ip is not yet in the namespace
for _ in $(seq 100); do
	[ "$(readlink "/proc/$web_pid/ns/net" 2>/dev/null)" = "$(readlink /proc/self/ns/net)" ] || break
	sleep 0.02
done

veth_of()
{
	podhop resolve "$1" --json 2>/dev/null | jq -r .veth
}
# truth NAMESPACE NAME: the pod's host veth as its own namespace and the node's see it
truth()
{
	local peer
	peer=$(ip -n "$PFX-$1-$2" -j link show eth0 | jq -r '.[0].link_index')
	ip -n "$NODE" -j link | jq -r --argjson i "$peer" '.[] | select(.ifindex == $i).ifname'
}

# -------------------------------------------------------- the right veth, always

is "both pods' eth0 has the same ifindex" \
	"$(ip -n "$PFX-default-web" -j link show eth0 | jq '.[0].ifindex')" \
	"$(ip -n "$PFX-default-db" -j link show eth0 | jq '.[0].ifindex')"
for p in default/web default/db other/web; do
	is "$p: the veth" "$(veth_of $p)" "$(truth ${p%/*} ${p#*/})"
done

web=$(truth default web)
web_index=$(ip -n "$NODE" -j link show "$web" | jq '.[0].ifindex')
# The whole pair equal: a pod of the other node, eth0@ifN with the same N and the same own index.
ip netns add "$PFX-twin"
ip -n "$FAR" link add vethtwin index "$web_index" type veth peer name eth0 index 2 netns "$PFX-twin"
is "twin on the other node: eth0@ifN with the same N" \
	"$(ip -n "$PFX-twin" -j link show eth0 | jq -c '.[0] | [.ifindex, .link_index]')" "[2,$web_index]"
is "twin: this node's pod keeps its veth" "$(veth_of default/web)" "$web"
is "twin: found on its own node" \
	"$(timeout 20 ip netns exec "$FAR" "$PODHOP" resolve "netns:$PFX-twin" --json | jq -r .veth)" vethtwin
# A namespace inside a pod, whose peer has the number of another pod's host veth.
db_index=$(ip -n "$NODE" -j link show "$(truth default db)" | jq '.[0].ifindex')
ip netns add "$PFX-nested"
ip -n "$PFX-default-web" link add inner index "$db_index" type veth peer name eth0 index 2 netns "$PFX-nested"
is "nested: not taken for the pod whose veth has that number" \
	"$(podhop resolve "netns:$PFX-nested" --json 2>/dev/null | jq -c '[.veth, (.problem | length > 0)]')" "[null,true]"
is "nested: the pod around it keeps its veth" "$(veth_of default/web)" "$web"
ip4=$(podhop resolve default/web --json | jq -r '.pod.ips[0]')
ip6=$(podhop resolve default/web --json | jq -r '.pod.ips[1]')
is "addresses: IPv4 first, then IPv6" "$ip4 $ip6" \
	"$(ip -n "$PFX-default-web" -j addr show eth0 | jq -r '[.[0].addr_info[] | select(.scope == "global").local] | sort | join(" ")')"
id=$(id_of default/web)
for form in "$ip4" "$ip6" "container:$id" "container:${id:0:14}" "${id:0:12}" "container:containerd://$id" \
	"pid:$web_pid" "netns:/var/run/netns/$PFX-default-web" "netns:$PFX-default-web" \
	"netns:/proc/$web_pid/ns/net" "veth:$web"; do
	is "form ${form/$id/ID}" "$(veth_of "$form")" "$web"
done
is "pid found through the namespace" "$(podhop resolve default/web --json | jq .pod.pid)" "$web_pid"
is "bare name of one pod" "$(veth_of db)" "$(truth default db)"

json=$(podhop resolve default/web --json)
is "chain" "$(jq -c '[.schema, .node, .problem, .host.bridge.name, [.host.vteps[] | [.family, .name, .vni, .port, .local]], [.host.underlays[].name]]' <<<"$json")" \
	'["podhop.resolve/1","lab-n1",null,"cni0",[[4,"flannel.1",1,8472,"192.168.77.1"],[6,"flannel-v6.1",1,8472,"fd77::1"]],["eth0"]]'
is "bridge port" "$(jq -r '.pod.interfaces[0].host_veth | "\(.port_state) \(.bridge)"' <<<"$json")" "forwarding cni0"
is "every step has its evidence" \
	"$(jq -r '[.evidence[].step] | unique | join(" ")' <<<"$json")" \
	"bridge cni netns nsid peer pod underlay veth vtep"
is "the text drawing goes from the pod to the underlay" \
	"$(podhop resolve default/web | awk '/^(pod|veth|bridge|vtep|underlay) /{ printf "%s ", $1 }')" \
	"pod veth bridge vtep vtep underlay "
podhop resolve default/web --json >"$dir/resolve.json"
podhop list --json >"$dir/list.json"
found=$(tests/cli/schema.sh "$dir/resolve.json" "$dir/list.json" | grep -v '^ok')
if [[ $found == '1..0 '* ]]; then
	skip "resolve and list: schema" "no python3-jsonschema"
else
	is "resolve and list: schema" "$found" 1..2
fi

# ----------------------------------------------------------------------- list

is "list: every pod, sorted" "$(podhop list --json | jq -r '[.pods[] | "\(.namespace)/\(.name)"] | join(" ")')" \
	"default/db default/doomed default/web other/web"
is "list: the same veths" "$(podhop list --json | jq -r '[.pods[].veth] | join(" ")')" \
	"$(truth default db) $(truth default doomed) $web $(truth other web)"
is "list: text has a line a pod" "$(podhop list | wc -l)" 5

# ------------------------------------------------------------------- refusals

# refused NAME POD STATUS TEXT
refused()
{
	local out rc
	out=$(podhop resolve "$2" 2>&1 >/dev/null)
	rc=$?
	case $rc:$out in
	"$3":*"$4"*) ok "$1" ;;
	*) not_ok "$1" "exit $rc: $out" ;;
	esac
}
refused "ambiguous: candidates are listed" web 2 "default/web"
refused "ambiguous: all of them" web 2 "other/web"
refused "unknown pod" nothing 2 "no pod nothing on this node (lab-n1)"
refused "other node: the VTEP's node is named" 10.244.2.9 2 "to node 192.168.77.2"
refused "other node: direct routing" 10.244.3.9 2 "node 192.168.77.3"
refused "the node's own address" 192.168.77.1 2 "this node's own address (eth0)"
refused "an address of the pod network that nobody has" 10.244.1.200 2 "the pod is gone"
refused "a process of another network" pid:$$ 2 "no device of this host leads"
refused "hostNetwork by namespace" "netns:$NODE" 2 "host's own network namespace"
refused "a device that is no veth" veth:cni0 2 "cni0 is no veth but a bridge"
refused "no such device" veth:nope 2 "there is no device nope"

# hostNetwork as runtimes show it: a bundle without a network namespace, a process on the node
ip netns exec "$NODE" sleep 600 &
children+=($!)
host_pid=${children[1]}
hid=$(id_of kube-system/proxy)
bundle=$root/run/containerd/io.containerd.runtime.v2.task/k8s.io/$hid
mkdir -p "$bundle"
jq -n --arg id "$hid" '{annotations: {"io.kubernetes.cri.container-type": "sandbox",
	"io.kubernetes.cri.sandbox-id": $id, "io.kubernetes.cri.sandbox-name": "proxy",
	"io.kubernetes.cri.sandbox-namespace": "kube-system"}, linux: {namespaces: [{type: "pid"}]}}' >"$bundle/config.json"
printf %s "$host_pid" >"$bundle/init.pid"
refused "hostNetwork by name" proxy 2 "uses the host's network (hostNetwork)"
is "list shows it" "$(podhop list --json | jq -c '.pods[] | select(.name == "proxy") | [.host_network, .veth, .pid]')" \
	"[true,null,$host_pid]"

# gone: the namespace and with it the veth, the cache file stays
ip netns del "$PFX-default-doomed"
for _ in $(seq 100); do
	[ "$(ip -n "$NODE" -j link | jq '[.[] | select(.master == "cni0")] | length')" = 3 ] && break
	sleep 0.02
done
refused "gone" default/doomed 2 "is gone"
is "list: gone, said so" "$(podhop list --json | jq -r '.pods[] | select(.name == "doomed").problem' | cut -c1-5)" "gone:"
pod default doomed
is "made again under its name: the new one" "$(veth_of doomed)" "$(truth default doomed)"
is "and the stale file is not listed beside it" \
	"$(podhop list --json | jq '[.pods[] | select(.name == "doomed")] | length')" 1

# a file that contradicts netlink
sed -i.bak "s/\"$(truth default db)\"/\"veth99999999\"/" "$root/var/lib/cni/results/cbr0-$(id_of default/db)-eth0"
is "a lying cache: netlink is believed" "$(veth_of default/db)" "$(truth default db)"
case $(podhop resolve default/db --json | jq -r .problem) in
*"names host device veth99999999, netlink shows"*) ok "a lying cache: the contradiction is said" ;;
*) not_ok "a lying cache: the contradiction is said" "$(podhop resolve default/db --json | jq -r .problem)" ;;
esac
mv "$root/var/lib/cni/results/cbr0-$(id_of default/db)-eth0.bak" "$root/var/lib/cni/results/cbr0-$(id_of default/db)-eth0"

# macvlan
ip netns add "$PFX-default-mac"
if ip -n "$NODE" link add mv0 link eth0 type macvlan mode bridge 2>/dev/null; then
	ip -n "$NODE" link set mv0 netns "$PFX-default-mac"
	ip -n "$PFX-default-mac" link set mv0 name eth0
	ip -n "$PFX-default-mac" link set eth0 up
	mid=$(id_of default/mac)
	cache default mac "$mid" '{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","mac":"02:00:00:00:00:09",
		"sandbox":"/var/run/netns/'"$PFX"'-default-mac"}],"ips":[{"interface":0,"address":"10.9.0.5/24"}]}' \
		'{"name":"cbr0","plugins":[{"type":"macvlan","master":"eth0"}]}'
	refused "macvlan" default/mac 2 "macvlan device"
	ip netns exec "$PFX-default-mac" sleep 600 &
	children+=($!)
	sleep 0.2
	refused "macvlan with a process: the parent is named" default/mac 2 "macvlan device on eth0"
	rm -f "$root/var/lib/cni/results/cbr0-$mid-eth0"
else
	skip "macvlan" "this kernel has none"
fi

# ----------------------------------------- a runtime whose cgroups say nothing

# two processes in the pod, a bundle for each, a CNI cache whose path cannot be opened
pod default app
aid=$(id_of default/app)
cid=$(id_of default/app/container)
sed -i "s#/var/run/netns/$PFX-default-app#/var/run/netns/$PFX-nowhere#" \
	"$root/var/lib/cni/results/cbr0-$aid-eth0"
app_pids=()
for _ in 1 2; do
	ip netns exec "$PFX-default-app" sleep 600 &
	children+=($!)
	app_pids+=($!)
done
for p in "${app_pids[@]}"; do
	for _ in $(seq 100); do
		[ "$(readlink "/proc/$p/ns/net" 2>/dev/null)" = "$(readlink /proc/self/ns/net)" ] || break
		sleep 0.02
	done
done
# bundle ID TYPE CONTAINER PID
bundle()
{
	local d=$root/run/containerd/io.containerd.runtime.v2.task/k8s.io/$1
	mkdir -p "$d"
	jq -n --arg type "$2" --arg name "$3" --arg id "$aid" '{annotations: {
		"io.kubernetes.cri.container-type": $type, "io.kubernetes.cri.container-name": $name,
		"io.kubernetes.cri.sandbox-id": $id}, linux: {namespaces: [{type: "network",
		path: "/var/run/netns/nowhere"}]}}' >"$d/config.json"
	printf %s "$4" >"$d/init.pid"
}
bundle "$aid" sandbox "" "${app_pids[0]}"
bundle "$cid" container app "${app_pids[1]}"
inode=$(stat -Lc %i "/proc/${app_pids[0]}/ns/net")
app=$(truth default app)
whole=$(podhop resolve default/app --json | jq -c .pod)
is "no cgroup: inode, pid and both containers" \
	"$(jq -c '[.netns_inode, .pid, [.containers[] | [.id, .name, .pid]]]' <<<"$whole")" \
	"[$inode,${app_pids[0]},[[\"$aid\",null,${app_pids[0]}],[\"$cid\",\"app\",${app_pids[1]}]]]"
is "no cgroup: list shows the inode" \
	"$(podhop list --json | jq -c '.pods[] | select(.name == "app") | [.netns_inode, .container_ids]')" \
	"[$inode,[\"$aid\",\"$cid\"]]"
for form in "$(jq -r '.ips[0]' <<<"$whole")" "container:$aid" "container:$cid" "pid:${app_pids[0]}" \
	"netns:/var/run/netns/$PFX-default-app" "veth:$app"; do
	is "same pod: ${form/%$aid/SANDBOX}" "$(podhop resolve "$form" --json | jq -c .pod)" "$whole"
done
is "same pod, but the process asked for: pid:" \
	"$(podhop resolve "pid:${app_pids[1]}" --json | jq -c .pod)" \
	"$(jq -c --argjson p "${app_pids[1]}" '.pid = $p' <<<"$whole")"
# no bundle either: the host veth of the cache tells whose namespace it is
rm -r "$root/run/containerd/io.containerd.runtime.v2.task/k8s.io/"{"$aid","$cid"}
for form in "pid:${app_pids[1]}" "netns:/var/run/netns/$PFX-default-app" default/app; do
	is "no bundle: $form" \
		"$(podhop resolve "$form" --json | jq -c '[.veth, .pod.namespace, .pod.name, .pod.uid, .pod.netns_inode]')" \
		"[\"$app\",\"default\",\"app\",\"00000000-0000-0000-0000-${aid:0:12}\",$inode]"
done
# a root in which /run/netns/X is a link to /run/netns/X
mkdir "$root/run/netns"
ln -s ../run "$root/var/run"
ln -s "/run/netns/$PFX-default-db" "$root/run/netns/$PFX-default-db"
is "a link to its own path: the namespace is found" \
	"$(podhop resolve default/db --json | jq .pod.netns_inode)" \
	"$(stat -Lc %i "/run/netns/$PFX-default-db")"
ln -s /proc "$root/proc"
is "and where the root links to /proc too" \
	"$(podhop resolve default/db --json | jq .pod.netns_inode)" \
	"$(stat -Lc %i "/run/netns/$PFX-default-db")"
rm "$root/proc" "$root/var/run"
rm -r "$root/run/netns"

# ------------------------------------------------- an underlay that is a veth

refused "the underlay is no pod's veth" veth:eth0 2 "eth0 is no pod's veth but the underlay of flannel"
refused "the other node's namespace is no pod" "netns:$FAR" 2 "eth0, the underlay of flannel"

# ------------------------------------------------------------ rights, and strace

if command -v setpriv >/dev/null 2>&1; then
	# 65534 may read nothing below the cache directory; the binary must be reachable
	chmod 755 "$dir" && chmod 700 "$root/var/lib/cni/results"
	cp "$PODHOP" "$dir/podhop"
	out=$(timeout 20 ip netns exec "$NODE" setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$dir/podhop" resolve default/web --host-root "$root" 2>&1 >/dev/null)
	rc=$?
	case $rc:$out in
	1:*"/var/lib/cni/results"*CAP_DAC_READ_SEARCH*) ok "no permission: the right is named" ;;
	*) not_ok "no permission: the right is named" "exit $rc: $out" ;;
	esac
	chmod 755 "$root/var/lib/cni/results"
	is "unprivileged: the veth is found all the same" \
		"$(timeout 20 ip netns exec "$NODE" setpriv --reuid 65534 --regid 65534 --clear-groups \
			"$dir/podhop" resolve default/web --json --host-root "$root" 2>/dev/null | jq -r '"\(.veth) \(.pod.ips[0])"')" \
		"$web $ip4"
else
	skip "unprivileged: the veth is found all the same" "no setpriv"
fi
if command -v strace >/dev/null 2>&1 && strace -o /dev/null true 2>/dev/null; then
	for c in "resolve default/web" list; do
		# shellcheck disable=SC2086 # two words
		timeout 60 ip netns exec "$NODE" strace -f -o "$dir/trace" "$PODHOP" $c --host-root "$root" >/dev/null
		is "$c: enters nothing, starts nothing" \
			"$(grep -cE '(setns|unshare|clone3?|fork|vfork|ptrace)\(' "$dir/trace")" 0
		is "$c: changes nothing" \
			"$(grep -cE '(RTM_(NEW|DEL|SET)[A-Z]*, nlmsg_flags=NLM_F_REQUEST|O_(WRONLY|RDWR|CREAT)|unlink|mkdir|rename)' "$dir/trace")" 0
	done
else
	skip "enters nothing, changes nothing" "no strace"
fi

done_testing
