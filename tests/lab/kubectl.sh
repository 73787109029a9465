#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kubectl.sh - kubectl podhop with the real kubectl, against a stand-in cluster (TAP, root).
#
# tests/lab/kube/apiserver.py answers kubectl on the lab's outside host and runs what is
# exec'ed on the lab's nodes, with the mounts and capabilities of samples/kubernetes/daemonset.
#
# PLUGIN_BASH=FILE tries the plugin with another bash (macOS has 3.2).
#
# Time limit: 300 s
# shellcheck disable=SC2154  # variables of `lab env`
LAB_PREFIX=kube
# shellcheck source=tests/lib/lab.sh
. "$(dirname "$0")/../lib/lab.sh"
need jq python3 kubectl od
lab_test

WEB=node1/default/web
plugin=$ROOT/samples/kubernetes/kubectl-podhop
lab_up --outside
ip -n "$OUTSIDE_NS" link set lo up

image=$dir/image
mkdir "$dir/bin"
"$ROOT/samples/kubernetes/make-image-root" "$PODHOP" "$image" || bail "make-image-root"

# ---- the cluster: two nodes that are the lab's, one that is down

jq -n --arg enterpod "$TOOLS/enterpod" --arg log "$dir/cluster.log" --arg image "$image" \
	--arg ns1 "/run/netns/$NODE1_NS" --arg ns2 "/run/netns/$NODE2_NS" \
	--arg root1 "$NODE1_ROOT" --arg root2 "$NODE2_ROOT" --arg ip1 "$NODE1_IP" --arg ip2 "$NODE2_IP" \
	--arg web "$POD_WEB_IP" --arg client "$POD_CLIENT_IP" --arg api "$POD_API_IP" '
	def pod(ns; name; node; ip; more): {apiVersion: "v1", kind: "Pod",
		metadata: {namespace: ns, name: name}, spec: {nodeName: node, containers: []},
		status: {phase: "Running", podIP: ip, podIPs: [{ip: ip}]}} * more;
	{enterpod: $enterpod, log: $log, images: {"localhost/podhop:latest": $image, "podhop.test/podhop:1": $image},
	 nodes: {node1: {netns: $ns1, root: $root1, ip: $ip1}, node2: {netns: $ns2, root: $root2, ip: $ip2},
		 node3: {netns: $ns1, root: $root1, ip: "192.168.77.13", ready: false}},
	 objects: [{apiVersion: "v1", kind: "Namespace", metadata: {name: "default"}},
		pod("default"; "web"; "node1"; $web; {}), pod("default"; "client"; "node1"; $client; {}),
		pod("default"; "api"; "node2"; $api; {}), pod("shop"; "cart"; "node3"; "10.244.3.2"; {}),
		pod("default"; "done"; "node1"; "10.244.1.9"; {status: {phase: "Succeeded"}}),
		(pod("default"; "waiting"; ""; ""; {status: {phase: "Pending"}}) | del(.spec.nodeName)),
		pod("kube-flannel"; "kube-flannel-node1"; "node1"; $ip1; {spec: {hostNetwork: true}}),
		{apiVersion: "v1", kind: "Service", metadata: {namespace: "default", name: "kubernetes"},
		 spec: {clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1"]}}]}' >"$dir/cluster.json"
start cluster "$dir/cluster.out" ip netns exec "$OUTSIDE_NS" /usr/bin/python3 \
	"$ROOT/tests/lab/kube/apiserver.py" "$dir/cluster.json"
wait_for "$dir/cluster.out" '^ready' "$cluster"
port=$(sed -n 's/^ready //p' "$dir/cluster.out")
cat >"$dir/kubeconfig" <<END
{"apiVersion": "v1", "kind": "Config", "current-context": "lab",
 "clusters": [{"name": "lab", "cluster": {"server": "http://127.0.0.1:$port"}}],
 "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
 "users": [{"name": "lab", "user": {}}]}
END

# ---- tools of this test

# kubectl finds the plugin by its name, in PATH.
ln -s "$plugin" "$dir/bin/kubectl-podhop"
ln -s "$PODHOP" "$dir/bin/podhop"
[[ -z ${PLUGIN_BASH:-} ]] || ln -s "$PLUGIN_BASH" "$dir/bin/bash"
mkdir "$dir/home" "$dir/tmp"
workstation=(ip netns exec "$OUTSIDE_NS" env PATH="$dir/bin:$PATH" HOME="$dir/home" \
	TMPDIR="$dir/tmp" KUBECONFIG="$dir/kubeconfig")
on_workstation() { "${workstation[@]}" "$@"; }

# k ARGS...: kubectl podhop; stdout in $dir/k.out, stderr in $dir/k.err, its exit status in $status
k() {
	timeout 60 "${workstation[@]}" kubectl podhop "$@" >"$dir/k.out" 2>"$dir/k.err" </dev/null
	status=$?
}
# k_start ARGS...: the same in the background, as a terminal starts it: Ctrl-C for the whole group
k_start() {
	: >"$dir/k.err"
	setsid env --default-signal=INT "${workstation[@]}" kubectl podhop "$@" >"$dir/k.out" 2>"$dir/k.err" </dev/null &
	plugin_pid=$!
	jobs_started+=("$!")
}
k_signal() { kill "-$1" -- "-$plugin_pid"; }
k_ended() {
	wait "$plugin_pid"
	status=$?
}
# What is left anywhere, a second after the end: remote podhops, files, objects of the cluster
leftovers() {
	local tries=60
	while ((tries--)) && [[ -n $(remote_podhops) ]]; do sleep 0.1; done
	remote_podhops
	ls -A "$dir/tmp"
	on_workstation kubectl get jobs,pods -A -o name -l app.kubernetes.io/name=podhop-debug
}
remote_podhops() {
	local pid
	for pid in $(ip netns pids "$NODE1_NS"; ip netns pids "$NODE2_NS"); do
		[[ $pid == "$hung" || $(cat "/proc/$pid/comm" 2>/dev/null) != podhop ]] || echo "podhop $pid runs"
	done
}
errors() { tr '\n' ' ' <"$dir/k.err"; }

# ---- a runtime that reads no more: podhop's write hangs, and it ends all the same

mkfifo "$dir/lifeline" "$dir/nobody"
exec 31<>"$dir/lifeline" 32<>"$dir/nobody"
ip netns exec "$NODE1_NS" "$PODHOP" capture default/client --host-root "$NODE1_ROOT" --until-eof -w - \
	<"$dir/lifeline" 31>&- 32>&- >"$dir/nobody" 2>"$dir/hung.err" &
hung=$!
jobs_started+=("$hung")
wait_for "$dir/hung.err" 'capturing on' "$hung"
on node1/default/client ping -q -c 100 -i 0.002 -s 1400 "$POD_API_IP" >/dev/null || bail "ping"
exec 31>&-
hung_since=$SECONDS

# ---- before podhop is installed

k capture default/web -a duration:1
is "no DaemonSet: exit status" $status 1
like "no DaemonSet: what to do" "$(errors)" 'kubectl apply -k samples/kubernetes/daemonset.*--debug-pod'
k list
like "no DaemonSet: list says so too" "$status $(errors)" '^1 .*kubectl apply -k'

# ---- a debug pod, made and removed

k capture default/web --debug-pod -a duration:1
like "a debug pod needs an image" "$status $(errors)" '^2 .*--image'
k capture default/web --debug-pod --image podhop.test/podhop:1 -a duration:1
like "a namespace that does not exist" "$status $(errors)" '^1 .*namespaces "podhop" not found'
# The manifest, by kubectl's own kustomize; DaemonSet and pods follow later.
kubectl kustomize "$ROOT/samples/kubernetes/daemonset" >"$dir/manifest.yaml" || bail "kustomize"
on_workstation kubectl apply --validate=false -f "$ROOT/samples/kubernetes/daemonset/namespace.yaml" \
	>/dev/null || bail "cannot create the namespace"
k capture default/web --debug-pod --image podhop.test/none:1 -a duration:1
like "an image that is not there" "$status $(errors)" '^1 .*ImagePullBackOff.*podhop.test/none:1'
is "... leaves nothing" "$(leftovers)" ""
k capture default/web --debug-pod --image podhop.test/podhop:1 -a duration:1 -w "$dir/debug.pcapng"
is "a capture in a debug pod" "$status $(capinfos -rTc "$dir/debug.pcapng" 2>/dev/null | wc -l)" "0 1"
is "... leaves nothing" "$(leftovers)" ""
k_start capture default/web --debug-pod --image podhop.test/podhop:1 -w "$dir/debug.pcapng"
wait_for "$dir/k.err" 'capturing on' "$plugin_pid"
is "the debug pod is there while it captures" \
	"$(on_workstation kubectl get pods -A -o name -l app.kubernetes.io/name=podhop-debug | wc -l)" 1
k_signal INT
k_ended
is "Ctrl-C: exit status and leftovers" "$status $(leftovers)" "0 "

# ---- the DaemonSet

on_workstation kubectl apply --validate=false -f "$dir/manifest.yaml" >"$dir/apply.out" 2>&1 ||
	bail "kubectl apply: $(cat "$dir/apply.out")"
is "the DaemonSet has a pod on each node" \
	"$(on_workstation kubectl get pods -n podhop -l app.kubernetes.io/name=podhop -o name | wc -l)" 3

k list
like "list: every node under its name" "$(tr '\n' ' ' <"$dir/k.out")" \
	'node node1 .*default +web .*node node2 .*default +api '
like "list: a node that is down is told, and fails" "$status $(errors)" '^1 .*node node3 is not ready since'
k list --node node2 --json
is "list: one node, JSON" "$status $(jq -rc '[.node, (.pods[].name)]' "$dir/k.out")" \
	'0 ["node2","api","dns"]'
k resolve web --json
is "resolve: as on the node itself" "$status $(jq -r .veth "$dir/k.out")" "0 $POD_WEB_VETH"
k resolve "$POD_API_IP" --json
is "resolve: by address" "$status $(jq -r .pod.name "$dir/k.out")" "0 api"

# ---- doctor

k doctor default/web
is "doctor: a sound node" "$status" 0
on node2 sysctl -qw net.ipv4.ip_forward=0
k doctor api --json
is "doctor: a fault on the pod's node" "$status $(jq -r '.node' "$dir/k.out")" "3 node2"
like "doctor: it is named" "$(jq -r '.checks[] | select(.status == "fail") | .id' "$dir/k.out")" 'sysctl\.forwarding'
k doctor --node node1
is "doctor: the other node has none" "$status" 0
on node2 sysctl -qw net.ipv4.ip_forward=1

# ---- capture: what goes through kubectl equals what podhop captures on the node

capture node1 default/web -w "$dir/direct.pcapng" icmp
k_start capture default/web -w "$dir/file.pcapng" icmp
wait_for "$dir/k.err" 'capturing on' "$plugin_pid"
on $WEB ping -q -c 20 -i 0.01 -s 1000 "$POD_API_IP" >/dev/null || bail "ping"
sleep 0.3 # what is on its way arrives
k_signal INT
k_ended
capture_end node1
is "capture: exit status" $status 0
frames() { # file: every frame but the time of its writing, in podhop's own order
	tshark -r "$1" -T fields -e frame.time_epoch -e frame.interface_name -e frame.len -e frame.packet_id \
		-e frame.comment -e ip.id -e icmp.seq 2>/dev/null
}
frames "$dir/direct.pcapng" >"$dir/direct.txt"
frames "$dir/file.pcapng" >"$dir/file.txt"
is "capture: 20 pings at four hops, both ways" "$(wc -l <"$dir/direct.txt")" 160
# Two captures stamp a frame each for itself; the rest must agree.
is "capture: frame for frame what a direct capture has" \
	"$(cut -f2- "$dir/file.txt" | sed 's/ dt_ns=[0-9]*//' | md5sum)" \
	"$(cut -f2- "$dir/direct.txt" | sed 's/ dt_ns=[0-9]*//' | md5sum)"
is "capture: closing statistics came" \
	"$(tshark -r "$dir/file.pcapng" -X 'read_format:MIME Files Format' -V 2>/dev/null |
		grep -c 'Option: End Time')" 4
like "capture: the report is on stderr" "$(errors)" 'egress +veth>bridge>vtep>underlay +20 packets'
like "capture: names of the cluster are in the file" "$(tshark -r "$dir/file.pcapng" -q -z hosts 2>/dev/null)" \
	"${POD_API_IP}[[:space:]]+default/api"
is "capture: the file is its owner's alone" "$(stat -c %a "$dir/file.pcapng")" 600
is "capture: nothing is left" "$(leftovers)" ""

k_start capture web -c 2 -w - --no-names icmp
wait_for "$dir/k.err" 'capturing on' "$plugin_pid"
on $WEB ping -q -c 3 -i 0.05 "$POD_API_IP" >/dev/null
k_ended
is "capture: the stream on stdout, without names" \
	"$status $(tshark -r "$dir/k.out" -T fields -e frame.packet_id 2>/dev/null | sort -u | tr '\n' ' ')" "0 1 2 "
k capture web --live
is "capture --live: exit status 2" "$status" 2
like "capture --live: the command that does it" "$(errors)" \
	'kubectl exec -it [a-z0-9-]+ -n podhop -c podhop -- podhop capture .*default/web --host-root /host --live'
k_start capture web -c 2 -T jsonl
wait_for "$dir/k.err" 'capturing on' "$plugin_pid"
on $WEB ping -q -c 3 -i 0.05 "$POD_API_IP" >/dev/null
k_ended
is "capture: JSON lines, then the report" \
	"$status $(jq -rs '[.[].schema] | join(" ")' "$dir/k.out")" \
	"0 podhop.packet/1 podhop.packet/1 podhop.report/1"

# ---- Wireshark, for which a script stands that keeps what it is given

cat >"$dir/bin/viewer" <<'END'
#!/bin/sh
echo "$@" >"$VIEWER_OUT.args"
exec head -c 4000 >"$VIEWER_OUT"
END
chmod +x "$dir/bin/viewer"
export VIEWER_OUT=$dir/viewer PODHOP_WIRESHARK=viewer
k_start capture web --wireshark
wait_for "$dir/k.err" 'capturing on' "$plugin_pid"
on $WEB ping -q -c 20 -i 0.01 -s 1000 "$POD_API_IP" >/dev/null || bail "ping"
k_ended
is "wireshark: how it is called" "$(cat "$dir/viewer.args")" "-k -i -"
is "wireshark: a stream begins" "$(od -An -tx1 -N4 "$dir/viewer" | tr -d ' ')" 0a0d0d0a
is "wireshark: closing it ends the capture" "$status $(leftovers)" "0 "
unset PODHOP_WIRESHARK

# ---- verify: one verdict from two nodes

k_start verify default/web api --json
wait_for "$dir/k.err" 'capturing at 2 ends' "$plugin_pid"
on $WEB ping -q -c 50 -i 0.01 "$POD_API_IP" >/dev/null || bail "ping"
sleep 0.5
k_signal INT
k_ended
is "verify: Ctrl-C gives the verdict" "$status $(jq -rc '[.verdict, .nodes]' "$dir/k.out")" \
	'0 ["delivered",["node1","node2"]]'
is "verify: what was sent arrived" "$(jq -c '[.directions[] | [.sent, .delivered, .lost]]' "$dir/k.out")" \
	'[[50,50,0],[50,50,0]]'
is "verify: nothing is left" "$(leftovers)" ""
# At a terminal Ctrl-C goes to the foreground's process group, whatever that is at the time.
on $WEB ping -q -c 60 -i 0.1 "$POD_API_IP" >/dev/null &
pinger=$!
jobs_started+=("$pinger")
on_workstation "$ROOT/tests/lab/kube/ctrl-c.py" 'capturing at 2 ends' kubectl podhop verify web api >"$dir/k.out"
like "verify: Ctrl-C at a terminal" "$? $(tr '\n' ' ' <"$dir/k.out")" '^0 .*delivered: [1-9]'
on_workstation "$ROOT/tests/lab/kube/ctrl-c.py" 'capturing on' kubectl podhop capture web -w "$dir/tty.pcapng" >"$dir/k.out"
like "capture: Ctrl-C at a terminal" "$? $(tr '\n' ' ' <"$dir/k.out")" '^0 .*egress +veth>bridge>vtep>underlay'
is "... leaves nothing" "$(leftovers)" ""
kill "$pinger" 2>/dev/null
wait "$pinger" 2>/dev/null
on node2 nft -f - <<'END' || bail nft
table ip podhop_test { chain f { type filter hook forward priority -300;
	meta length 1028 numgen inc mod 4 == 1 drop; }; }
END
k_start verify default/web default/api -q -a duration:6
wait_for "$dir/k.err" 'capturing at 2 ends' "$plugin_pid"
on $WEB ping -q -c 20 -i 0.01 -s 1000 -W 1 "$POD_API_IP" >/dev/null
k_ended
like "verify: losses, after the time that -a gives" "$status $(tr '\n' ' ' <"$dir/k.out")" '^3 lost'
like "verify: pods have their names" "$(tr '\n' ' ' <"$dir/k.out")" 'icmp default/(web|api)[^ ]* > default/(web|api) '
on node2 nft delete table ip podhop_test
k verify web client
like "verify: two pods of one node" "$status $(errors)" '^2 .*--and default/client'
k verify web
like "verify: one pod alone" "$status $(errors)" '^2 .*two PODs'
k verify web shop/cart
like "verify: one end on a node that is down" "$status $(errors)" '^1 .*node node3 is not ready'
is "verify: the other end has ended" "$(leftovers)" ""

# ---- what goes wrong

k capture nothere
like "no such pod" "$status $(errors)" '^2 .*no pod nothere .*kubectl get pods -A'
k capture shop/cart
like "a node that is down" "$status $(errors)" '^1 .*node node3 is not ready since'
k capture default/done
like "a pod that has ended" "$status $(errors)" '^2 .*has ended \(Succeeded\)'
k capture default/waiting
like "a pod that is not scheduled" "$status $(errors)" '^2 .*on no node yet'
k capture kube-flannel/kube-flannel-node1
like "a hostNetwork pod" "$status $(errors)" '^2 .*uses its node.s network'
k capture web tcp prot 80
like "a bad filter: podhop's own words and status" "$status $(errors)" '^2 .*tcp prot 80'
for args in '--html x.html' '--split' '-b filesize:1000' '-C 1' '--host-root /x' '-T json -w x.pcapng'; do
	# shellcheck disable=SC2086  # several words
	k capture web $args
	like "$args: refused, with what to do instead" "$status $(errors)" '^2 '
done
printf 'text\n' >"$dir/text"
k capture web -w "$dir/text"
is "a file that is no capture is not overwritten" "$status $(cat "$dir/text")" "1 text"
on_workstation env KUBECONFIG=/nonexistent kubectl podhop list >/dev/null 2>"$dir/k.err"
like "no cluster" "$? $(errors)" '^1 .*cannot look for'

# ---- ends that nobody chose

k_start capture web -w "$dir/killed.pcapng"
wait_for "$dir/k.err" 'capturing on' "$plugin_pid"
on $WEB ping -q -c 3 -i 0.01 "$POD_API_IP" >/dev/null
sleep 1.2
k_signal KILL
wait "$plugin_pid" 2>/dev/null
left=$(leftovers)
is "kill -9 of the plugin: podhop on the node ends" "$(grep -c podhop <<<"$left")" 1
like "... what it leaves is its own scratch directory" "$left" '^kubectl-podhop\.'
rm -rf "$dir"/tmp/*
is "... and what had come is readable" "$(tshark -r "$dir/killed.pcapng" -Y frame.packet_id 2>/dev/null | wc -l)" 24
k_start capture web -w "$dir/cut.pcapng"
wait_for "$dir/k.err" 'capturing on' "$plugin_pid"
kubectl_pid=$(pgrep -s "$plugin_pid" -f 'kubectl.* exec ') || bail "no kubectl exec runs"
kill -KILL "$kubectl_pid"
k_ended
is "kubectl is killed: the plugin fails" "$((status != 0)) $(leftovers)" "1 "

wait "$hung"
is "podhop whose output nobody takes ends behind its standard input" $? 1
((SECONDS - hung_since >= 4)) || not_ok "... and not at once: it is given 4 s"

# ---- the other protocol: kubectl before 1.30 speaks SPDY, later ones WebSocket

version() { "$1" version --client 2>/dev/null | grep -oE 'v1\.[0-9]+' | head -n 1; }
first=$(version kubectl)
other=$BUILD/kubernetes-client/usr/bin/kubectl
if [[ $first != v1.2[0-9] && ! -x $other && -n $(type -P apt-get) ]]; then
	mkdir -p "$BUILD/kubernetes-client"
	(cd "$BUILD/kubernetes-client" && timeout 120 apt-get download -q kubernetes-client &&
		dpkg-deb -x kubernetes-client_*.deb .) >/dev/null 2>&1
fi
if [[ $first == v1.2[0-9] ]]; then
	ok "this kubectl ($first) speaks SPDY: it did all of the above"
elif [[ ! -x $other ]]; then
	skip "a kubectl that speaks SPDY" "Debian's kubernetes-client cannot be had"
else
	ln -s "$other" "$dir/bin/kubectl"
	k capture web nothing
	like "$(version "$other"): exit status and messages come" "$status $(errors)" '^2 .*nothing'
	k_start capture web -w "$dir/spdy.pcapng" icmp
	wait_for "$dir/k.err" 'capturing on' "$plugin_pid"
	on $WEB ping -q -c 20 -i 0.01 -s 1000 "$POD_API_IP" >/dev/null || bail "ping"
	sleep 0.3
	k_signal INT
	k_ended
	is "$(version "$other"): a capture, ended by Ctrl-C" \
		"$status $(capinfos -rTc "$dir/spdy.pcapng" 2>/dev/null | cut -f2) $(leftovers)" "0 160 "
fi

# ---- options of podhop that take a value are known to the plugin

values=$("$PODHOP" help --table | awk -F '\t' '$1 == "option" && $2 == "capture" && $5 ~ /^[^[]/ {
	print $3; print $4 }')
table=" $(sed -n "/^VALUE_OPTIONS=/,/'\$/p" "$plugin" | tr '\n' ' ')"
missing=''
for word in $values; do
	grep -qE "[[:space:]']${word}[[:space:]]" <<<"$table" || missing+=" $word"
done
is "options that take a value" "$missing" ""

done_testing
