// SPDX-License-Identifier: BSD-3-Clause
// validate.js - Kubernetes objects (JSON, one after the other on stdin) against the JSON schemas that
// the npm package kubernetes-models compiles from the API's own definitions.
//
//   node validate.js MODULES      a line a fault; exit status 1 if there are any
"use strict";
const from = { paths: [process.argv[2]] };
const modules = {
	"v1/Namespace": "kubernetes-models/v1/Namespace",
	"apps/v1/DaemonSet": "kubernetes-models/apps/v1/DaemonSet",
	"batch/v1/Job": "kubernetes-models/batch/v1/Job",
};
let faults = 0;
for (const line of require("fs").readFileSync(0, "utf8").split("\n").filter((l) => l.trim())) {
	const object = JSON.parse(line);
	const id = `${object.apiVersion}/${object.kind}`;
	try {
		if (!modules[id])
			throw new Error("no schema for this kind");
		const Model = require(require.resolve(modules[id], from))[object.kind];
		new Model(object).validate();
	} catch (err) {
		faults++;
		console.log(`${id}: ${err.message}`);
	}
}
process.exit(faults ? 1 : 0);
