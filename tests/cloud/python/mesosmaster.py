"""Mesos on nodes that are only played: masters, agents and Marathon, as far as their HTTP APIs are asked, in the words and
forms of Mesos 1.11 and Marathon 1.11. Masters listen where the node's own scripts told them to, with the certificate and
the demand for a client's that the scripts configured, wherever this machine has that address (a cluster whose subnet is
one of loopback's); elsewhere there is no way to them. What masters agree on they share here, by the cluster's UUID; it
goes with the last of them.
"""
import http.server
import json
import re
import shlex
import socket
import ssl
import threading

VERSION = "1.11.0"
CALLS = {"DRAIN_AGENT": "drain_agent", "REACTIVATE_AGENT": "reactivate_agent", "MARK_AGENT_GONE": "mark_agent_gone"}


class Refused(Exception):
    """An answer that is none of 2xx."""

    def __init__(self, status, message, headers=()):
        super().__init__(message)
        self.status, self.headers = status, headers


def words(root, name):
    """The words of a unit's command line, without the program."""
    unit = root / f"etc/systemd/system/{name}.service"
    for line in unit.read_text().splitlines() if unit.is_file() else []:
        if line.startswith("ExecStart="):
            return shlex.split(line[len("ExecStart="):].replace("%%", "%").replace("$$", "$"))[1:]
    return None


def options(given):
    """--name=value and --name value."""
    found, name = {}, None
    for word in given:
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            found[name] = value
        elif name:
            found[name] = word
    return found


def settings(path):
    """KEY=value, a line each."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line) if path.is_file() else {}


class Ensemble:
    """What the masters of one cluster agree on, and the machines that are up."""

    def __init__(self):
        self.lock, self.masters, self.agents, self.drained, self.gone = threading.RLock(), [], {}, {}, set()

    def leader(self):
        """The first that came, with a majority up; nobody without."""
        up = [master for master in self.masters if master.is_up()]
        return up[0] if up and 2 * len(up) > max(master.members for master in self.masters) else None

    def slave(self, identity, agent):
        tasks, drain = agent.tasks(), self.drained.get(identity)
        clings = bool(agent.rule().get("clings"))
        if drain and not clings:
            tasks = 0
        return {
            "id": identity, "hostname": agent.hostname, "port": 5051, "pid": f"slave(1)@{agent.hostname}:5051", "version": VERSION,
            "attributes": agent.attributes, "active": agent.is_up() and not drain,
            "TASK_STAGING": 0, "TASK_STARTING": 0, "TASK_RUNNING": tasks, "TASK_KILLING": 0, "TASK_FINISHED": 7,
            "TASK_KILLED": 0, "TASK_FAILED": 0, "TASK_LOST": 0, "TASK_ERROR": 0, "TASK_UNREACHABLE": 0,
            **({"drain_info": {"state": "DRAINING" if clings else "DRAINED", "config": drain}, "estimated_drain_start_time_seconds": 1} if drain else {})}

    def summary(self):
        wanted = self.leader().credentials
        known = [(identity, agent) for identity, agent in self.agents.items()
                 if identity not in self.gone and (wanted is None or agent.secret in wanted)]
        return {"hostname": self.leader().hostname, "cluster": self.leader().cluster, "frameworks": [],
                "slaves": [self.slave(identity, agent) for identity, agent in known]}

    def call(self, document):
        kind = document.get("type")
        if kind not in CALLS:
            raise Refused(400, f"Failed to validate master::Call: unknown type {kind}")
        of = document[CALLS[kind]]
        identity = of["agent_id"]["value"]
        if identity not in self.agents or identity in self.gone:
            raise Refused(404 if kind == "MARK_AGENT_GONE" else 400, "Unknown agent")
        if kind == "DRAIN_AGENT":
            grace = int(of.get("max_grace_period", {}).get("seconds", 0))
            self.drained[identity] = {"mark_gone": bool(of.get("mark_gone")), "max_grace_period": {"nanoseconds": grace * 10**9}}
        elif kind == "REACTIVATE_AGENT":
            if identity not in self.drained:
                raise Refused(400, "Agent is not deactivated")
            if self.agents[identity].rule().get("clings"):
                raise Refused(400, "Agent is still in the DRAINING state")
            del self.drained[identity]
        else:
            self.gone.add(identity)


class Agent:
    """A machine's mesos-agent."""

    def __init__(self, ensemble, root, identity, rule):
        given = options(words(root, "mesos-agent"))
        self.ensemble, self.identity, self.rule = ensemble, identity, rule
        self.hostname = given["hostname"]
        # Masters that ask for a secret let none in that shows another.
        self.secret = json.loads((root / given["credential"][len("file:///"):]).read_text()) if "credential" in given else None
        self.attributes = dict(item.split(":", 1) for item in given.get("attributes", "").split(";") if item)
        with ensemble.lock:
            ensemble.agents[identity] = self

    def is_up(self):
        return not self.rule().get("stopped")

    def tasks(self):
        return int(self.rule().get("tasks") or 0)

    def end(self):
        with self.ensemble.lock:
            # It is away from now on; masters keep what they know of it for a while.
            self.rule = lambda: {"stopped": True}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, handler, tls):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.tls = tls
        super().__init__(address, handler)

    def finish_request(self, request, client_address):
        # Certificates are read anew, as after the restart that follows a rotation.
        request.settimeout(20)
        if self.tls:
            request = self.tls().wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """Whoever was there does not wait any more, or is no client of the cluster's."""


class Master:
    """A machine's mesos-master, and its Marathon."""

    def __init__(self, ensemble, root, rule):
        given = options(words(root, "mesos-master"))
        self.ensemble, self.root, self.rule = ensemble, root, rule
        self.hostname, self.cluster, self.credentials = given["hostname"], given["cluster"], None
        if "authenticate_agents" in given:
            self.credentials = json.loads((root / given["credentials"][len("file:///"):]).read_text())["credentials"]
        zoo = (root / "etc/zookeeper/jeroboam/zoo.cfg").read_text()
        self.members = len(re.findall(r"^server\.\d+=", zoo, re.MULTILINE))
        if int(given["quorum"]) != self.members // 2 + 1:
            raise ValueError(f"quorum {given['quorum']} is no majority of {self.members}")
        self.servers = []
        with ensemble.lock:
            ensemble.masters.append(self)
        self.listen((given["ip"], int(given["port"])), "master", self.answer)
        marathon = words(root, "marathon")
        if marathon is not None:
            given = options(marathon)
            scheme = "https" if "https_port" in given else "http"
            self.listen((given[f"{scheme}_address"], int(given[f"{scheme}_port"])), "marathon", self.ping)

    def is_up(self):
        return not self.rule().get("stopped")

    def listen(self, address, program, answer):
        """Where the machine that plays has no such address, nobody could ask anyway."""
        environment = settings(self.root / f"etc/mesos/{program}.env")
        tls = environment.get("LIBPROCESS_SSL_ENABLED") == "true"

        def context():
            below = {key: str(self.root / environment[f"LIBPROCESS_SSL_{key}_FILE"].lstrip("/")) for key in ("CERT", "KEY", "CA")}
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            made.load_cert_chain(below["CERT"], below["KEY"])
            made.load_verify_locations(below["CA"])
            # Marathon's own server asks nobody for a certificate.
            if program == "master" and environment.get("LIBPROCESS_SSL_REQUIRE_CLIENT_CERT") == "true":
                made.verify_mode = ssl.CERT_REQUIRED
            return made

        try:
            server = Server(address, handler(self, answer), context if tls else None)
        except OSError:
            return
        threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True).start()
        self.servers.append(server)

    def end(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        with self.ensemble.lock:
            self.ensemble.masters.remove(self)

    def ping(self, method, path, body):
        if path != "/ping":
            raise Refused(404, "")
        return "pong"

    def answer(self, method, path, body):
        if path == "/health":
            return ""
        if path not in ("/state-summary", "/api/v1"):
            raise Refused(404, "")
        with self.ensemble.lock:
            leader = self.ensemble.leader()
            if leader is None:
                raise Refused(503, "No leader elected")
            if leader is not self:
                raise Refused(307, "", [("Location", f"//{leader.hostname}:5050{path}")])
            if path == "/api/v1":
                if method != "POST":
                    raise Refused(405, "Expecting 'POST'")
                self.ensemble.call(json.loads(body))
                return ""
            return self.ensemble.summary()


def handler(machine, answer):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *words):
            pass

        def reply(self, status, document, headers=()):
            body = (document if isinstance(document, str) else json.dumps(document)).encode()
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not machine.is_up():
                self.close_connection = True
                return
            try:
                self.reply(200, answer(self.command, self.path, body))
            except Refused as refusal:
                self.reply(refusal.status, str(refusal), refusal.headers)

        do_GET = do_POST = handle_any

    return Handler


class Clusters:
    """All of a cloud, by UUID."""

    def __init__(self):
        self.all, self.lock = {}, threading.Lock()

    def of(self, cluster):
        with self.lock:
            return self.all.setdefault(cluster, Ensemble())

    def start(self, root, role, cluster, identity, rule):
        """What runs on a machine that is a node; `rule` gives what was ordered for it now."""
        ensemble = self.of(cluster)
        return Master(ensemble, root, rule) if role == "master" else Agent(ensemble, root, identity, rule)
