"""Docker on a node that is only played: the calls of its Engine API by which a machine joins and leads a swarm, on a
socket of the node's own, answered in the words and forms of the real one, as dockercalls.json has them on record. A swarm is what its engines know
together: they share it here by the cluster's UUID. What a machine would keep below /var/lib/docker is in a file, so
that it goes with the disk it lies on.
"""
import hashlib
import http.server
import json
import pathlib
import secrets
import socketserver
import sys
import threading
import urllib.parse

VERSION = "20.10.24"
PART_OF_SWARM = 'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.'
NO_MANAGER = ('This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to '
              "swarm and try again.")
WRONG_TOKEN = "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster"
WORKER = ("This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a "
          "manager node or promote the current node to a manager.")
LOCKED = 'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.'
LOCKED_LEAVES = "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message."
MANAGER_LEAVES = "You are attempting to leave the swarm on a node that is participating as a manager. "
LAST_LEAVES = "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. "
NO_LEADER = ("rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online. Make "
             "sure more than half of the managers are online.")
NO_VERSION = "invalid node version '%s': strconv.ParseUint: parsing \"%s\": invalid syntax"
UNREACHABLE = "rpc error: code = Unavailable desc = connection error"
OUT_OF_SEQUENCE = "rpc error: code = Unknown desc = update out of sequence"


class Refused(Exception):
    """An answer that is none of 2xx."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(document))
    fresh.rename(path)


def read(path, otherwise):
    return json.loads(path.read_text()) if path.exists() else otherwise


def new_token(swarm):
    return f"SWMTKN-1-{hashlib.sha256(swarm.encode()).hexdigest()[:50]}-{secrets.token_hex(13)[:25]}"


class Swarm:
    """What the managers of one cluster agree on. `alive` has the engines that run, by the node's id in the swarm."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.RLock()
        self.alive = {}
        self.state = read(path, None)

    def save(self):
        write(self.path, self.state)

    def begin(self, spec):
        """A new swarm; whatever was there before is nobody's any more."""
        identity = secrets.token_hex(13)[:25]
        lock = bool(spec.get("EncryptionConfig", {}).get("AutoLockManagers"))
        self.state = {
            "ID": identity, "Version": 10, "Nodes": {}, "UnlockKey": f"SWMKEY-1-{secrets.token_urlsafe(32)}" if lock else "",
            "JoinTokens": {"Worker": new_token(identity), "Manager": new_token(identity)}, "AutoLockManagers": lock,
            "Labels": {}}

    def add(self, engine, role):
        identity = secrets.token_hex(13)[:25]
        self.state["Nodes"][identity] = {"Hostname": engine.hostname, "Addr": engine.address, "Role": role, "Version": 12,
                                         "Availability": "active"}
        self.alive[identity] = engine
        self.save()
        return identity

    def managers(self):
        """The engines that can act for the swarm; none without a majority."""
        members = [identity for identity, node in (self.state or {"Nodes": {}})["Nodes"].items() if node["Role"] == "manager"]
        up = [self.alive[identity] for identity in members if identity in self.alive and not self.alive[identity].locked]
        return up if 2 * len(up) > len(members) else []

    def spec(self):
        return {"Name": "default", "Labels": self.state["Labels"], "Orchestration": {"TaskHistoryRetentionLimit": 5},
                "EncryptionConfig": {"AutoLockManagers": self.state["AutoLockManagers"]}}

    def node(self, identity):
        node = self.state["Nodes"][identity]
        document = {
            "ID": identity, "Version": {"Index": node["Version"]},
            "Spec": {"Labels": {}, "Role": node["Role"], "Availability": node["Availability"]},
            "Description": {"Hostname": node["Hostname"], "Engine": {"EngineVersion": VERSION}},
            "Status": {"State": "ready" if identity in self.alive else "down", "Addr": node["Addr"]}}
        if node["Role"] == "manager":
            reachable = "reachable" if identity in self.alive else "unreachable"
            document["ManagerStatus"] = {"Reachability": reachable, "Addr": f"{node['Addr']}:2377"}
            if self.managers()[:1] == [self.alive.get(identity)]:
                document["ManagerStatus"]["Leader"] = True
        return document


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """That nobody waits for an answer any more is no defect."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Engine:
    """The Docker of one machine."""

    def __init__(self, swarms, root, kept, hostname, address, cluster):
        self.hostname, self.address, self.kept = hostname, address, kept
        self.swarm = swarms.of(cluster)
        self.own = read(kept, {"NodeID": ""})
        # A lock shows after a restart, of the program or of the machine on whose volume the state lies.
        self.locked = self.member() is not None and self.is_manager() and self.swarm.state["AutoLockManagers"]
        if self.member() is not None:
            self.member()["Version"] += 1
            self.swarm.alive[self.own["NodeID"]] = self
        self.socket = root / "run/docker.sock"
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        self.server = Server(str(self.socket), handler(self))
        threading.Thread(target=self.server.serve_forever, args=(0.2,), daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()
        with self.swarm.lock:
            self.swarm.alive.pop(self.own["NodeID"], None)

    def member(self):
        """The swarm's record of this machine."""
        return (self.swarm.state or {"Nodes": {}})["Nodes"].get(self.own["NodeID"])

    def is_manager(self):
        return self.member() is not None and self.member()["Role"] == "manager"

    def joined(self, identity):
        self.own = {"NodeID": identity}
        write(self.kept, self.own)

    def manages(self):
        """Refuses what only a manager does that has a majority."""
        if self.locked:
            raise Refused(503, LOCKED)
        if not self.is_manager():
            raise Refused(503, NO_MANAGER if self.member() is None else WORKER)
        if self not in self.swarm.managers():
            raise Refused(500, NO_LEADER)
        return self.swarm

    def answer(self, method, path, query, body):
        route = {
            ("GET", "/info"): self.info, ("GET", "/version"): self.version, ("GET", "/swarm"): self.show, ("GET", "/swarm/unlockkey"): self.unlock_key,
            ("GET", "/nodes"): self.nodes, ("POST", "/swarm/init"): self.init, ("POST", "/swarm/join"): self.join,
            ("POST", "/swarm/leave"): self.leave, ("POST", "/swarm/unlock"): self.unlock, ("POST", "/swarm/update"): self.update,
        }.get((method, path))
        with self.swarm.lock:
            if route:
                return route(query, body)
            if method == "POST" and path.startswith("/nodes/") and path.endswith("/update"):
                return self.update_node(path.split("/")[2], query, body)
            if method == "GET" and path.startswith("/nodes/"):
                return self.node(path.split("/")[2])
            if method == "DELETE" and path.startswith("/nodes/"):
                return self.remove_node(path.split("/")[2], query)
        raise Refused(404, "page not found")

    def version(self, query, body):
        return {"Version": VERSION, "ApiVersion": "1.41"}

    def info(self, query, body):
        state = "locked" if self.locked else "active" if self.member() is not None else "inactive"
        return {
            "ID": "PLAYED", "Name": self.hostname, "ServerVersion": VERSION,
            "Swarm": {"NodeID": self.own["NodeID"] if state == "active" else "", "NodeAddr": self.address if state == "active" else "",
                      "LocalNodeState": state, "ControlAvailable": not self.locked and self.is_manager(),
                      "Error": LOCKED if self.locked else "",
                      "RemoteManagers": [{"NodeID": "other", "Addr": f"{m.address}:2377"} for m in self.known_managers()] or None}}

    def known_managers(self):
        """Whom a member would speak to."""
        if self.member() is None or self.locked:
            return []
        return [engine for engine in self.swarm.alive.values() if engine.is_manager()]

    def init(self, query, body):
        if self.member() is not None:
            raise Refused(503, PART_OF_SWARM)
        if not body["AdvertiseAddr"].startswith(self.address):
            raise Refused(400, f"advertise address {body['AdvertiseAddr']} is none of this machine")
        self.swarm.begin(body.get("Spec") or {})
        self.joined(self.swarm.add(self, "manager"))
        return self.own["NodeID"]

    def join(self, query, body):
        if self.member() is not None:
            raise Refused(503, PART_OF_SWARM)
        asked = {address.rsplit(":", 1)[0] for address in body["RemoteAddrs"]}
        if not any(manager.address in asked for manager in self.swarm.managers()):
            raise Refused(500, UNREACHABLE)
        roles = {token: role.lower() for role, token in self.swarm.state["JoinTokens"].items()}
        role = roles.get(body["JoinToken"])
        if role is None:
            raise Refused(400, WRONG_TOKEN)
        self.joined(self.swarm.add(self, role))

    def leave(self, query, body):
        if self.member() is None:
            raise Refused(503, "This node is not part of a swarm")
        if query.get("force") not in ("1", "true"):
            if self.locked:
                raise Refused(503, LOCKED_LEAVES)
            if self.is_manager():
                raise Refused(503, MANAGER_LEAVES + (LAST_LEAVES if self.swarm.managers() == [self] else ""))
        self.locked = False
        self.swarm.alive.pop(self.own["NodeID"], None)
        self.joined("")

    def unlock(self, query, body):
        if not self.locked:
            if not self.is_manager():
                raise Refused(503, NO_MANAGER)
            raise Refused(409, "swarm is not locked")
        if body["UnlockKey"] != self.swarm.state["UnlockKey"]:
            raise Refused(401, "swarm could not be unlocked: invalid key provided")
        self.locked = False

    def unlock_key(self, query, body):
        return {"UnlockKey": self.manages().state["UnlockKey"]}

    def show(self, query, body):
        state = self.manages().state
        return {"ID": state["ID"], "Version": {"Index": state["Version"]}, "Spec": self.swarm.spec(), "RootRotationInProgress": False,
                "JoinTokens": state["JoinTokens"]}

    def update(self, query, body):
        state = self.manages().state
        if query.get("version") != str(state["Version"]):
            raise Refused(500, OUT_OF_SEQUENCE)
        if body.get("Name") != "default":
            raise Refused(400, 'swarm spec must be named "default"')
        for role in ("Worker", "Manager"):
            if query.get(f"rotate{role}Token") == "true":
                state["JoinTokens"][role] = new_token(state["ID"])
        state["Labels"] = body.get("Labels") or {}
        state["AutoLockManagers"] = bool(body.get("EncryptionConfig", {}).get("AutoLockManagers"))
        if state["AutoLockManagers"] and (not state["UnlockKey"] or query.get("rotateManagerUnlockKey") == "true"):
            state["UnlockKey"] = f"SWMKEY-1-{secrets.token_urlsafe(32)}"
        state["Version"] += 1
        self.swarm.save()

    def nodes(self, query, body):
        swarm = self.manages()
        return [swarm.node(identity) for identity in swarm.state["Nodes"]]

    def node(self, identity):
        if identity not in self.manages().state["Nodes"]:
            raise Refused(404, f"node {identity} not found")
        return self.swarm.node(identity)

    def update_node(self, identity, query, body):
        if not query.get("version", "").isdigit():
            raise Refused(400, NO_VERSION % (2 * (query.get("version", ""),)))
        node = self.manages().state["Nodes"].get(identity)
        if node is None:
            raise Refused(404, f"node {identity} not found")
        if query.get("version") != str(node["Version"]):
            raise Refused(500, OUT_OF_SEQUENCE)
        node["Role"], node["Availability"] = body["Role"], body["Availability"]
        node["Version"] += 1
        self.swarm.save()

    def remove_node(self, identity, query):
        nodes = self.manages().state["Nodes"]
        if identity not in nodes:
            raise Refused(404, f"node {identity} not found")
        if nodes[identity]["Role"] == "manager":
            raise Refused(400, f"rpc error: code = FailedPrecondition desc = node {identity} is a cluster manager and is a member "
                               "of the raft cluster. It must be demoted to worker before removal")
        if identity in self.swarm.alive and query.get("force") not in ("1", "true"):
            raise Refused(400, f"rpc error: code = FailedPrecondition desc = node {identity} is not down and can't be removed")
        del nodes[identity]
        self.swarm.alive.pop(identity, None)
        self.swarm.save()


def handler(engine):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *words):
            pass

        def address_string(self):
            return "unix"

        def reply(self, status, document):
            body = b"" if document is None else json.dumps(document, separators=(",", ":")).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle_any(self):
            url = urllib.parse.urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = dict(urllib.parse.parse_qsl(url.query))
            try:
                self.reply(200, engine.answer(self.command, url.path, query, json.loads(raw) if raw.strip() else {}))
            except Refused as refusal:
                self.reply(refusal.status, {"message": str(refusal)})

        do_GET = do_POST = do_DELETE = handle_any

    return Handler


class Swarms:
    """All swarms of a cloud, by cluster."""

    def __init__(self, folder):
        self.folder, self.all, self.lock = pathlib.Path(folder), {}, threading.Lock()

    def of(self, cluster):
        with self.lock:
            if cluster not in self.all:
                self.all[cluster] = Swarm(self.folder / f"{cluster}.json")
            return self.all[cluster]
