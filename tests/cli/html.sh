#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# html.sh - the page of --html in a headless Chromium (TAP).
#
#   tests/cli/html.sh [PODHOP]        the program, build/podhop by default
#
# What the page shows is compared with the JSON report of the same capture: every
# figure, the order after sorting, what a search finds. The browser is driven through
# chromedriver; nothing but Python's standard library speaks to it. SHOTS=DIR keeps
# pictures of the page, light, dark, narrow, wide and on paper.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
podhop=${1:-${PODHOP:-$root/build/podhop}}
PYTHON=${PYTHON:-/usr/bin/python3}
for tool in chromium chromedriver "$PYTHON"; do
	if ! command -v "$tool" >/dev/null 2>&1; then
		echo "1..0 # skip $tool is not installed (Debian packages chromium, chromium-driver, python3)"
		exit 0
	fi
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/podhop-html.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
capture=$root/tests/data/html/lab.pcapng
"$podhop" report "$capture" --html "$dir/page.html" --json >"$dir/page.json"
# An evil node name, an evil file name; and a report of nothing.
evil='</script><img src=x onerror=alert(1)><!--<script>'
# shellcheck disable=SC2094 # the name is the point
cp "$capture" "$dir/$(printf 'x<!--<script>\033[2J\342\200\256.pcapng')"
"$podhop" report "$dir"/x* --node "$evil" --html "$dir/evil.html" --json >"$dir/evil.json"
"$podhop" report "$capture" -f "host 192.0.2.1" --html "$dir/empty.html" --json >"$dir/empty.json"
"$root/samples/renew-report-page" "$podhop" >"$dir/sample.html"
cmp -s "$dir/sample.html" "$root/samples/report.html" && SAMPLE=today || SAMPLE='samples/renew-report-page >FILE, and FILE in its place'
export SAMPLE
export SHOTS="${SHOTS:-}"
PYTHONPATH="$root/tests/lib" "$PYTHON" -B - "$dir" "$evil" <<'PY'
import base64, http.client, json, os, re, signal, subprocess, sys, threading

import tap

DIR, EVIL = sys.argv[1:3]
DEADLINE = 120  # seconds for all of it


def same(found, wanted, name):
    tap.same(name, found, wanted)


class Browser:
    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        self.timer = threading.Timer(DEADLINE, self.driver.kill)
        self.timer.daemon = True
        self.timer.start()
        try:
            self.begin()
        except BaseException:
            self.driver.kill()
            raise

    def begin(self):
        for line in self.driver.stdout:
            m = re.search(r"successfully on port (\d+)", line)
            if m:
                self.port = int(m[1])
                break
        else:
            raise SystemExit("Bail out! chromedriver does not start")
        args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--hide-scrollbars", f"--user-data-dir={DIR}/profile", "--window-size=1400,1000"]
        caps = {"browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {"args": args}}
        self.session = ""
        self.session = self.call("POST", "/session",
                                 {"capabilities": {"alwaysMatch": caps}})["sessionId"]

    def call(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        base = f"/session/{self.session}" if self.session else ""
        c.request(method, base + path, None if body is None else json.dumps(body),
                  {"Content-Type": "application/json"})
        value = json.loads(c.getresponse().read())["value"]
        c.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{path}: {value['error']}: {value.get('message', '')[:300]}")
        return value

    def js(self, code, *args):
        return self.call("POST", "/execute/sync", {"script": code, "args": list(args)})

    def cdp(self, cmd, **params):
        return self.call("POST", "/goog/cdp/execute", {"cmd": cmd, "params": params})

    def open(self, name):
        self.log()
        self.call("POST", "/url", {"url": f"file://{DIR}/{name}"})

    def log(self):
        return [e["message"] for e in self.call("POST", "/se/log", {"type": "browser"})]

    def scheme(self, which):
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": which}])

    def size(self, w, h):
        self.cdp("Emulation.setDeviceMetricsOverride", width=w, height=h, deviceScaleFactor=1, mobile=False)
        # Two frames: the drawing follows the size in the next one.
        self.call("POST", "/execute/async", {"script":
                  "const f = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(f, 50)))",
                  "args": []})

    def shot(self, name):
        if os.environ["SHOTS"]:
            os.makedirs(os.environ["SHOTS"], exist_ok=True)
            m = self.js("return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            png = self.cdp("Page.captureScreenshot", captureBeyondViewport=True,
                           clip={"x": 0, "y": 0, "width": m[0], "height": m[1], "scale": 1})["data"]
            with open(os.path.join(os.environ["SHOTS"], name), "wb") as f:
                f.write(base64.b64decode(png))

    def end(self):
        try:
            self.call("DELETE", "")
        except (OSError, RuntimeError):
            pass
        self.timer.cancel()
        self.driver.terminate()
        self.driver.wait(10)


def load(name):
    with open(os.path.join(DIR, name), encoding="utf-8") as f:
        return json.load(f)


def get(doc, key):
    for part in key.split("."):
        doc = doc[part]
    return doc


TABLE = """return [...document.querySelectorAll('table')].filter(t => t.getAttribute('aria-label') === arguments[0])
    .map(t => [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.dataset.value === undefined
        ? c.innerText.split('\\n')[0].trim() : Number(c.dataset.value))))[0]"""
FLOWS = "return [...document.querySelectorAll('#flowtable tbody tr')].map(r => Number(r.cells[arguments[0]].dataset.value))"


def numbers(b, doc):
    """Every figure of the page against the JSON report."""
    facts = b.js("return [...document.querySelectorAll('main [data-key]')].filter(e => e.dataset.key !== 'at')"
                 ".map(e => [e.dataset.key, e.dataset.value, e.textContent])")
    wrong = [f for f in facts if not f[0].startswith("losses.") and get(doc, f[0]) != int(f[1])]
    tap.ok(len(facts) >= 12 and not wrong, "figures are the report's", wrong or facts)
    spelled = [f for f in facts if int(f[1]) < 1000 and not f[2].startswith(f[1])]
    tap.ok(not spelled, "figures below 1000 are spelled as they are", spelled)

    same([int(f[1]) for f in facts if f[0] == "losses.packets"], [x["packets"] for x in doc["losses"]], "losses")
    tunnels = doc["encapsulation"]["tunnels"]
    same(b.js(TABLE, "Tunnels"),
         [[t["outer_src"], f"{t['outer_dst']}:{t['port']}", t["vni"], t["packets"], t["outer_datagrams"],
           t["inner_bytes"], t["overhead_bytes"], t["basis"]] for t in tunnels], "tunnels")
    known = [x for x in doc["latency"] if x["measurable"] and x["samples"]]
    same([r[2:] for r in b.js(TABLE, "Latency")],
         [[x["p50_ns"], x["p90_ns"], x["p99_ns"], x["max_ns"], x["samples"]] for x in known], "latency")
    same([sum(y["samples"] for y in x["bars"]) for x in known], [x["samples"] for x in known],
         "latency bars hold every sample")
    tap.ok(all(y["from_ns"] < y["to_ns"] for x in known for y in x["bars"]) and
          all(x["bars"][0]["from_ns"] <= x["min_ns"] and x["max_ns"] < x["bars"][-1]["to_ns"] for x in known),
          "latency bars reach from min to max")
    sizes = doc["encapsulation"]["sizes"]
    same([r[3:] for r in b.js(TABLE, "Overhead by packet length")],
         [[s["overhead_bytes"], s["outer_datagrams"], s["packets"]] for s in sizes], "overhead by packet length")
    for key, whole in (("packets", "inner_packets"), ("outer_datagrams",) * 2, ("inner_bytes",) * 2,
                       ("overhead_bytes",) * 2):
        same(sum(s[key] for s in sizes), doc["encapsulation"][whole], f"packet lengths add up: {key}")
    same([r[1:] for r in b.js(TABLE.replace("'table'", "'details table'").replace("c.innerText.split", "c.textContent.split"),
                              "Paths")],
         [[p["direction"], "yes" if p["encapsulated"] else "no", p["packets"], p["bytes"]] for p in doc["paths"]], "paths")

    lanes = b.js("return [...document.querySelectorAll('#drawing svg g')].filter(g => g.querySelector(':scope > .dot'))"
                 ".map(g => ({dir: g.getAttribute('class'), at: [...g.querySelectorAll(':scope > [data-key=at]')].map(e => Number(e.dataset.value)),"
                 " gone: [...g.querySelectorAll('.lostc text')].map(e => e.textContent)}))")
    same(sum(x["at"][0] for x in lanes), sum(p["packets"] for p in doc["paths"]), "the drawing has every packet once")
    lost = sum(x["packets"] for x in doc["losses"] if x["verdict"] == "lost")
    broken = [x for x in lanes if x["gone"]]
    tap.ok(lost and len(broken) == 1 and broken[0]["gone"] == [f"{lost} lost"] and
          broken[0]["at"][0] - broken[0]["at"][-1] == lost, "the drawing shows the loss where it happened", lanes)
    tap.ok(str(lost) in b.js("return document.getElementById('verdict').textContent"), "the first sentence names the loss")


def interaction(b, doc):
    flows = doc["flows"]
    same(b.js(FLOWS, 6), [f["bytes"] for f in flows], "flows: all there, most bytes first")
    head = "document.querySelectorAll('#flowtable th button')"
    for col, key in ((5, "packets"), (6, "bytes"), (7, "payload_bytes"), (8, "overhead_bytes"), (9, "retransmissions")):
        down = sorted((f[key] for f in flows), reverse=True)
        b.js(f"{head}[0].click(); {head}[{col}].click()")
        first = b.js(FLOWS, col)
        b.js(f"{head}[{col}].click()")
        tap.ok(first == down and b.js(FLOWS, col) == down[::-1] and
              b.js(f"return {head}[{col}].parentElement.getAttribute('aria-sort')") == "ascending" and
              b.js("return document.querySelectorAll('[aria-sort]').length") == 1, f"sorting by {key}, both ways")
    # With the keyboard alone.
    b.js(f"{head}[2].focus()")
    b.call("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": [
        {"type": "keyDown", "value": "\ue007"}, {"type": "keyUp", "value": "\ue007"}]}]})
    order = [tuple(map(int, re.split(r"[.:]", s if ":" in s else s + ":0"))) for s in
             b.js("return [...document.querySelectorAll('#flowtable tbody tr')].map(r => r.cells[2].querySelector('.mono').textContent)")]
    tap.ok(order == sorted(order) and len(order) == len(flows), "Enter sorts by source, in numeric order", order)

    def search(text):
        b.js("const s = document.getElementById('search'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))", text)
        return len(b.js(FLOWS, 5)), b.js("return document.getElementById('found').textContent")

    def hits(pred):
        return sum(1 for f in flows if pred(f))

    n, said = search("7777")
    tap.ok(n == hits(lambda f: 7777 in (f["sport"], f["dport"])) > 0 and said.startswith(f"{n} of {len(flows)} flows"),
          "search by port", (n, said))
    same(search("UDP 10.96.0.53")[0], hits(lambda f: f["protocol"] == "udp" and "10.96.0.53" in (f["src"], f["dst"])),
         "search by two words, capitals or not")
    nat = [f for f in flows if f["translated"]]
    tap.ok(nat and search("10.244.2.2:8080")[0] >= len([f for f in nat if f["translated"]["dst"] == "10.244.2.2"]) > 0,
          "search finds translated addresses")
    tap.ok(search("default/client")[0] == len(flows), "search by name")
    n, said = search("no such thing")
    tap.ok(n == 0 and said.startswith("0 of "), "a search without a hit says so", said)
    search("")
    b.js("const s = document.getElementById('way'); s.value = 'ingress'; s.dispatchEvent(new Event('change'))")
    same(len(b.js(FLOWS, 5)), hits(lambda f: f["direction"] == "ingress"), "only one direction")
    b.js("const s = document.getElementById('way'); s.value = ''; s.dispatchEvent(new Event('change'))")


CONTRAST = """
const lum = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => { x /= 255;
    return x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4; }); return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)|transparent/.test(c)) return c; } return 'rgb(255,255,255)'; };
let worst = [99, ''];
for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length ||
        ['SCRIPT', 'NOSCRIPT', 'STYLE', 'title'].includes(e.tagName)) continue;
    const s = getComputedStyle(e), ink = e.namespaceURI.endsWith('svg') ? s.fill : s.color;
    const a = lum(ink), z = lum(back(e)), ratio = (Math.max(a, z) + .05) / (Math.min(a, z) + .05);
    if (ratio < worst[0]) worst = [ratio, e.tagName + ' ' + e.textContent.slice(0, 30) + ' ' + ink + ' on ' + back(e)];
}
return worst"""


def looks(b):
    ground = "return getComputedStyle(document.body).backgroundColor"
    seen = {}
    for scheme in ("light", "dark"):
        b.scheme(scheme)
        seen[scheme] = b.js(ground)
        worst = b.js(CONTRAST)
        tap.ok(worst[0] >= 4.5, f"{scheme}: text stands out at least 4.5 to 1", worst)
        b.shot(f"{scheme}.png")
    tap.ok(seen["light"] != seen["dark"], "follows the reader's colour scheme", seen)
    b.js("document.getElementById('theme').click()")
    tap.ok(b.js(ground) == seen["light"] and b.js("return document.getElementById('theme').textContent") == "Dark theme",
          "the button goes from dark to light")
    b.js("document.getElementById('theme').click()")
    same(b.js(ground), seen["dark"], "and back")
    b.open("page.html")
    same(b.js(ground), seen["dark"], "the choice is remembered")
    b.js("localStorage.clear()")
    b.scheme("light")
    b.open("page.html")
    for width, height in ((390, 844), (320, 640), (800, 900), (1400, 1000)):
        b.size(width, height)
        wide = b.js("return document.documentElement.scrollWidth")
        small = b.js("const s = document.querySelector('#drawing svg'), k = s.getBoundingClientRect().width / s.viewBox.baseVal.width;"
                     "return Math.min(...[...s.querySelectorAll('text')].map(t => parseFloat(getComputedStyle(t).fontSize) * k))")
        cut = b.js("const w = document.querySelector('#drawing svg').getBoundingClientRect();"
                   "return [...document.querySelectorAll('#drawing svg text')].map(t => [t.textContent, t.getBoundingClientRect()])"
                   ".filter(([, r]) => r.left < w.left - 1 || r.right > w.right + 1).map(([t, r]) => [t, r.left, r.right, w.right])")
        tap.ok(wide <= width and small >= 9.5 and not cut, f"{width} wide: nothing sticks out, the drawing is legible",
              (wide, small, cut))
        b.shot(f"{width}.png")
    pdf = base64.b64decode(b.cdp("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)["data"])
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    tap.ok(pdf.startswith(b"%PDF") and 1 <= pages <= 6, "prints on a few pages", pages)
    if os.environ["SHOTS"]:
        with open(os.path.join(os.environ["SHOTS"], "paper.pdf"), "wb") as f:
            f.write(pdf)


def access(b):
    nodes = b.cdp("Accessibility.getFullAXTree")["nodes"]
    nodes = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n.get("ignored") and "role" in n]
    must = {"button", "link", "searchbox", "combobox", "image", "img", "table", "region", "navigation", "columnheader"}
    nameless = [n for n in nodes if n[0] in must - {"columnheader"} and not n[1].strip()]
    roles = {n[0] for n in nodes}
    tap.ok(not nameless and {"button", "searchbox", "combobox", "table", "columnheader", "cell", "main"} <= roles,
          "everything to use or look at has a name", nameless or sorted(roles))
    order = b.js("return [...document.querySelectorAll('h1,h2,h3')].map(h => Number(h.tagName[1]))")
    tap.ok(order[0] == 1 and order.count(1) == 1 and all(y - x <= 1 for x, y in zip(order, order[1:])),
          "headings in order", order)
    b.size(390, 844)
    roles = {n["role"]["value"] for n in b.cdp("Accessibility.getFullAXTree")["nodes"] if not n.get("ignored") and "role" in n}
    tap.ok({"table", "row", "cell"} <= roles, "tables stay tables on a narrow screen", sorted(roles))
    b.size(1400, 1000)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the browser ends with us
b = Browser()
try:
    doc = load("page.json")
    b.open("page.html")
    same(b.js("return JSON.parse(document.getElementById('report').textContent).packets"), doc["packets"], "the page holds the report")
    numbers(b, doc)
    interaction(b, doc)
    access(b)
    looks(b)
    same(b.js("return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith('data:'))"), [],
         "nothing was loaded")
    same(b.log(), [], "the console is silent")

    same(os.environ["SAMPLE"], "today", "samples/report.html is the page of today")
    b.open("sample.html")
    sample = json.loads(b.js("return document.getElementById('report').textContent"))
    facts = b.js("return [...document.querySelectorAll('main [data-key]')].map(e => [e.dataset.key, e.dataset.value])")
    same(int(dict(facts)["packets.total"]), sample["packets"]["total"], "... and draws its data")
    same(b.log(), [], "... with a silent console")

    b.open("evil.html")
    same(b.js("return document.getElementById('title').textContent").endswith(EVIL), True, "an evil name is shown as text")
    text = b.js("return document.body.innerText")
    tap.ok("<!--<script>" in text and "\\u{1b}[2J\\u{202e}" in text and "\x1b" not in text and "\u202e" not in text,
          "an evil file name is shown, and spelled out", text[-400:])
    same(b.js("return [document.querySelectorAll('img, iframe, object, embed').length, document.scripts.length]"), [0, 3],
         "neither became markup")
    numbers(b, load("evil.json"))
    same(b.log(), [], "evil names: the console is silent")

    b.open("empty.html")
    tap.ok("No packet of the pod was seen" in b.js("return document.body.innerText") and
          b.js("return document.querySelectorAll('section').length") == 6, "an empty report is a whole page")
    same(b.log(), [], "empty report: the console is silent")
finally:
    b.end()
tap.done_testing()
PY
