#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kubectl.sh - kubectl podhop by itself, with a script in kubectl's place (TAP).
#
# What needs a cluster's answers is tests/lab/kubectl.sh. Here: what the plugin makes of kubectl's
# words, files that it writes, the debug pod's manifest on k3s, and that it keeps to what bash 3.2
# knows, which macOS has. PLUGIN_BASH=FILE runs the plugin with another bash.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
plugin=$root/samples/kubernetes/kubectl-podhop
sample=$root/samples/ipv6.pcapng
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. tests/lib/tap.sh

mkdir "$tmp/bin"
cat >"$tmp/bin/kubectl" <<STUB
#!/bin/bash
# A cluster of one node with podhop on it. What stands in complaint is all it says to "get pod".
case "\$*" in
"get pod api "*) echo "default|api|node2||Running" ;;
"get pod "*)
	[[ ! -e $tmp/complaint ]] || { cat "$tmp/complaint" >&2; exit 1; }
	echo "default|web|node1||Running" ;;
"get pods -A --request-timeout="*) printf '%s|\n' shop/cart shop/db kube-system/dns; echo 'kube-system/proxy|true' ;;
"get pods -n shop --request-timeout="*) printf '%s|\n' cart db ;;
"get nodes "*) printf 'node/%s\n' node1 node2 ;;
"get namespaces "*) printf 'namespace/%s\n' kube-system shop ;;
"get node "*) echo "True|2026-01-01T00:00:00Z|\$(cat "$tmp/kubelet")" ;;
"get pods -n podhop -l job-name="*) echo "podhop-debug-1-x|Running|" ;;
"get pods -n podhop "*) echo "podhop-x|Running|True" ;;
"create "*) cat >"$tmp/job.json"; echo podhop-debug-1 ;;
"delete "*) ;;
"exec "*) echo "podhop: capturing on veth1" >&2; cat "$sample" ;;
*) exit 1 ;;
esac
STUB
chmod +x "$tmp/bin/kubectl"
k() {
	status=0
	(cd "$tmp" && PATH=$tmp/bin:$PATH TMPDIR=$tmp timeout 20 "${PLUGIN_BASH:-bash}" "$plugin" "$@") \
		>"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
}
echo v1.33.1 >"$tmp/kubelet"

# ---- kubectl's complaint: the sentence that says it

complains() { # NAME WANTED, its words on standard input
	cat >"$tmp/complaint"
	k capture web --no-names -w "$tmp/none.pcapng"
	is "complaint: $1" "$status $(cat "$tmp/err")" "1 kubectl podhop: cannot look for pod web: $2"
	rm "$tmp/complaint"
}
complains 'behind the log of its libraries' \
	'The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?' <<'END'
E1127 23:28:24.532918   12345 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"https://10.0.0.1:6443/api?timeout=32s\": dial tcp 10.0.0.1:6443: connect: connection refused"
E1127 23:28:24.533918   12345 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"https://10.0.0.1:6443/api?timeout=32s\": dial tcp 10.0.0.1:6443: connect: connection refused"
The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?
END
complains 'behind a warning' 'error: You must be logged in to the server (Unauthorized)' <<'END'
Warning: v1 ComponentStatus is deprecated in v1.19+
error: You must be logged in to the server (Unauthorized)
END
complains 'the log where there is nothing else' 'net/http: TLS handshake timeout' <<'END'
W1127 23:28:24.532918   12345 transport.go:1] net/http: TLS handshake timeout
END

# ---- files: a name that promises a packing is kept to

same() { # FILE COMMAND...: unpacks to the stream that came
	local file=$1
	shift
	"$@" <"$file" 2>/dev/null | cmp -s - "$sample" && echo same
}
k capture web --no-names -w x.pcapng.gz
is "-w x.pcapng.gz is packed" "$status $(same "$tmp/x.pcapng.gz" gzip -dc) $(stat -c %a "$tmp/x.pcapng.gz")" "0 same 600"
k capture web --no-names -w x.pcapng.gz
is "... and written over again" "$status $(same "$tmp/x.pcapng.gz" gzip -dc)" "0 same"
if [[ -n $(type -P zstd) ]]; then
	k capture web --no-names -w X.ZST
	is "-w X.ZST is packed" "$status $(same "$tmp/X.ZST" zstd -dc)" "0 same"
	k capture web --no-names -w X.ZST
	is "... and written over again" "$status $(same "$tmp/X.ZST" zstd -dc)" "0 same"
else
	skip "-w X.ZST is packed" "zstd is not installed"
fi
echo text | gzip >"$tmp/text.gz"
k capture web --no-names -w text.gz
is "packed text is no capture: not written over" "$status $(gzip -dc "$tmp/text.gz")" "1 text"
k capture web --no-names -w x.xz
like "-w x.xz" "$status $(cat "$tmp/err")" '^2 .*gzip \(\.gz\) and zstd \(\.zst\) only'
is "... makes no file" "$(ls "$tmp/x.xz" 2>/dev/null)" ""
printf '#!/bin/sh\nexit 1\n' >"$tmp/bin/gzip"
chmod +x "$tmp/bin/gzip"
k capture web --no-names -w y.pcapng.gz
like "a packer that fails is told" "$status $(cat "$tmp/err")" '^[1-9].*gzip -1 failed'
rm "$tmp/bin/gzip"

# ---- the debug pod's CNI configuration

conf_of_job() { # the directory on the node, and where podhop sees it
	k capture web --no-names --debug-pod --image podhop.test/podhop:1 "$@"
	jq -r '.spec.template.spec | (.volumes[], .containers[].volumeMounts[]) |
		select(.name == "cni-conf") | .hostPath.path // .mountPath' "$tmp/job.json" | tr '\n' ' '
	echo $status
}
if [[ -n $(type -P jq) ]]; then
	is "debug pod" "$(conf_of_job)" '/etc/cni/net.d /host/etc/cni/net.d 0'
	is "debug pod, --cni-conf" "$(conf_of_job --cni-conf /opt/cni/conf)" '/opt/cni/conf /host/etc/cni/net.d 0'
	echo v1.33.1+k3s1 >"$tmp/kubelet"
	k3s=/var/lib/rancher/k3s/agent/etc/cni/net.d
	is "debug pod on k3s" "$(conf_of_job)" "$k3s /host$k3s 0"
	is "debug pod on k3s, --cni-conf" "$(conf_of_job --cni-conf=/etc/cni/net.d)" \
		'/etc/cni/net.d /host/etc/cni/net.d 0'
else
	skip "debug pod" "jq is not installed"
fi
k capture web --no-names --debug-pod --image podhop.test/podhop:1 --cni-conf 'x", "y'
like "--cni-conf takes a directory" "$status $(cat "$tmp/err")" '^2 .*--cni-conf'
k capture web --cni-conf
like "--cni-conf needs a value" "$status $(cat "$tmp/err")" '^2 .*needs a value'

# ---- verify --report: verify runs here, so its file is here

# shellcheck disable=SC2016  # code
printf '#!/bin/bash\necho "$*" >%s\n' "$tmp/args" >"$tmp/verify"
chmod +x "$tmp/verify"
PODHOP=$tmp/verify k verify default/web default/api --no-names --report r.json
like "verify --report is verify's own" "$status $(cat "$tmp/args" 2>&1) $(cat "$tmp/err")" '^0 verify .*--report r\.json '
k capture web --report r.json
like "capture --report would be the node's" "$status $(cat "$tmp/err")" '^2 .*--report would write on the node'

# ---- completion, as kubectl asks for it

mkdir "$tmp/complete"
ln -s "$plugin" "$tmp/complete/kubectl_complete-podhop"
could() { # WORD...: what could be typed for the last one, then kubectl's word on files
	(cd "$tmp" && PATH=$tmp/bin:$PATH PODHOP=$tmp/none timeout 20 "${PLUGIN_BASH:-bash}" \
		"$tmp/complete/kubectl_complete-podhop" "$@") 2>&1 </dev/null | tr '\n' ' '
}
is "completion: commands" "$(could ver)" "verify :4 "
is "completion: pods that have a veth" "$(could capture '')" "kube-system/dns shop/cart shop/db :4 "
is "completion: of one namespace" "$(could -n shop capture '')" "cart db :4 "
is "completion: begun" "$(could capture -s 128 shop/c)" "shop/cart :4 "
is "completion: FILTER is free" "$(could capture shop/cart '')" ":4 "
is "completion: verify takes several pods" "$(could verify shop/cart shop/)" "shop/cart shop/db :4 "
is "completion: nodes" "$(could capture --node '')" "node1 node2 :4 "
is "completion: namespaces" "$(could capture -n sh)" "shop :4 "
is "completion: options" "$(could capture shop/cart --no)" "--no-names --node :4 "
is "completion: none that would write on the node" "$(could capture shop/cart --sp)" ":4 "
is "completion: files" "$(could capture shop/cart -w '')" ":0 "
real=$(type -P kubectl)
if [[ -n $real && $("$real" version --client 2>/dev/null) =~ v1\.(2[6-9]|[3-9][0-9])\. ]]; then
	ln -s "$plugin" "$tmp/complete/kubectl-podhop"
	is "completion: the real kubectl asks so" "$(PATH=$tmp/complete:$tmp/bin:$PATH HOME=$tmp timeout 20 \
		"$real" __complete podhop ver 2>/dev/null | tr '\n' ' ')" "verify :4 "
else
	skip "completion: the real kubectl asks so" "no kubectl of 1.26 or later"
fi

# ---- nothing that bash 3.2 does not know, and no empty array where it stops at one (set -u)

newer_than_3_2() { # on standard input: the lines that are
	grep -nE -e '\b(mapfile|readarray|coproc|compopt)\b' \
		-e '\b(declare|local|typeset|readonly)[[:blank:]]+-[a-zA-Z]*[Angul]' \
		-e '\$\{[!]?[A-Za-z_0-9@*]+(\[[^]]*\])?(,|\^|@[A-Za-z]\})' -e '\[-[0-9]+\]' -e '\|&' -e '&>>' \
		-e ';;?&' -e '\bwait[[:blank:]]+-' -e '\{[a-z_]+\}[<>]' -e '\[\[[^]]*[[:blank:]]-[vR][[:blank:]]' \
		-e 'printf[^|;]*%\([^)]*\)T' -e 'EPOCHSECONDS|EPOCHREALTIME|BASHPID|SRANDOM' -e 'shopt -s (globstar|lastpipe|inherit_errexit)' \
		-e '(^|[^+}])"\$\{[a-z_]+\[[@*]\]\}"' |
		# Arrays that are never empty.
		grep -vE '"\$\{(k|inputs|where)\[@\]\}"' | cut -d: -f1 | tr '\n' ' '
}
is "bash 3.2: nothing newer in the plugin" "$(grep -v '^[[:blank:]]*#' "$plugin" | newer_than_3_2)" ""
newer=0
# shellcheck disable=SC2016  # code
while IFS= read -r line; do
	newer=$((newer + 1))
	is "bash 3.2: seen: $line" "$(newer_than_3_2 <<<"$line")" "1 "
done <<'END'
mapfile -t x
declare -A of
local -n ref=$1
echo "${x,,}"
echo "${x^}"
echo "${x@Q}"
echo "${a[-1]}"
a |& b
a &>>b
wait -n
exec {fd}<b
[[ -v x ]]
printf '%(%s)T'
echo $EPOCHSECONDS
f "${options[@]}"
case x in x) a ;;& esac
END
is "bash 3.2: all of them were tried" "$newer" 16
# Parsed by one, where one is named: Debian has none.
if [[ -n ${PLUGIN_BASH:-} ]]; then
	# shellcheck disable=SC2016  # code
	is "$("$PLUGIN_BASH" -c 'echo $BASH_VERSION') reads the plugin" "$("$PLUGIN_BASH" -n "$plugin" 2>&1)" ""
fi
done_testing
