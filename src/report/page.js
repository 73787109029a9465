// SPDX-License-Identifier: BSD-3-Clause
// page.js - draws the report from the two JSON documents of its page.
//
// h() and svg() are the one way into the document: they set text as text, and what a
// string could hide (control characters, direction marks) is spelled out by shown().
"use strict";
(() => {
	const R = JSON.parse(document.getElementById("report").textContent);
	const C = JSON.parse(document.getElementById("context").textContent);
	const ROLES = ["veth", "bridge", "vtep", "underlay"];
	const LANES_MAX = 16; // drawn; a node has a dozen paths, the table has all
	const PAGE = 100; // flows shown at a time
	const $ = (id) => document.getElementById(id);

	// ------------------------------------------------------------ document

	const shown = (s) => String(s).replace(/[\p{C}\p{Zl}\p{Zp}]/gu,
		(c) => "\\u{" + c.codePointAt(0).toString(16) + "}");

	function fill(e, attrs, kids) {
		for (const [k, v] of Object.entries(attrs || {})) {
			if (typeof v === "function")
				e.addEventListener(k, v);
			else if (v !== null && v !== undefined && v !== false)
				e.setAttribute(k, shown(v === true ? "" : v));
		}
		for (const k of kids.flat(Infinity)) {
			if (k === null || k === undefined || k === "")
				continue;
			e.append(k instanceof Node ? k : document.createTextNode(shown(k)));
		}
		return e;
	}
	const h = (tag, attrs, ...kids) => fill(document.createElement(tag), attrs, kids);
	const svg = (tag, attrs, ...kids) =>
		fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attrs, kids);

	// A figure that the page's test, and a curious reader, finds exact.
	const fact = (key, value, text) =>
		h("span", { "data-key": key, "data-value": value, title: text === count(value) ? null : value },
			text);

	// ------------------------------------------------------------- figures

	const count = (n) => n === null || n === undefined ? "\u2013" : n.toLocaleString("en-US");
	const short = (n) => n < 1e5 ? count(n)
		: n.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 1 });
	const plural = (n, noun) => count(n) + " " + noun + (n === 1 ? "" : "s");
	// Cut, not rounded, as the text report does: both show the same figures.
	function scaled(n, units) {
		let i = 0, v = n;
		while (i + 1 < units.length && v >= 1000) {
			v /= 1000;
			i++;
		}
		const digits = i === 0 || v >= 100 ? 0 : v >= 10 ? 1 : 2, p = 10 ** digits;
		return (i === 0 ? count(v) : (Math.floor(v * p + 1e-6) / p).toFixed(digits)) + "\u00a0" + units[i];
	}
	const bytes = (n) => scaled(n, ["B", "kB", "MB", "GB", "TB", "PB", "EB"]);
	// The kernel stamps in microseconds: digits behind them are noise.
	const ns = (n) => n === null || n === undefined ? "\u2013"
		: n >= 1e3 && n < 1e6 && (n >= 1e4 || n % 1000 === 0) ? Math.floor(n / 1000) + "\u00a0\u00b5s"
		: scaled(n, ["ns", "\u00b5s", "ms", "s"]);
	const pct = (part, whole) => whole ? (Math.floor(1000 * part / whole) / 10).toFixed(1) + "\u00a0%" : "\u2013";
	function duration(n) {
		const s = Math.floor(n / 1e9), two = (v) => String(v).padStart(2, "0");
		return s < 120 ? ns(n)
			: s < 7200 ? Math.floor(s / 60) + " min " + two(s % 60) + " s"
			: s < 172800 ? Math.floor(s / 3600) + " h " + two(Math.floor(s / 60) % 60) + " min"
			: Math.floor(s / 86400) + " d " + two(Math.floor(s / 3600) % 24) + " h";
	}
	function time(n) {
		const d = new Date(n / 1e6);
		return n === null || isNaN(d) ? "\u2013" : d.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
	}
	const sum = (list, key) => list.reduce((a, x) => a + x[key], 0);
	const arrow = (from, to) => (from || "?") + " \u2192 " + (to || "?");

	// --------------------------------------------------------------- names

	const names = new Map(Object.entries(C.names));
	const podName = (p) => p.name ? (p.namespace ? p.namespace + "/" : "") + p.name : p.ips[0] || "a pod";
	for (const p of C.pods)
		for (const ip of p.ips)
			if (p.name && !names.has(ip))
				names.set(ip, podName(p));
	const withPort = (ip, port) => ip === null ? "\u2013" : port === null ? ip
		: ip.includes(":") ? "[" + ip + "]:" + port : ip + ":" + port;

	// -------------------------------------------------------------- tables

	// A column: label, cell(row) (text or node), num, wide, named, sort(row), cls.
	function table(label, cols, rows, sortable, cls) {
		const head = cols.map((c) => h("th", { role: "columnheader", scope: "col", class: c.num ? "num" : c.cls },
			c.axis ? [c.label, c.axis()] : c.label));
		const body = h("tbody", { role: "rowgroup" });
		const t = h("table", { role: "table", "aria-label": label, class: sortable ? "sortable" : cls },
			h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)), body);
		t.fillRows = (list) => body.replaceChildren(...list.map((r) => h("tr", { role: "row" },
			cols.map((c) => h("td", {
				role: "cell", "data-label": c.label, "data-value": c.num && c.sort ? c.sort(r) : null,
				class: [c.num && "num", c.wide && "wide", c.named && "named", c.cls].filter(Boolean).join(" ") || null,
			}, c.cell(r))))));
		t.heads = head;
		t.fillRows(rows);
		return t;
	}

	function section(id, title, about, ...kids) {
		$("nav").append(h("a", { href: "#" + id }, title));
		const s = h("section", { id, "aria-labelledby": id + "-h" },
			h("h2", { id: id + "-h" }, title), about ? h("p", {}, about) : null, kids);
		$("main").append(s);
		return s;
	}

	// ---------------------------------------------------------------- head

	function head() {
		const pods = C.pods.map(podName), node = R.node || "an unnamed node";
		const cap = R.capture, seen = cap.start_ns !== null;
		const who = pods.length === 0 ? [node]
			: [pods.slice(0, 3).join(", ") + (pods.length > 3 ? " and " + (pods.length - 3) + " more" : ""),
				h("small", {}, " on " + node)];
		$("title").replaceChildren(...who.map((x) => x instanceof Node ? x : shown(x)));
		document.title = shown((pods[0] || node) + " \u2013 podhop report");
		const ips = C.pods.length === 1 ? C.pods[0].ips.join(", ") + " \u00b7 " : "";
		$("subtitle").textContent = shown(seen ? ips + time(cap.start_ns) + " \u00b7 " +
			duration(cap.end_ns - cap.start_ns) + " \u00b7 " + plural(cap.observations, "frame") + " captured"
			: ips + "nothing was captured");
	}

	function verdict() {
		const total = R.packets.total, lost = R.losses.filter((l) => l.verdict === "lost");
		const unknown = R.losses.filter((l) => l.verdict !== "lost");
		const n = sum(lost, "packets"), u = sum(unknown, "packets");
		let cls = "ok", text, more = [];
		if (total === 0) {
			cls = "none";
			text = "No packet of the pod was seen.";
		} else if (n) {
			cls = "lost";
			text = count(n) + " of " + plural(total, "packet") + (n === 1 ? " was" : " were") + " lost" +
				(lost.length === 1 ? " between " + (lost[0].last_seen || "?") + " and " + (lost[0].next_expected || "?")
				: ", at " + lost.length + " places") + ".";
		} else if (u) {
			cls = "warn";
			text = count(u) + " of " + plural(total, "packet") + " did not reach the end of the path; whether " +
				"they were lost cannot be said.";
		} else if (R.packets.complete === total) {
			text = total === 1 ? "The one packet was seen at every hop of its path."
				: "All " + count(total) + " packets were seen at every hop of their path.";
		} else {
			cls = "warn";
			text = "No packet is known to be lost. " + count(R.packets.complete) + " of " +
				count(total) + " were seen at every hop of their path.";
		}
		if (n && u)
			more.push(count(u) + " more did not reach the end of the path, which may have other reasons.");
		if (total && R.packets.edge)
			more.push(count(R.packets.edge) + (R.packets.edge === 1 ? " is" : " are") + " too near the start or the end of the capture to be judged.");
		if (total && R.packets.ambiguous)
			more.push(count(R.packets.ambiguous) + " cannot be told from others that look alike.");
		const dropped = R.capture.interfaces.reduce((a, i) =>
			a + (i.dropped_kernel || 0) + (i.dropped_interface || 0) + i.dropped_podhop, 0);
		if (dropped)
			more.push("The capture itself missed " + plural(dropped, "frame") + ".");
		for (const i of R.inputs.filter((x) => x.truncated_at !== null))
			more.push("The file " + (i.file || "?") + " was read to byte " + count(i.truncated_at) + " only.");
		$("main").append(h("p", { class: "verdict " + cls, id: "verdict" }, text,
			more.map((m) => h("small", {}, m))));
	}

	function tiles(list) {
		return h("dl", { class: "tiles" }, list.map((t) => h("div", { class: t.cls },
			h("dt", {}, t.label), h("dd", {}, t.value), t.note ? h("dd", {}, t.note) : null)));
	}

	function summary() {
		const p = R.packets, e = R.encapsulation;
		const tile = (key, label, cls) => ({ label, cls: p[key] ? cls : null,
			value: fact("packets." + key, p[key], count(p[key])), note: p.total ? pct(p[key], p.total) : null });
		$("main").append(tiles([
			{ label: "Packets", value: fact("packets.total", p.total, count(p.total)),
				note: p.not_ip + p.malformed ? "and " + plural(p.not_ip + p.malformed, "other frame") : "of the pod" },
			tile("complete", "Complete"), tile("incomplete", "Incomplete", "bad"),
			tile("ambiguous", "Ambiguous", "odd"), tile("edge", "At the edge"),
			{ label: "VXLAN overhead", value: fact("encapsulation.overhead_bytes", e.overhead_bytes, bytes(e.overhead_bytes)),
				note: e.inner_bytes ? pct(e.overhead_bytes, e.inner_bytes) + " more bytes" : "nothing encapsulated" },
		]));
	}

	// ------------------------------------------------------------- drawing

	// Packets seen last at `from` with `to` (null: anything) expected next.
	function goneBetween(direction, from, to) {
		const list = R.losses.filter((l) => l.direction === direction && l.last_seen === from &&
			(to === null || l.next_expected === to));
		return { n: sum(list, "packets"), bytes: sum(list, "bytes"), lost: list.some((l) => l.verdict === "lost"),
			to: list.length ? list[0].next_expected : null };
	}

	// Packets that should have gone on are drawn on the path that they should have taken.
	function lanes() {
		const all = R.paths.map((row) => {
			const words = row.path ? row.path.split(">") : [], cut = words[words.length - 1] === "loop";
			const roles = words.filter((w) => ROLES.includes(w));
			return { row, roles, cut, packets: row.packets, bytes: row.bytes, absorbed: false, expected: null,
				at: roles.map(() => row.packets), gone: roles.map(() => 0), lost: roles.map(() => false) };
		}).filter((d) => d.roles.length);
		for (const d of all) {
			let best = null, lost = false;
			const last = d.roles.length - 1;
			// Some of the row may rightly end here: how many is known when it is the only one that does.
			const alone = all.filter((k) => k.row.direction === d.row.direction &&
				k.roles[k.roles.length - 1] === d.roles[last] && (k === d || k.roles.length < d.roles.length + 2)).length === 1;
			let part = { n: d.row.packets, bytes: d.row.bytes };
			for (const k of all) {
				if (d.cut || k.row.direction !== d.row.direction || k.roles.length <= d.roles.length ||
				    !d.roles.every((r, i) => k.roles[i] === r) || (best && k.roles.length <= best.roles.length))
					continue;
				const g = goneBetween(d.row.direction, d.roles[last], k.roles[last + 1]);
				if (!g.n || (g.n < d.row.packets && !alone))
					continue;
				best = k;
				lost = g.lost;
				part = g.n < d.row.packets ? g : { n: d.row.packets, bytes: d.row.bytes };
			}
			if (!best)
				continue;
			d.roles.forEach((r, i) => { best.at[i] += part.n; d.at[i] -= part.n; });
			best.gone[last] += part.n;
			best.lost[last] = best.lost[last] || lost;
			best.packets += part.n;
			best.bytes += part.bytes;
			d.packets -= part.n;
			d.bytes -= part.bytes;
			d.absorbed = d.packets === 0;
		}
		for (const d of all) {
			const last = d.roles.length - 1, g = goneBetween(d.row.direction, d.roles[last], null);
			if (d.absorbed || d.packets < d.row.packets || !g.n || g.n > d.row.packets || d.gone[last])
				continue;
			d.gone[last] = g.n;
			d.lost[last] = g.lost;
			if (g.n === d.row.packets)
				d.expected = g.to;
		}
		return all.filter((d) => !d.absorbed);
	}

	// Beyond the first or last hop; "host" is this node, "node" another one.
	function beyond(d, first) {
		const podSide = first === (d.row.direction === "egress");
		const role = d.roles[first ? 0 : d.roles.length - 1];
		if (d.row.direction === "other" || (!first && (d.cut || d.expected)))
			return null;
		if (role === "veth")
			return podSide || d.roles.length > 1 ? "pod" : null;
		if (podSide || role === "vtep")
			return null;
		if (role === "bridge")
			return d.row.complete ? "host" : null;
		return d.row.encapsulated ? "other node" : "outside";
	}

	const latencyOf = (d, i) => R.latency.find((l) => l.direction === d.row.direction &&
		l.from === d.roles[i] && l.to === d.roles[i + 1]);

	function drawing(width) {
		const narrow = width < 620, list = lanes(), drawn = list.slice(0, LANES_MAX);
		const used = ROLES.filter((r) => R.capture.interfaces.some((i) => i.role === r) ||
			drawn.some((d) => d.roles.includes(r) || d.expected === r));
		const edge = narrow ? 46 : 150, step = used.length > 1 ? (width - 2 * edge) / (used.length - 1) : 0;
		const x = { pod: 6, far: width - 6 };
		used.forEach((r, i) => { x[r] = used.length > 1 ? edge + i * step : width / 2; });
		const boxW = Math.min(narrow ? 84 : 150, (step || 150) - 8), top = 62, sub = 52;
		const back = svg("g", {}), front = svg("g", {});
		const text = (tx, ty, cls, s, anchor) => svg("text", { x: tx, y: ty, class: cls,
			"text-anchor": anchor || "middle" }, s);
		let y = top + 14;

		function lane(d) {
			const g = svg("g", { class: d.row.direction });
			const w = Math.min(5, 1.6 + Math.log10(Math.max(1, d.packets)) / 1.6);
			const line = (path, cls) => g.append(svg("path", { class: "lane", d: path, "stroke-width": w.toFixed(1), ...cls }));
			const tip = (tx, dir) => g.append(svg("path", { class: "head", d: "M" + (tx + dir * 7) + " " + cy +
				"l" + (-dir * 10) + " -5.5v11z" }));
			const dots = [], labels = [];
			let cy = y + 48, dir = d.row.direction === "ingress" ? -1 : 1;
			if (d.row.direction === "other" && d.roles.length > 1)
				dir = Math.sign(x[d.roles[1]] - x[d.roles[0]]) || 1;
			labels.push(svg("text", { x: 0, y: y + 15 }, svg("tspan", { class: "strong" }, d.row.direction),
				svg("tspan", { class: "soft" }, "\u2002" + plural(d.packets, "packet") + " \u00b7 " + bytes(d.bytes) +
					(d.row.encapsulated ? " \u00b7 VXLAN" : ""))));

			const from = beyond(d, true), first = x[d.roles[0]];
			if (from === "pod")
				line("M" + (x.pod + 6) + " " + cy + "H" + first);
			else if (from === "host") {
				line("M" + (first - dir * 34) + " " + cy + "H" + first);
				labels.push(text(first - dir * 38, cy + 4, "soft", "host", dir < 0 ? "start" : "end"));
			} else if (from) {
				line("M" + (x.far - 6) + " " + cy + "H" + first);
				if (!narrow)
					labels.push(text(width, cy + 20, "soft", from, "end"));
			}
			d.roles.forEach((role, i) => {
				const cx = x[role], here = cy;
				dots.push(svg("circle", { class: "dot", cx, cy, r: 5.5 },
					svg("title", {}, plural(d.at[i], "packet") + " at " + role)));
				labels.push(svg("text", { x: cx, y: cy + 21, class: "strong ink halo", "text-anchor": "middle",
					"data-key": "at", "data-value": d.at[i] }, narrow ? short(d.at[i]) : count(d.at[i])));
				const goneLabel = (gx, gy) => {
					const cls = d.lost[i] ? "lostc" : "unknown";
					labels.push(svg("g", { class: cls },
						svg("circle", { class: "gap", cx: gx, cy: gy, r: 10 }),
						svg("path", { class: "gone", d: "M" + (gx - 5) + " " + (gy - 5) + "l10 10m0 -10l-10 10" }),
						text(gx, gy + 21, "strong halo", (narrow ? short(d.gone[i]) : count(d.gone[i])) +
							(d.lost[i] ? " lost" : " missing"))));
				};
				if (i + 1 === d.roles.length) {
					const to = beyond(d, false);
					if (d.expected && x[d.expected] !== undefined) {
						const ex = x[d.expected], mid = (cx + ex) / 2 || cx + dir * 30;
						line("M" + cx + " " + cy + "H" + mid, { "stroke-dasharray": "1 7" });
						goneLabel(mid, cy);
						return;
					}
					if (to === "pod") {
						line("M" + cx + " " + cy + "H" + (x.pod + 6));
						tip(x.pod + 6, -1);
					} else if (to === "host") {
						line("M" + cx + " " + cy + "H" + (cx + dir * 34));
						tip(cx + dir * 34, dir);
						labels.push(text(cx + dir * 46, cy + 4, "soft", "host", dir < 0 ? "end" : "start"));
					} else if (to) {
						line("M" + cx + " " + cy + "H" + (x.far - 6));
						tip(x.far - 6, 1);
						if (!narrow)
							labels.push(text(width, cy + 20, "soft", to, "end"));
					} else if (d.cut) {
						labels.push(text(cx + dir * 14, cy + 4, "soft", "\u2026", dir < 0 ? "end" : "start"));
					}
					if (d.gone[i])
						goneLabel(cx + dir * Math.min(60, step / 2 || 60), cy);
					return;
				}
				const nx = x[d.roles[i + 1]], move = Math.sign(nx - cx), l = latencyOf(d, i);
				let lx = (cx + nx) / 2, ly = cy - 9, anchor = "middle";
				if (move === 0 || move !== dir) {
					const bend = dir * 34;
					line("M" + cx + " " + cy + "C" + (cx + bend) + " " + cy + " " + (cx + bend) + " " + (cy + sub) +
						" " + cx + " " + (cy + sub) + (move ? "H" + nx : ""));
					dir = move || -dir;
					cy += sub;
					ly = cy - 9;
					if (!move) {
						lx = cx + (bend > 0 ? 32 : -32);
						ly = here + sub / 2 + 4;
						anchor = bend > 0 ? "start" : "end";
					}
				} else {
					line("M" + cx + " " + cy + "H" + nx);
				}
				if (d.gone[i]) {
					goneLabel(lx, move === 0 ? here : cy);
					ly -= 4;
				}
				labels.push(l && l.measurable && l.samples
					? svg("text", { x: lx, y: ly, class: "ink", "text-anchor": anchor }, ns(l.p50_ns),
						svg("title", {}, arrow(l.from, l.to) + ": p50 " + ns(l.p50_ns) + ", p90 " + ns(l.p90_ns) +
							", p99 " + ns(l.p99_ns) + ", max " + ns(l.max_ns) + ", " + plural(l.samples, "sample")))
					: l && !l.measurable ? svg("text", { x: lx, y: ly, class: "soft", "text-anchor": anchor },
						narrow ? "n/a" : "one stamp", svg("title", {}, "The kernel stamped the frame once for both hops."))
					: svg("g", {}));
			});
			g.append(...dots, ...labels);
			front.append(g);
			y = cy + 42;
		}
		for (const d of drawn) {
			if (d !== drawn[0])
				front.append(svg("line", { class: "split", x1: 0, x2: width, y1: y - 4, y2: y - 4 }));
			lane(d);
		}
		for (const r of used) {
			const devs = R.capture.interfaces.filter((i) => i.role === r);
			const hop = C.hops.filter((i) => i.role === r);
			const name = devs.length ? devs[0].name || "?" : "not captured", fits = Math.floor((boxW - 4) / (narrow ? 5.8 : 6.8));
			const tail = devs.length > 1 ? " +" + (devs.length - 1) : "", max = Math.max(4, fits - tail.length);
			back.append(svg("line", { class: "guide", x1: x[r], x2: x[r], y1: top - 8, y2: y - 8 }),
				svg("g", {}, svg("title", {}, devs.map((i) => (i.name || "?") + ": " + plural(i.observations, "frame") +
					", " + bytes(i.bytes)).join("; ") + hop.map((k) => (k.mtu ? "; MTU " + k.mtu : "") +
					(k.vni !== null ? "; VNI " + k.vni : "")).join("")),
				svg("rect", { class: "box", x: x[r] - boxW / 2, y: 0.5, width: boxW, height: 53, rx: 6 }),
				text(x[r], 17, "strong", r), text(x[r], 32, narrow ? "dev tiny" : "dev", (shown(name).length > max ? shown(name).slice(0, max - 1) +
					"\u2026" : name) + tail),
				text(x[r], 47, "soft", (narrow ? short : count)(sum(devs, "observations")) + (narrow ? "" : " frames"))));
		}
		if (!narrow)
			back.append(text(0, 17, "strong", C.pods.length > 1 ? "pods" : "pod", "start"),
				text(width - 2, 17, "strong", "network", "end"));
		const said = list.map((d) => d.row.direction + ", " + d.roles.map((r, i) => r + " " + count(d.at[i]) +
			(d.gone[i] ? ", " + count(d.gone[i]) + (d.lost[i] ? " lost" : " missing") : "")).join(", then ")).join(". ");
		return svg("svg", { viewBox: "0 0 " + width + " " + Math.max(y - 4, top), role: "img",
			"aria-label": "Packets at each hop. " + said }, back, front);
	}

	function paths() {
		const box = h("div", { id: "drawing" }), n = lanes().length;
		const rows = R.paths;
		section("path", "Path", n ? "Packets seen at each hop, and the median time from one hop to the next. " +
			"Packets out of the pod go from left to right." : "No path: no packet was seen.",
		n ? box : null, n > LANES_MAX ? h("p", {}, plural(n - LANES_MAX, "rarer path") + " not drawn; the table has them.") : null,
		rows.length ? h("details", {}, h("summary", {}, "Paths as a table"), table("Paths", [
			{ label: "Path", cell: (r) => (r.path || "\u2013").split(">").join(" \u2192 "), wide: true },
			{ label: "Direction", cell: (r) => h("span", { class: r.direction }, r.direction) },
			{ label: "VXLAN", cell: (r) => r.encapsulated ? "yes" : "no" },
			{ label: "Packets", num: true, sort: (r) => r.packets, cell: (r) => count(r.packets) },
			{ label: "Bytes", num: true, sort: (r) => r.bytes, cell: (r) => bytes(r.bytes) },
		], rows)) : null);
		if (!n)
			return;
		let last = 0;
		const draw = (w) => {
			if (w === last)
				return;
			last = w;
			box.replaceChildren(drawing(w));
		};
		const fit = () => draw(Math.max(260, Math.min(1240, Math.round(box.clientWidth) || 900)));
		fit();
		if (window.ResizeObserver)
			new ResizeObserver(() => requestAnimationFrame(fit)).observe(box);
		addEventListener("beforeprint", () => draw(960));
		addEventListener("afterprint", fit);
	}

	// -------------------------------------------------------------- losses

	function losses() {
		const left = R.losses_omitted ? [h("p", {}, plural(R.losses_omitted, "more place") + " left out.")] : [];
		section("losses", "Losses", R.losses.length
			? "Where packets were seen last, and what came of it. \u201cLost\u201d is said only where no hop missed a frame in that time."
			: "No packet went missing.",
		R.losses.map((l) => h("div", { class: l.verdict === "lost" ? "loss" : "loss unsure" },
			h("h3", {}, fact("losses.packets", l.packets, plural(l.packets, "packet")),
				l.verdict === "lost" ? " lost, " : " missing, ", arrow(l.last_seen, l.next_expected)),
			h("p", {}, h("span", { class: l.direction }, l.direction), ", " + bytes(l.bytes),
				l.reason ? ": " + l.reason : ""),
			l.evidence.some(Boolean) ? h("ul", {}, l.evidence.filter(Boolean).map((e) => h("li", {}, e))) : null)), left);
	}

	// ------------------------------------------------------------- latency

	function latency() {
		const known = R.latency.filter((l) => l.measurable && l.samples && l.bars.length);
		const blind = R.latency.filter((l) => !l.measurable);
		const about = known.length ? "Time from one hop to the next, packet by packet; the scale is logarithmic and the same in " +
			"every row, the line marks the median." : "No two hops whose stamps can be compared.";
		// Stamps are microseconds: what is nearer than a quarter of one has equal stamps, and a place of its own.
		const NEAR = 256;
		const far = known.flatMap((l) => l.bars).filter((b) => b.from_ns >= NEAR);
		const near = known.some((l) => l.bars[0].from_ns < NEAR) ? 0.05 : 0;
		const lo = Math.log10(far.reduce((a, b) => Math.min(a, b.from_ns), far.length ? Infinity : 1000)) - 0.05;
		const hi = Math.max(Math.log10(far.reduce((a, b) => Math.max(a, b.to_ns), 1)) + 0.05, lo + 1);
		const at = (v) => v < NEAR ? near / 2 : near + (1 - near) * Math.max(0, Math.min(1, (Math.log10(v) - lo) / (hi - lo)));
		const decades = [];
		for (let e = Math.ceil(lo); e <= hi; e++)
			decades.push(Math.pow(10, e));
		const axis = () => h("div", { class: "axis", "aria-hidden": "true" }, near ? h("span", { class: "first", style: "left:0" }, "0") : null,
			decades.map((v) => h("span", {
			style: "left:" + (100 * at(v)).toFixed(2) + "%",
			class: at(v) < near + 0.02 ? "first" : at(v) > 0.94 ? "last" : null }, ns(v).replace(/\.0+(?=\u00a0)/, ""))));
		function chart(l) {
			const W = 400, H = 34, bars = [];
			const equal = sum(l.bars.filter((b) => b.from_ns < NEAR), "samples");
			if (equal)
				bars.push({ a: 0, z: (near - 0.015) * W, n: equal, said: "equal stamps" });
			for (const b of l.bars.filter((k) => k.from_ns >= NEAR))
				bars.push({ a: at(b.from_ns) * W, z: at(b.to_ns) * W, n: b.samples, said: ns(b.from_ns) + " \u2013 " + ns(b.to_ns) });
			const high = Math.max(...bars.map((b) => b.n));
			return [svg("svg", { viewBox: "0 0 " + W + " " + H, preserveAspectRatio: "none", class: l.direction, role: "img",
				"aria-label": "distribution from " + ns(l.min_ns) + " to " + ns(l.max_ns) + ", most near " + ns(l.p50_ns) },
			decades.map((v) => svg("line", { class: "tick", x1: at(v) * W, x2: at(v) * W, y1: 0, y2: H })),
			bars.map((b) => svg("rect", { class: "fill", x: b.a.toFixed(2), width: Math.max(0.8, b.z - b.a - 0.6).toFixed(2),
				y: (H - Math.max(1.5, (H - 2) * b.n / high)).toFixed(2), height: H },
			svg("title", {}, b.said + ": " + plural(b.n, "packet")))),
			svg("line", { class: "mid", x1: at(l.p50_ns) * W, x2: at(l.p50_ns) * W, y1: 0, y2: H })), axis()];
		}
		const col = (key, label) => ({ label, num: true, sort: (l) => l[key], cell: (l) => ns(l[key]) });
		section("latency", "Latency", about, known.length ? table("Latency", [
			{ label: "Hops", wide: true, cls: "whole", cell: (l) => [arrow(l.from, l.to), h("small", { class: l.direction }, l.direction)] },
			{ label: "", cls: "chart", wide: true, axis, cell: chart },
			col("p50_ns", "p50"), col("p90_ns", "p90"), col("p99_ns", "p99"), col("max_ns", "max"),
			{ label: "Samples", num: true, sort: (l) => l.samples, cell: (l) => count(l.samples) },
		], known, false, "latency") : null, blind.length ? h("p", {}, "Not measurable, since the kernel stamped the frame once for both hops: " +
			blind.map((l) => arrow(l.from, l.to) + " (" + l.direction + ", " + plural(l.samples, "packet") + ")").join(", ") + ".") : null);
	}

	// -------------------------------------------------------- encapsulation

	function encapsulation() {
		const e = R.encapsulation, whole = e.inner_bytes + e.overhead_bytes;
		if (!e.inner_packets) {
			section("vxlan", "Encapsulation", "No packet was encapsulated.");
			return;
		}
		const basis = { observed: "every datagram was seen", computed: "datagrams computed from segment sizes",
			mixed: [e.outer_datagrams_computed < e.outer_datagrams ? "partly seen" : "",
				e.outer_datagrams_computed ? "partly computed from segment sizes" : "",
				e.inner_packets_unknown ? "without " + plural(e.inner_packets_unknown, "packet") +
					" of unknown segment size" : ""].filter((s) => s).join(", "),
			unknown: "cannot be told" }[e.basis];
		const span = (s) => s.max_length === null ? count(s.min_length) + " B and more"
			: s.min_length === 0 ? "up to " + count(s.max_length) + " B" : count(s.min_length) + "\u2013" + count(s.max_length) + " B";
		const share = (s) => s.inner_bytes ? s.overhead_bytes / s.inner_bytes : 0;
		const most = Math.max(...e.sizes.map(share), 1e-9);
		const meter = (v, of) => h("span", { class: "meter", "aria-hidden": "true" }, svg("svg", { viewBox: "0 0 100 1",
			preserveAspectRatio: "none" }, svg("rect", { x: 0, y: 0, height: 1, width: (100 * v / of).toFixed(2) })));
		section("vxlan", "Encapsulation", "What VXLAN added: outer headers, once for each datagram on the wire. Packets longer than " +
			"the MTU are super-frames, cut into datagrams by the network card.",
		whole ? [h("div", { class: "wire" }, svg("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", role: "img",
			"aria-label": pct(e.overhead_bytes, whole) + " of the bytes on the wire are outer headers" },
		svg("rect", { class: "inner", x: 0, y: 0, height: 1, width: (100 * e.inner_bytes / whole).toFixed(3) }),
		svg("rect", { class: "over", x: (100 * e.inner_bytes / whole).toFixed(3), y: 0, height: 1, width: 100 }))),
		h("p", { class: "key" }, h("span", { class: "inner" }, h("i", {}),
			fact("encapsulation.inner_bytes", e.inner_bytes, bytes(e.inner_bytes)), " of inner frames"),
		h("span", { class: "over" }, h("i", {}), fact("encapsulation.overhead_bytes", e.overhead_bytes, bytes(e.overhead_bytes)),
			" of outer headers, " + pct(e.overhead_bytes, e.inner_bytes)),
		h("span", {}, fact("encapsulation.inner_packets", e.inner_packets, plural(e.inner_packets, "packet")), " in ",
			fact("encapsulation.outer_datagrams", e.outer_datagrams, plural(e.outer_datagrams, "datagram")),
			basis ? "; " + basis : ""),
		e.fragmented_outer ? h("span", { class: "unknown" }, plural(e.fragmented_outer, "datagram") + " fragmented, " +
			bytes(e.fragment_bytes) + " of extra headers") : null)] : null,
		e.sizes.length ? [h("h3", {}, "By packet length"), table("Overhead by packet length", [
			{ label: "Length", cell: span, wide: true, cls: "whole" },
			{ label: "", cls: "chart", wide: true, cell: (s) => meter(share(s), most) },
			{ label: "Overhead", num: true, sort: share, cell: (s) => pct(s.overhead_bytes, s.inner_bytes) },
			{ label: "Bytes added", num: true, sort: (s) => s.overhead_bytes, cell: (s) => bytes(s.overhead_bytes) },
			{ label: "Datagrams", num: true, sort: (s) => s.outer_datagrams, cell: (s) => count(s.outer_datagrams) },
			{ label: "Packets", num: true, sort: (s) => s.packets, cell: (s) => count(s.packets) },
		], e.sizes)] : null,
		e.tunnels.length ? [h("h3", {}, "Tunnels"), h("div", { class: "scroll" }, table("Tunnels", [
			{ label: "From", cls: "end", wide: true, cell: (t) => end(t.outer_src, null) },
			{ label: "To", cls: "end", wide: true, cell: (t) => end(t.outer_dst, t.port) },
			{ label: "VNI", num: true, sort: (t) => t.vni, cell: (t) => String(t.vni) },
			{ label: "Packets", num: true, sort: (t) => t.packets, cell: (t) => count(t.packets) },
			{ label: "Datagrams", num: true, sort: (t) => t.outer_datagrams, cell: (t) => count(t.outer_datagrams) },
			{ label: "Inner bytes", num: true, sort: (t) => t.inner_bytes, cell: (t) => bytes(t.inner_bytes) },
			{ label: "Overhead", num: true, sort: (t) => t.overhead_bytes, cell: (t) => bytes(t.overhead_bytes) },
			{ label: "Basis", cell: (t) => t.basis || "\u2013" },
		], e.tunnels))] : null);
	}

	// --------------------------------------------------------------- flows

	function end(ip, port, nat) {
		return [h("span", { class: "mono" }, withPort(ip, port)), names.has(ip) ? h("small", {}, names.get(ip)) : null,
			nat ? h("small", { title: "translated" }, "nat ", h("span", { class: "mono" }, nat)) : null];
	}

	// Addresses in numeric order: every group of digits at one width.
	const addrKey = (ip, port) => ip === null ? "" : (ip.includes(":") ? "6" + ip.split("::").map((s) => s.split(":"))
		.reduce((a, part, i, halves) => i === 0 && halves.length === 1 ? part : i === 0 ? part
			: a.concat(Array(Math.max(0, 8 - a.length - part.length)).fill("0"), part), [])
		.map((g) => g.padStart(4, "0")).join("") : "4" + ip.replace(/\d+/g, (d) => d.padStart(3, "0")).replace(/\./g, "")) +
		" " + String(port === null ? 0 : port).padStart(5, "0");

	function flows() {
		const all = R.flows, omitted = R.flows_omitted;
		if (!all.length) {
			section("flows", "Flows", "No flow was seen.");
			return;
		}
		const changed = (f, a, p) => f.translated && f.translated[a] !== null &&
			(f.translated[a] !== f[a] || f.translated[p] !== f[p]) ? withPort(f.translated[a], f.translated[p]) : null;
		const num = (label, key, cell) => ({ label, num: true, sort: (f) => f[key], cell: (f) => cell(f[key]) });
		const cols = [
			{ label: "Protocol", sort: (f) => String(f.protocol), cell: (f) => typeof f.protocol === "number"
				? "protocol " + f.protocol : f.protocol },
			{ label: "Direction", sort: (f) => f.direction, cell: (f) => h("span", { class: f.direction }, f.direction) },
			{ label: "Source", cls: "end", wide: true, sort: (f) => addrKey(f.src, f.sport),
				cell: (f) => end(f.src, f.sport, changed(f, "src", "sport")) },
			{ label: "Destination", cls: "end", wide: true, sort: (f) => addrKey(f.dst, f.dport),
				cell: (f) => end(f.dst, f.dport, changed(f, "dst", "dport")) },
			{ label: "Path", wide: true, sort: (f) => f.path || "", cls: "way", cell: (f) => h("span", { class: "none" },
				(f.path || "\u2013").split(">").join("\u200a\u203a\u200a")) },
			num("Packets", "packets", count), num("Bytes", "bytes", bytes), num("Payload", "payload_bytes", bytes),
			num("Overhead", "overhead_bytes", (v) => v ? bytes(v) : "\u2013"), num("Retrans.", "retransmissions", (v) => v ? count(v) : "\u2013"),
		];
		const hay = all.map((f) => [f.protocol, withPort(f.src, f.sport), withPort(f.dst, f.dport), f.direction, f.path,
			f.translated ? withPort(f.translated.src, f.translated.sport) + " " + withPort(f.translated.dst, f.translated.dport) : "",
			...[f.src, f.dst, f.translated && f.translated.src, f.translated && f.translated.dst].map((a) => names.get(a) || ""),
			f.retransmissions ? "retransmissions" : ""].join(" ").toLowerCase());
		const index = all.map((_, i) => i);
		let sorted = 6, down = true, limit = PAGE, list = index;

		const search = h("input", { type: "search", id: "search", placeholder: "address, port, name, protocol \u2026",
			autocomplete: "off", spellcheck: "false", input: () => { limit = PAGE; show(); } });
		const way = h("select", { id: "way", change: () => { limit = PAGE; show(); } },
			["both directions", "egress", "ingress", "other"].filter((d, i) => !i || all.some((f) => f.direction === d))
				.map((d, i) => h("option", { value: i ? d : "" }, d)));
		const said = h("output", { id: "found", for: "search way", "aria-live": "polite" });
		const more = h("div", { class: "more" }, h("button", { type: "button", click: () => { limit += PAGE; show(); } }, "Show " + PAGE + " more"),
			h("button", { type: "button", click: () => { limit = Infinity; show(); } }, "Show all"));
		const t = table("Flows", cols, [], true);
		t.id = "flowtable";
		t.heads.forEach((th, i) => {
			th.replaceChildren(h("button", { type: "button", click: () => {
				down = sorted === i ? !down : !!cols[i].num;
				sorted = i;
				show();
			} }, cols[i].label));
		});

		function show() {
			const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), key = cols[sorted].sort;
			const keys = new Map();
			list = index.filter((i) => (!way.value || all[i].direction === way.value) && words.every((w) => hay[i].includes(w)));
			for (const i of list)
				keys.set(i, key(all[i]));
			list.sort((a, b) => {
				const p = keys.get(a), q = keys.get(b);
				return (p < q ? -1 : p > q ? 1 : 0) * (down ? -1 : 1) || a - b;
			});
			t.heads.forEach((th, i) => {
				if (i === sorted)
					th.setAttribute("aria-sort", down ? "descending" : "ascending");
				else
					th.removeAttribute("aria-sort");
			});
			t.fillRows(list.slice(0, limit).map((i) => all[i]));
			more.hidden = list.length <= limit;
			more.style.display = more.hidden ? "none" : "";
			said.textContent = (list.length === all.length ? plural(all.length, "flow") : count(list.length) + " of " + plural(all.length, "flow")) +
				(list.length ? ", " + plural(list.reduce((a, i) => a + all[i].packets, 0), "packet") : "") +
				(list.length > limit ? "; " + count(limit) + " shown" : "") + (omitted ? "; " + count(omitted) + " left out of the report" : "");
		}
		section("flows", "Flows", "One direction each, as the pod sees it; translation by a Service stands below the address.",
			h("div", { class: "tools", role: "search" }, h("label", {}, "Search", search), h("label", {}, "Show", way), said),
			h("div", { class: "scroll" }, t), more);
		show();
	}

	// ------------------------------------------------------------- capture

	function capture() {
		const c = R.capture, facts = [];
		const add = (k, v) => facts.push(h("dt", {}, k), h("dd", {}, v));
		if (c.start_ns !== null)
			add("Time", time(c.start_ns) + " to " + time(c.end_ns));
		add("Frames", [fact("capture.observations", c.observations, count(c.observations)), " kept, " + count(c.foreign) + " of others discarded"]);
		if (R.packets.not_ip || R.packets.malformed)
			add("Not counted", plural(R.packets.not_ip, "frame") + " without IP, " + count(R.packets.malformed) + " malformed");
		if (c.filter_unsure)
			add("Filter", plural(c.filter_unsure, "packet") + " kept although the filter could not decide");
		if (c.late || c.closed_early)
			add("Order", count(c.late) + " frames came too late for time order, " + count(c.closed_early) + " packets were closed early");
		if (c.clock_steps)
			add("Clock", "stepped " + plural(c.clock_steps, "time"));
		for (const i of R.inputs)
			add("File", (i.file || "?") + ", " + plural(i.frames, "frame") + (i.truncated_at === null ? "" :
				"; read to byte " + count(i.truncated_at) + (i.reason ? ": " + i.reason : "")));
		add("Cost", ns(c.cpu_ns) + " of CPU time, " + bytes(c.max_rss_bytes) + " of memory");
		const dropped = (label, key) => ({ label, num: true, sort: (i) => i[key], cell: (i) => i[key] === null ? "not known" : i[key]
			? h("strong", { class: "lostc" }, count(i[key])) : "0" });
		section("capture", "Capture", "What podhop saw, what it missed, and what it cost. A packet is complete when it was seen at " +
			"every hop its path needs, and at the edge when it may have begun before the capture or ended after it.",
		c.interfaces.length ? table("Interfaces", [
			{ label: "Interface", wide: true, cell: (i) => h("span", { class: "mono" }, i.name || "?") },
			{ label: "Role", cell: (i) => i.role || "\u2013" },
			{ label: "Frames", num: true, sort: (i) => i.observations, cell: (i) => count(i.observations) },
			{ label: "Bytes", num: true, sort: (i) => i.bytes, cell: (i) => bytes(i.bytes) },
			dropped("Dropped by kernel", "dropped_kernel"), dropped("by interface", "dropped_interface"), dropped("by podhop", "dropped_podhop"),
		], c.interfaces) : null, h("dl", { class: "facts" }, facts));
	}

	// --------------------------------------------------------------- theme

	function theme() {
		const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)"), KEY = "podhop-theme";
		let chosen = null;
		try {
			chosen = localStorage.getItem(KEY);
		} catch (e) {
			// Some browsers have no storage for files; then the choice lasts as long as the page.
		}
		const isDark = () => chosen ? chosen === "dark" : dark.matches;
		const apply = () => {
			if (chosen === "dark" || chosen === "light")
				root.dataset.theme = chosen;
			$("theme").textContent = isDark() ? "Light theme" : "Dark theme";
		};
		$("theme").addEventListener("click", () => {
			chosen = isDark() ? "light" : "dark";
			try {
				localStorage.setItem(KEY, chosen);
			} catch (e) {
				// as above
			}
			apply();
		});
		dark.addEventListener("change", apply);
		apply();
	}

	theme();
	head();
	verdict();
	summary();
	paths();
	losses();
	latency();
	encapsulation();
	flows();
	capture();
})();
