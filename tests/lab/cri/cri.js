// SPDX-License-Identifier: BSD-3-Clause
// cri.js - makes and removes a pod over CRI.
//
//   node cri.js SOCKET run '{"name","namespace","uid","cgroup","image","host"}'
//       prints {sandbox, container, pid, pausePid, ip, netns}
//   node cri.js SOCKET remove SANDBOX
"use strict";
const path = require("path");
// The modules lie where npm was run, not beside this file.
const from = { paths: [process.env.CRI_MODULES || __dirname] };
const grpc = require(require.resolve("@grpc/grpc-js", from));
const loader = require(require.resolve("@grpc/proto-loader", from));

const [socket, verb, arg] = process.argv.slice(2);
const proto = loader.loadSync(path.join(__dirname, "cri.proto"), { keepCase: true });
const { RuntimeService } = grpc.loadPackageDefinition(proto).runtime.v1;
const client = new RuntimeService("unix://" + socket, grpc.credentials.createInsecure());

function call(method, request) {
	const deadline = Date.now() + 60000;
	return new Promise((done, fail) => client[method](request, { deadline },
		(err, reply) => err ? fail(new Error(`${method}: ${err.message}`)) : done(reply)));
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
			security_context: { namespace_options: { network: p.host ? "NODE" : "POD" } },
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

(verb === "run" ? run(JSON.parse(arg)) : remove(arg)).then(
	(reply) => { console.log(JSON.stringify(reply)); client.close(); },
	(err) => { console.error("cri.js: " + err.message); process.exit(1); });
