#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# manifests.sh - samples/kubernetes against Kubernetes' own definitions, and the rights it asks for (TAP).
#
# Time limit: 400 s
#
# Two judges: the JSON schemas of the npm package kubernetes-models (types, what is required,
# enumerations), and kubectl, which reads a manifest into the API's Go types and prints it
# again without what these do not know (misspelt fields).
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD
here=samples/kubernetes
for tool in kubectl jq node npm; do
	command -v $tool >/dev/null || { echo "1..0 # SKIP no $tool"; exit 0; }
done
modules=$BUILD/manifests
if ! cmp -s tests/cli/manifests/package-lock.json "$modules/package-lock.json" ||
	[[ ! -e $modules/node_modules/kubernetes-models/package.json ]]; then
	mkdir -p "$modules"
	cp tests/cli/manifests/package{,-lock}.json "$modules/"
	(cd "$modules" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund >&2) ||
		{ echo '1..0 # SKIP npm ci cannot fetch kubernetes-models'; exit 0; }
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# Nobody's cluster is asked: there is no configuration.
k() { env -u KUBECONFIG HOME="$tmp" kubectl "$@" 2>>"$tmp/kubectl.err"; }

. tests/lib/tap.sh

# as_json FILE: YAML with one or more objects to JSON, one a line
as_json() { k annotate --local --overwrite -f "$1" podhop.test/read=yes -o json |
	jq -c 'del(.metadata.annotations."podhop.test/read") | if .metadata.annotations == {} then
		del(.metadata.annotations) else . end'; }
schema_faults() { node tests/cli/manifests/validate.js "$modules"; }
# known FILE: the same, as kubectl's types know it; only objects that run an image
known() { k set image --local -f "$1" podhop=podhop.test/other -o json | jq -Sc .; }
unknown_fields() { # FILE with one object
	diff <(as_json "$1" | jq -S '(.. | objects | select(has("image")) | .image) = ""') \
		<(known "$1" | jq -S '(.. | objects | select(has("image")) | .image) = "" |
			del(.status) | del(.. | .creationTimestamp?)') 2>&1
}

# ---- the objects: as kustomize makes them, and the plugin's own

for overlay in daemonset k3s; do
	if k kustomize "$here/$overlay" >"$tmp/$overlay.yaml"; then
		as_json "$tmp/$overlay.yaml" >"$tmp/$overlay.json"
		is "$overlay: what kustomize makes" "$(jq -r .kind "$tmp/$overlay.json" | tr '\n' ' ')" \
			"Namespace DaemonSet "
	elif [[ $overlay == k3s && $(k version --client) == *v1.20.* ]]; then
		skip "k3s" "this kubectl's kustomize knows no overlays of directories"
		continue
	else
		is "$overlay: kustomize succeeds" "$(tail -n 1 "$tmp/kubectl.err")" ""
		continue
	fi
	is "$overlay: JSON schema" "$(schema_faults <"$tmp/$overlay.json" 2>&1)" ""
	jq 'select(.kind == "DaemonSet")' "$tmp/$overlay.json" >"$tmp/one.json"
	is "$overlay: no field that the API does not know" "$(unknown_fields "$tmp/one.json")" ""
done
is "k3s: its CNI configuration is where it keeps it" \
	"$(jq -r 'select(.kind == "DaemonSet").spec.template.spec | (.volumes[], .containers[].volumeMounts[]) |
		select(.name == "cni-conf") | .hostPath.path // .mountPath' "$tmp/k3s.json" 2>/dev/null | tr '\n' ' ')" \
	"$([[ ! -s $tmp/k3s.json ]] || echo '/var/lib/rancher/k3s/agent/etc/cni/net.d /host/var/lib/rancher/k3s/agent/etc/cni/net.d ')"

is "k3s: flannel's configuration, for doctor" \
	"$(jq -rc 'select(.kind == "DaemonSet").spec.template.spec | [(.volumes[], .containers[].volumeMounts[]) |
		select(.name == "flannel-conf") | .hostPath.path // .mountPath, .readOnly]' "$tmp/k3s.json" 2>/dev/null)" \
	"$([[ ! -s $tmp/k3s.json ]] || echo '["/var/lib/rancher/k3s/agent/etc/flannel",null,"/host/var/lib/rancher/k3s/agent/etc/flannel",true]')"

# The function that prints the debug pod, taken out of the plugin.
# shellcheck disable=SC2034  # used by the function
DEBUG_SECONDS=3600 image=localhost/podhop:latest cni_conf='' kubelet=v1.33.1
eval "$(sed -n -e '/^[A-Z0-9_]*_CONF=/p' -e '/^debug_manifest()/,/^}/p' "$here/kubectl-podhop")"
debug_manifest node1 | jq -c . >"$tmp/job.json"
is "debug pod: JSON schema" "$(schema_faults <"$tmp/job.json" 2>&1)" ""
is "debug pod: no field that the API does not know" "$(unknown_fields "$tmp/job.json")" ""
is "debug pod: the DaemonSet's pod, but for node and end" \
	"$(jq -Sc '.spec.template.spec | del(.nodeName, .restartPolicy)' "$tmp/job.json")" \
	"$(jq -Sc 'select(.kind == "DaemonSet").spec.template.spec | del(.nodeSelector)' "$tmp/daemonset.json")"
# shellcheck disable=SC2034  # used by the function
kubelet=v1.33.1+k3s1
[[ ! -s $tmp/k3s.json ]] || is "debug pod on k3s: the pod of the DaemonSet for k3s" \
	"$(debug_manifest node1 | jq -Sc '.spec.template.spec | del(.nodeName, .restartPolicy)')" \
	"$(jq -Sc 'select(.kind == "DaemonSet").spec.template.spec | del(.nodeSelector)' "$tmp/k3s.json")"
is "debug pod: its life is bounded, and the cluster removes it" \
	"$(jq -c '.spec | [.activeDeadlineSeconds, .ttlSecondsAfterFinished, .backoffLimit]' "$tmp/job.json")" \
	"[3600,60,0]"

# ---- the judges can say no

daemonset() { jq -c 'select(.kind == "DaemonSet")' "$tmp/daemonset.json"; }
says_no() { # NAME JQ
	daemonset | jq -c "$2" >"$tmp/bad.json"
	is "judged: $1" "$(if schema_faults <"$tmp/bad.json" >/dev/null 2>&1 &&
		[[ -z $(unknown_fields "$tmp/bad.json") ]]; then echo accepted; else echo refused; fi)" refused
}
says_no "a type" '.spec.template.spec.hostNetwork = "yes"'
says_no "something missing" 'del(.spec.selector)'
says_no "a misspelt field" '.spec.template.spec.hostPid = true'
says_no "a misspelt field, deep down" '.spec.template.spec.containers[0].securityContext.readonlyRootFS = true'

# ---- the rights, in full: whoever adds one changes this test

spec='select(.kind == "DaemonSet").spec.template.spec'
get() { jq -Sc "$spec | $1" "$tmp/daemonset.json"; }
is "rights: of the container" "$(get '.containers[0].securityContext')" \
	'{"allowPrivilegeEscalation":false,"capabilities":{"add":["NET_RAW","NET_ADMIN"],"drop":["ALL"]},"readOnlyRootFilesystem":true,"runAsUser":0}'
is "rights: of the pod" \
	"$(get '[.hostNetwork, .hostPID, .hostIPC, .automountServiceAccountToken, .securityContext.seccompProfile.type]')" \
	'[true,true,null,false,"RuntimeDefault"]'
is "rights: one container, no port" "$(get '[(.containers | length), .initContainers, .containers[0].ports]')" \
	'[1,null,null]'
is "rights: what it sees of the node" "$(get '[.volumes[].hostPath.path]')" \
	'["/var/lib/cni","/etc/cni/net.d","/run/flannel","/run/netns"]'
is "rights: all of it read-only, nothing is created" \
	"$(get '[(.containers[0].volumeMounts[].readOnly), (.volumes[].hostPath.type)] | unique')" '[true,"Directory"]'
is "pods that start later are seen" \
	"$(get '.containers[0].volumeMounts[] | select(.name == "netns").mountPropagation')" '"HostToContainer"'
is "runs on every node" "$(get '.tolerations')" '[{"operator":"Exists"}]'
done_testing
