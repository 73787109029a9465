// SPDX-License-Identifier: BSD-3-Clause
// cri.js - makes and removes a pod over CRI.
//
//   node cri.js SOCKET run '{"name","namespace","uid","cgroup","image","host","spec","node"}'
//       prints {sandbox, container, pid, pausePid, ip, netns}; spec: null, or a Pod's spec, whose
//       first container is made as a kubelet does
//   node cri.js SOCKET exec CONTAINER COMMAND...
//   node cri.js SOCKET remove SANDBOX
"use strict";
const path = require("path");
// The modules lie where npm was run, not beside this file.
const from = { paths: [process.env.CRI_MODULES || __dirname] };
const grpc = require(require.resolve("@grpc/grpc-js", from));
const loader = require(require.resolve("@grpc/proto-loader", from));

const [socket, verb, arg, ...more] = process.argv.slice(2);
const proto = loader.loadSync(path.join(__dirname, "cri.proto"), { keepCase: true });
const { RuntimeService } = grpc.loadPackageDefinition(proto).runtime.v1;
const client = new RuntimeService("unix://" + socket, grpc.credentials.createInsecure());

function call(method, request) {
	const deadline = Date.now() + 60000;
	return new Promise((done, fail) => client[method](request, { deadline },
		(err, reply) => err ? fail(new Error(`${method}: ${err.message}`)) : done(reply)));
}

// What a kubelet asks of the runtime for a container of a Pod's spec.
function fromSpec(p) {
	const c = p.spec.containers[0], security = c.securityContext;
	const volumes = Object.fromEntries(p.spec.volumes.map((v) => [v.name, v.hostPath.path]));
	const place = process.env.CRI_HOST_PATHS ? JSON.parse(process.env.CRI_HOST_PATHS) : {};
	const profile = (security.seccompProfile || p.spec.securityContext.seccompProfile || {}).type;
	return {
		image: { image: c.image },
		command: c.command,
		envs: c.env.map((e) => ({ key: e.name,
			value: e.valueFrom ? { "spec.nodeName": p.node }[e.valueFrom.fieldRef.fieldPath] : e.value })),
		mounts: c.volumeMounts.map((m) => ({
			container_path: m.mountPath,
			host_path: place[volumes[m.name]] || volumes[m.name],
			readonly: !!m.readOnly,
			propagation: m.mountPropagation === "HostToContainer" ?
				"PROPAGATION_HOST_TO_CONTAINER" : "PROPAGATION_PRIVATE",
		})),
		linux: { security_context: {
			capabilities: { add_capabilities: security.capabilities.add,
				drop_capabilities: security.capabilities.drop },
			namespace_options: { network: p.spec.hostNetwork ? "NODE" : "POD",
				pid: p.spec.hostPID ? "NODE" : "CONTAINER" },
			run_as_user: { value: security.runAsUser },
			readonly_rootfs: security.readOnlyRootFilesystem,
			no_new_privs: security.allowPrivilegeEscalation === false,
			seccomp: { profile_type: profile || "Unconfined" },
		} },
	};
}

async function exec(id, cmd) {
	const reply = await call("ExecSync", { container_id: id, cmd, timeout: 60 });
	process.stdout.write(reply.stdout || "");
	process.stderr.write(reply.stderr || "");
	process.exitCode = reply.exit_code || 0;
}

async function run(p) {
	const labels = {
		"io.kubernetes.pod.name": p.name,
		"io.kubernetes.pod.namespace": p.namespace,
		"io.kubernetes.pod.uid": p.uid,
	};
	const config = {
		metadata: { name: p.name, uid: p.uid, namespace: p.namespace, attempt: 0 },
		hostname: p.host ? "" : p.name,	// a hostNetwork pod has the node's
		log_directory: `/var/log/pods/${p.namespace}_${p.name}_${p.uid}`,
		labels,
		linux: {
			cgroup_parent: p.cgroup,
			security_context: { namespace_options: { network: p.host ? "NODE" : "POD",
				pid: p.spec && p.spec.hostPID ? "NODE" : "POD" } },
		},
	};
	const sandbox = (await call("RunPodSandbox", { config })).pod_sandbox_id;
	const container = (await call("CreateContainer", {
		pod_sandbox_id: sandbox,
		config: {
			metadata: { name: p.name, attempt: 0 },
			image: { image: p.image },
			command: ["/pause"],
			labels: { ...labels, "io.kubernetes.container.name": p.name },
			log_path: `${p.name}/0.log`,
			...(p.spec ? fromSpec(p) : {}),
		},
		sandbox_config: config,
	})).container_id;
	await call("StartContainer", { container_id: container });
	const pod = await call("PodSandboxStatus", { id: sandbox, verbose: true });
	const podInfo = JSON.parse(pod.info.info);
	const info = JSON.parse((await call("ContainerStatus", { id: container, verbose: true })).info.info);
	const net = podInfo.runtimeSpec.linux.namespaces.find((n) => n.type === "network");
	return {
		sandbox, container, pid: info.pid, pausePid: podInfo.pid,
		ip: pod.status.network ? pod.status.network.ip : "",
		netns: net && net.path ? net.path : "",
	};
}

async function remove(sandbox) {
	await call("StopPodSandbox", { pod_sandbox_id: sandbox });
	await call("RemovePodSandbox", { pod_sandbox_id: sandbox });
	return {};
}

(verb === "run" ? run(JSON.parse(arg)) : verb === "exec" ? exec(arg, more) : remove(arg)).then(
	(reply) => { if (reply) console.log(JSON.stringify(reply)); client.close(); },
	(err) => { console.error("cri.js: " + err.message); process.exit(1); });
