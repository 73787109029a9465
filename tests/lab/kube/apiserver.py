#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""apiserver.py - a stand-in for a cluster, for the real kubectl.

    apiserver.py CONFIG        prints "ready PORT" when it listens on 127.0.0.1

It keeps objects in memory and plays the parts of the control plane that kubectl-podhop
meets: the API (discovery, get, list with selectors, create, delete), the DaemonSet and
Job controllers, and a kubelet that runs what is exec'ed. That kubelet takes the pod's own
spec by its word: build/tools/enterpod gives the process the image's tree as a read-only
root, the spec's mounts and capabilities, the node's network, and nothing else.

exec speaks both protocols that kubectl knows: WebSocket (v5.channel.k8s.io; kubectl 1.30
and later) and SPDY/3.1 (v4.channel.k8s.io; before that).

When a client is gone its process is not killed, and nobody reads its output any more, as
under containerd; its standard input ends. CONFIG is JSON:

    {"enterpod": PATH, "log": PATH, "images": {NAME: DIRECTORY},
     "nodes": {NAME: {"netns": PATH, "root": DIRECTORY, "ip": A, "ready": true}},
     "objects": [Kubernetes objects]}

Where the real thing differs: no authentication, no admission, no scheduler, no watch; time to
live of a finished Job is not acted upon.
"""
import base64
import datetime
import hashlib
import http.server
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import urllib.parse
import zlib

with open(sys.argv[1], encoding="utf-8") as config_file:
    CONFIG = json.load(config_file)
LOCK = threading.RLock()
NOW = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

# kind, plural, group/version, namespaced
RESOURCES = [
    ("Namespace", "namespaces", "v1", False),
    ("Node", "nodes", "v1", False),
    ("Pod", "pods", "v1", True),
    ("Service", "services", "v1", True),
    ("DaemonSet", "daemonsets", "apps/v1", True),
    ("Job", "jobs", "batch/v1", True),
]
BY_PLURAL = {plural: (kind, version, spaced) for kind, plural, version, spaced in RESOURCES}
STORE = {}  # (plural, namespace or "", name): object
SERIAL = [1000]


def log(line):
    with LOCK, open(CONFIG["log"], "a", encoding="utf-8") as f:
        f.write(line + "\n")


# ---- objects ----------------------------------------------------------------

def plural_of(kind):
    return next(plural for k, plural, _, _ in RESOURCES if k == kind)


def put(obj):
    meta = obj["metadata"]
    SERIAL[0] += 1
    if "name" not in meta:
        meta["name"] = meta["generateName"] + f"{SERIAL[0]:05d}"
    meta.setdefault("uid", f"00000000-0000-4000-8000-{SERIAL[0]:012d}")
    meta.setdefault("creationTimestamp", NOW)
    meta["resourceVersion"] = str(SERIAL[0])
    plural = plural_of(obj["kind"])
    if not BY_PLURAL[plural][2]:
        meta.pop("namespace", None)
    STORE[plural, meta.get("namespace", ""), meta["name"]] = obj
    return obj


def container_status(container, running):
    state = {"running": {"startedAt": NOW}} if running else \
        {"waiting": {"reason": "ImagePullBackOff",
                     "message": f'Back-off pulling image "{container["image"]}"'}}
    return {"name": container["name"], "ready": running, "restartCount": 0, "state": state,
            "image": container["image"], "imageID": ""}


def pod_of(owner, template, node, name):
    """The pod that a controller makes and the node's kubelet starts."""
    spec = dict(template["spec"], nodeName=node)
    running = all(c["image"] in CONFIG["images"] for c in spec["containers"])
    ready = running and CONFIG["nodes"][node].get("ready", True)
    meta = owner["metadata"]
    return put({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": meta["namespace"],
                     "labels": dict(template["metadata"].get("labels", {})),
                     "ownerReferences": [{"apiVersion": owner["apiVersion"],
                                          "kind": owner["kind"], "name": meta["name"],
                                          "uid": meta["uid"], "controller": True}]},
        "spec": spec,
        "status": {"phase": "Running" if running else "Pending",
                   "hostIP": CONFIG["nodes"][node]["ip"], "podIP": CONFIG["nodes"][node]["ip"],
                   "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
                   "containerStatuses": [container_status(c, running)
                                         for c in spec["containers"]]}})


def control(obj):
    """What controllers do about a new object."""
    meta = obj["metadata"]
    if obj["kind"] == "DaemonSet":
        for node in CONFIG["nodes"]:
            pod_of(obj, obj["spec"]["template"], node, f"{meta['name']}-{node}")
    elif obj["kind"] == "Job":
        template = obj["spec"]["template"]
        template.setdefault("metadata", {}).setdefault("labels", {})["job-name"] = meta["name"]
        pod_of(obj, template, template["spec"]["nodeName"], f"{meta['name']}-x1")


def remove(plural, space, name):
    obj = STORE.pop((plural, space, name))
    uid = obj["metadata"]["uid"]
    for key in [k for k, o in STORE.items()
                if any(r["uid"] == uid for r in o["metadata"].get("ownerReferences", []))]:
        remove(*key)
    log(f"deleted {plural} {space}/{name}")
    return obj


def field(obj, path):
    for part in path.split("."):
        obj = obj.get(part, "") if isinstance(obj, dict) else ""
    return str(obj)


def selected(obj, query):
    for term in filter(None, query.get("labelSelector", [""])[0].split(",")):
        key, _, value = term.partition("=")
        if obj["metadata"].get("labels", {}).get(key) != value.lstrip("="):
            return False
    for term in filter(None, query.get("fieldSelector", [""])[0].split(",")):
        key, _, value = term.partition("=")
        if field(obj, key) != value.lstrip("="):
            return False
    return True


class Refusal(Exception):
    def __init__(self, code, reason, message):
        super().__init__(message)
        self.status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                       "message": message, "reason": reason, "code": code}


# ---- exec -------------------------------------------------------------------

class Closed(Exception):
    """The client is gone."""


def exec_argv(pod, container, command):
    """enterpod's command line for a command in a container, from nothing but the pod's spec."""
    node = CONFIG["nodes"][pod["spec"]["nodeName"]]
    security = container.get("securityContext", {})
    caps = security.get("capabilities", {})
    if "ALL" not in caps.get("drop", []):
        raise Refusal(422, "Invalid", "the stand-in knows containers that drop ALL only")
    argv = [CONFIG["enterpod"], "--root", CONFIG["images"][container["image"]]]
    if pod["spec"].get("hostNetwork"):
        argv += ["--netns", node["netns"]]
    if security.get("readOnlyRootFilesystem"):
        argv += ["--read-only"]
    if pod["spec"].get("hostPID"):
        argv += ["--host-pid"]
    if security.get("allowPrivilegeEscalation") is False:
        argv += ["--no-new-privs"]
    for cap in caps.get("add", []):
        argv += ["--cap", cap.lower()]
    volumes = {v["name"]: v for v in pod["spec"].get("volumes", [])}
    for mount in container.get("volumeMounts", []):
        path = volumes[mount["name"]]["hostPath"]["path"]
        # Network namespaces are this machine's own; all else is kept for each node.
        source = path if path == "/run/netns" else node["root"] + path
        if not os.path.isdir(source):
            raise Refusal(500, "InternalError", f"hostPath type check failed: {path} is not a directory")
        argv += ["--bind-ro" if mount.get("readOnly") else "--bind",
                 f"{source}:{mount['mountPath']}"]
    for e in container.get("env", []):
        value = e.get("value")
        if value is None:
            value = field(pod, e["valueFrom"]["fieldRef"]["fieldPath"])
        argv += ["--env", f"{e['name']}={value}"]
    return argv + ["--"] + command


class Session:
    """One exec: a process, and the channels to its client."""

    def __init__(self, argv, stdin):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.gone = threading.Event()
        if not stdin:
            self.close_stdin()

    def close_stdin(self):
        with LOCK:
            if self.process.stdin and not self.process.stdin.closed:
                try:
                    self.process.stdin.close()
                except OSError:
                    pass

    def write_stdin(self, data):
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except (OSError, ValueError):
            pass  # the process has closed it, or is gone

    def pump(self, stream, send):
        """Output to the client. Nobody reads on behind a client that is gone."""
        while True:
            data = os.read(stream.fileno(), 32768)
            if not data:
                return
            try:
                send(data)
            except OSError:
                self.gone.set()
                return

    def run(self, send_out, send_err, send_status, finish):
        pumps = [threading.Thread(target=self.pump, args=a, daemon=True) for a in
                 ((self.process.stdout, send_out), (self.process.stderr, send_err))]
        for p in pumps:
            p.start()
        code = self.process.wait()
        for p in pumps:
            p.join(10)
        log(f"exec ended {code}")
        code = code if code >= 0 else 128 - code
        status = {"metadata": {}, "status": "Success"}
        if code:
            status = {"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
                      "message": f"command terminated with non-zero exit code: exit status {code}",
                      "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]}}
        try:
            send_status(json.dumps(status).encode())
            finish()
        except OSError:
            pass


def read_exactly(f, n):
    data = f.read(n)
    if len(data) < n:
        raise Closed
    return data


class WebSocket:
    """RFC 6455, and the channels of v5.channel.k8s.io: a message's first byte."""
    STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255

    def __init__(self, handler):
        self.rfile, self.socket = handler.rfile, handler.connection
        self.lock = threading.Lock()

    @staticmethod
    def accept(key):
        magic = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        return base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()

    def send(self, opcode, payload):
        n = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([n]) if n < 126 else struct.pack(">BH", 126, n) if n < 65536 else \
            struct.pack(">BQ", 127, n)
        with self.lock:
            self.socket.sendall(head + payload)

    def message(self):
        data = b""
        while True:
            b0, b1 = read_exactly(self.rfile, 2)
            n = b1 & 0x7f
            if n == 126:
                n, = struct.unpack(">H", read_exactly(self.rfile, 2))
            elif n == 127:
                n, = struct.unpack(">Q", read_exactly(self.rfile, 8))
            mask = read_exactly(self.rfile, 4) if b1 & 0x80 else bytes(4)
            part = bytes(c ^ mask[i & 3] for i, c in enumerate(read_exactly(self.rfile, n)))
            opcode = b0 & 0x0f
            if opcode == 8:
                raise Closed
            if opcode == 9:
                self.send(10, part)
            elif opcode in (0, 1, 2):
                data += part
                if b0 & 0x80:
                    return data

    def serve(self, session):
        def channel(n):
            return lambda data: self.send(2, bytes([n]) + data)
        worker = threading.Thread(target=session.run, daemon=True, args=(
            channel(self.STDOUT), channel(self.STDERR), channel(self.STATUS),
            lambda: self.send(8, struct.pack(">H", 1000))))
        worker.start()
        try:
            while True:
                m = self.message()
                if m and m[0] == self.STDIN:
                    session.write_stdin(m[1:])
                elif m[:2] == bytes([self.CLOSE, self.STDIN]):
                    session.close_stdin()
        except (Closed, OSError):
            session.gone.set()
            session.close_stdin()
        return worker


def spdy_dictionary():
    """Of draft-mbelshe-httpbis-spdy-00, 2.6.10.1: names and values behind their lengths, then text."""
    names = ("options head post put delete trace accept accept-charset accept-encoding "
             "accept-language accept-ranges age allow authorization cache-control connection "
             "content-base content-encoding content-language content-length content-location "
             "content-md5 content-range content-type date etag expect expires from host if-match "
             "if-modified-since if-none-match if-range if-unmodified-since last-modified location "
             "max-forwards pragma proxy-authenticate proxy-authorization range referer "
             "retry-after server te trailer transfer-encoding upgrade user-agent vary via warning "
             "www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
             "keep-alive origin")
    text = ("100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
            "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
            "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
            "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
            "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
            "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivate"
            "max-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.")
    words = [w.replace("_", " ").encode() for w in names.split()]
    return b"".join(struct.pack(">I", len(w)) + w for w in words) + text.encode()


class Spdy:
    """SPDY/3.1 as kubectl uses it: streams of the client's, told apart by a header."""
    SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
    FIN = 1

    def __init__(self, handler):
        self.rfile, self.socket = handler.rfile, handler.connection
        self.lock = threading.Lock()
        dictionary = spdy_dictionary()
        self.inflate = zlib.decompressobj(zdict=dictionary)
        self.deflate = zlib.compressobj(zdict=dictionary)
        self.streams = {}

    def send_control(self, kind, flags, payload):
        self.socket.sendall(struct.pack(">HHI", 0x8003, kind, flags << 24 | len(payload)) + payload)

    def send(self, name, data, flags=0):
        stream = self.streams.get(name)
        if stream is None:
            return
        with self.lock:
            self.socket.sendall(struct.pack(">II", stream, flags << 24 | len(data)) + data)

    def headers(self, block):
        raw = self.inflate.decompress(block)
        count, at, found = struct.unpack_from(">I", raw)[0], 4, {}
        for _ in range(count):
            pair = []
            for _ in range(2):
                n, = struct.unpack_from(">I", raw, at)
                pair.append(raw[at + 4:at + 4 + n].decode())
                at += 4 + n
            found[pair[0]] = pair[1]
        return found

    def accept_stream(self, payload):
        stream, = struct.unpack_from(">I", payload)
        name = self.headers(payload[10:])["streamtype"]
        with self.lock:
            self.streams[name] = stream
            block = self.deflate.compress(struct.pack(">I", 0)) + \
                self.deflate.flush(zlib.Z_SYNC_FLUSH)
            self.send_control(self.SYN_REPLY, 0, struct.pack(">I", stream) + block)

    def finish(self):
        for name in ("stdout", "stderr", "error"):
            self.send(name, b"", self.FIN)

    def serve(self, session_when, wanted):
        """session_when() starts the process once all streams are there."""
        session = worker = None
        try:
            while True:
                first, second = struct.unpack(">II", read_exactly(self.rfile, 8))
                flags, payload = second >> 24, read_exactly(self.rfile, second & 0xffffff)
                if first & 0x80000000:
                    kind = first & 0xffff
                    if kind == self.SYN_STREAM:
                        self.accept_stream(payload)
                    elif kind == self.PING:
                        with self.lock:
                            self.send_control(self.PING, 0, payload)
                    elif kind == self.GOAWAY:
                        raise Closed
                elif session and first == self.streams.get("stdin"):
                    if payload:
                        session.write_stdin(payload)
                    if flags & self.FIN:
                        session.close_stdin()
                if not session and wanted <= set(self.streams):
                    session = session_when()
                    worker = threading.Thread(target=session.run, daemon=True, args=(
                        lambda d: self.send("stdout", d), lambda d: self.send("stderr", d),
                        lambda d: self.send("error", d), self.finish))
                    worker.start()
        except (Closed, OSError):
            if session:
                session.gone.set()
                session.close_stdin()
        return worker


# ---- HTTP -------------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, obj, code=200):
        body = json.dumps(obj).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def discovery(self, path):
        if path == "/version":
            return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            groups = []
            for version in sorted({v for _, _, v, _ in RESOURCES if "/" in v}):
                v = {"groupVersion": version, "version": version.split("/")[1]}
                groups.append({"name": version.split("/")[0], "versions": [v],
                               "preferredVersion": v})
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        version = re.fullmatch(r"/api/(v1)|/apis/(\w+/v1)", path)
        if version:
            version = version.group(1) or version.group(2)
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
                    "resources": [{"name": plural, "singularName": kind.lower(), "kind": kind,
                                   "namespaced": spaced, "verbs": ["get", "list", "create", "delete"]}
                                  for kind, plural, v, spaced in RESOURCES if v == version]}
        return None

    def respond(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = self.discovery(url.path)
        if found:
            return self.answer(found)
        m = re.fullmatch(r"/(?:api|apis/\w+)/v1(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?(/exec)?",
                         url.path)
        if not m and (n := re.fullmatch(r"/api/v1/namespaces(?:/([^/]+))?", url.path)):
            space, plural, name, sub = "", "namespaces", n.group(1), None
        elif m and m.group(2) in BY_PLURAL:
            space, plural, name, sub = m.group(1) or "", m.group(2), m.group(3), m.group(4)
        else:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        kind, version, _ = BY_PLURAL[plural]
        if sub:
            return self.exec(space, name, query)
        if self.command == "POST":
            obj = json.loads(body)
            if space:
                obj["metadata"]["namespace"] = space
                if ("namespaces", "", space) not in STORE:
                    raise Refusal(404, "NotFound", f'namespaces "{space}" not found')
            if (plural, space, obj["metadata"].get("name")) in STORE:
                raise Refusal(409, "AlreadyExists", f'{plural} "{obj["metadata"]["name"]}" already exists')
            put(obj)
            control(obj)
            return self.answer(obj, 201)
        if not name:
            items = [o for (p, s, _), o in STORE.items()
                     if p == plural and (not space or s == space) and selected(o, query)]
            return self.answer({"kind": kind + "List", "apiVersion": version,
                                "metadata": {"resourceVersion": str(SERIAL[0])}, "items": items})
        if (plural, space, name) not in STORE:
            raise Refusal(404, "NotFound", f'{plural} "{name}" not found')
        if self.command == "DELETE":
            return self.answer(remove(plural, space, name))
        return self.answer(STORE[plural, space, name])

    def exec(self, space, name, query):
        pod = STORE.get(("pods", space, name))
        if not pod:
            raise Refusal(404, "NotFound", f'pods "{name}" not found')
        wanted = query.get("container", [""])[0]
        container = next((c for c in pod["spec"]["containers"] if wanted in ("", c["name"])), None)
        if not container:
            raise Refusal(400, "BadRequest", f"container {wanted} is not valid for pod {name}")
        if not CONFIG["nodes"][pod["spec"]["nodeName"]].get("ready", True):
            raise Refusal(500, "InternalError", "error dialing backend: dial tcp "
                          f"{pod['status']['hostIP']}:10250: connect: no route to host")
        argv = exec_argv(pod, container, query["command"])
        stdin = query.get("stdin", [""])[0] in ("true", "1")
        log("exec " + json.dumps([pod["spec"]["nodeName"]] + query["command"]))
        self.close_connection = True
        if self.headers.get("Upgrade", "").lower() == "websocket":
            # What kubectl 1.30 to 1.36 offers; it goes on to SPDY where this is refused.
            if "v5.channel.k8s.io" not in self.headers.get("Sec-WebSocket-Protocol", ""):
                raise Refusal(400, "BadRequest", "no known subprotocol")
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept",
                             WebSocket.accept(self.headers["Sec-WebSocket-Key"]))
            self.send_header("Sec-WebSocket-Protocol", "v5.channel.k8s.io")
            self.end_headers()
            self.wfile.flush()
            worker = WebSocket(self).serve(Session(argv, stdin))
        elif self.headers.get("Upgrade", "").upper() == "SPDY/3.1":
            self.send_response(101)
            self.send_header("Upgrade", "SPDY/3.1")
            self.send_header("Connection", "Upgrade")
            self.send_header("X-Stream-Protocol-Version", "v4.channel.k8s.io")
            self.end_headers()
            self.wfile.flush()
            streams = {"error", "stdout", "stderr"} | ({"stdin"} if stdin else set())
            worker = Spdy(self).serve(lambda: Session(argv, stdin), streams)
        else:
            raise Refusal(400, "BadRequest", "Upgrade request required")
        if worker:
            worker.join(60)
        return None

    def handle_any(self):
        try:
            self.respond()
        except Refusal as refusal:
            log(f"refused {self.command} {self.path}: {refusal}")
            self.answer(refusal.status, refusal.status["code"])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_DELETE = handle_any


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET


for node_name, node_config in CONFIG["nodes"].items():
    up = node_config.get("ready", True)
    put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node_name},
         "spec": {},
         "status": {"addresses": [{"type": "InternalIP", "address": node_config["ip"]}],
                    "conditions": [{"type": "Ready", "status": "True" if up else "Unknown",
                                    "reason": "KubeletReady" if up else "NodeStatusUnknown",
                                    "lastTransitionTime": NOW,
                                    "message": "" if up else "Kubelet stopped posting node status."}]}})
for initial in CONFIG["objects"]:
    put(initial)
server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
