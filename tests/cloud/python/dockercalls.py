"""The calls of Docker's Engine API by which a machine joins, leads and leaves a swarm, in an order in which every answer
of theirs that anybody here reads comes once: as real Docker is recorded, and as the stand-in is held against it.

An answer is kept as its status and its form: what is a fixed word stays, what differs each time becomes its kind.
"""
import json
import re
import time

# Words that mean something to whoever reads an answer; the values of all other keys differ from swarm to swarm.
WORDS = {"Role", "Availability", "State", "Reachability", "LocalNodeState", "ControlAvailable", "AutoLockManagers", "message", "Error"}
# What is read of answers, by the first key of an answer's path; a list's entries have no name of their own.
READ = {
    "info": ["Swarm.NodeID", "Swarm.LocalNodeState", "Swarm.ControlAvailable", "Swarm.RemoteManagers"],
    "version": ["Version", "ApiVersion"],
    "swarm": ["ID", "Version.Index", "Spec.Name", "Spec.Labels", "Spec.EncryptionConfig.AutoLockManagers", "JoinTokens.Worker",
              "JoinTokens.Manager"],
    "unlockkey": ["UnlockKey"],
    "node": ["ID", "Version.Index", "Spec.Labels", "Spec.Role", "Spec.Availability", "Description.Hostname", "Status.State", "Status.Addr",
             "ManagerStatus.Reachability", "ManagerStatus.Addr", "ManagerStatus.Leader"],
    "error": ["message"],
}
MASKS = [(r"SWMTKN-[0-9a-z-]+", "<token>"), (r"SWMKEY-[0-9A-Za-z+/=-]+", "<key>"), (r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?", "<address>"),
         (r"\b[0-9a-z]{25}\b", "<id>"), (r"\b\d+(?:\.\d+)?(?:ms|s)\b", "<time>")]


def masked(text):
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text)
    return text


def form(value, key=""):
    """What stays the same of a value."""
    if isinstance(value, dict):
        return {name: form(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [form(value[0])] if value else []
    if key in WORDS:
        return masked(value) if isinstance(value, str) else value
    return None if value is None else {bool: "yes or no", int: "number", float: "number", str: "text"}[type(value)]


class Play:
    """Plays the calls on three machines. `machines` has call(name, method, path, body) -> (status, document), address(name),
    and stop(name) and start(name), which end and start the machine's Docker."""

    def __init__(self, machines, patience=60):
        self.machines, self.patience, self.answers = machines, patience, {}

    def say(self, title, what, name, method, path, body=None):
        status, document = self.machines.call(name, method, path, body)
        self.answers[title] = {"of": what if status < 300 else "error", "status": status, "answer": form(document)}
        return document

    def quiet(self, name, method, path, body=None):
        status, document = self.machines.call(name, method, path, body)
        if status >= 300:
            raise RuntimeError(f"{name} {method} {path}: {status} {document}")
        return document

    def until(self, what, condition):
        end = time.monotonic() + self.patience
        while True:
            try:
                if condition():
                    return
            except (OSError, ValueError, RuntimeError, KeyError):
                pass
            if time.monotonic() > end:
                raise RuntimeError(f"waited in vain until {what}")
            time.sleep(0.1)

    def swarm_of(self, name):
        return self.quiet(name, "GET", "/info")["Swarm"]

    def node(self, of):
        return self.quiet("a", "GET", f"/nodes/{of}")

    def set(self, of, **values):
        node = self.node(of)
        self.quiet("a", "POST", f"/nodes/{of}/update?version={node['Version']['Index']}", {**node["Spec"], **values})

    def entrance(self, name, token):
        address = self.machines.address(name)
        return {"ListenAddr": f"{address}:2377", "AdvertiseAddr": f"{address}:2377", "DataPathAddr": address,
                "RemoteAddrs": [f"{self.machines.address('a')}:2377"], "JoinToken": token}

    def all(self):
        self.outside()
        self.begin()
        self.join()
        self.change()
        self.leave()
        self.lock()
        self.lose()
        return self.answers

    def outside(self):
        self.say("a machine outside, info", "info", "a", "GET", "/info")
        self.say("version", "version", "a", "GET", "/version")
        self.say("no such path", "nothing", "a", "GET", "/no-such-path")
        for title, method, path, body in [
                ("the swarm", "GET", "/swarm", None), ("the nodes", "GET", "/nodes", None), ("a node", "GET", "/nodes/none", None),
                ("removing a node", "DELETE", "/nodes/none", None), ("the key", "GET", "/swarm/unlockkey", None),
                ("leaving", "POST", "/swarm/leave", None), ("unlocking", "POST", "/swarm/unlock", {"UnlockKey": "SWMKEY-1-x"})]:
            self.say(f"a machine outside, {title}", "nothing", "a", method, path, body)

    def begin(self):
        address = self.machines.address("a")
        body = {"ListenAddr": f"{address}:2377", "AdvertiseAddr": f"{address}:2377", "DataPathAddr": address,
                "Spec": {"EncryptionConfig": {"AutoLockManagers": False}}}
        self.say("beginning a swarm", "nothing", "a", "POST", "/swarm/init", body)
        self.say("beginning another one", "nothing", "a", "POST", "/swarm/init", body)
        self.say("a manager, info", "info", "a", "GET", "/info")
        self.until("the first node is ready", lambda: self.quiet("a", "GET", "/nodes")[0]["Status"]["State"] == "ready")
        self.say("a manager, the swarm", "swarm", "a", "GET", "/swarm")
        self.say("a manager, the nodes", "node", "a", "GET", "/nodes")
        self.say("the key of a swarm that does not lock", "unlockkey", "a", "GET", "/swarm/unlockkey")
        self.say("unlocking what is not locked", "nothing", "a", "POST", "/swarm/unlock", {"UnlockKey": "SWMKEY-1-x"})
        self.say("the last manager leaves", "nothing", "a", "POST", "/swarm/leave")

    def join(self):
        tokens = self.quiet("a", "GET", "/swarm")["JoinTokens"]
        other = re.sub(r"-[0-9a-z]+$", "-" + 25 * "0", tokens["Worker"])
        self.say("joining with another token", "nothing", "b", "POST", "/swarm/join", self.entrance("b", other))
        self.say("after a try, info", "info", "b", "GET", "/info")
        for name in "bc":
            self.say(f"{name} joins", "nothing", name, "POST", "/swarm/join", self.entrance(name, tokens["Worker"]))
        self.say("joining twice", "nothing", "b", "POST", "/swarm/join", self.entrance("b", tokens["Worker"]))
        self.until("the workers are ready", lambda: [n["Status"]["State"] for n in self.quiet("a", "GET", "/nodes")] == 3 * ["ready"])
        self.b, self.c = (self.swarm_of(name)["NodeID"] for name in "bc")
        self.say("a worker, info", "info", "b", "GET", "/info")
        for title, path in [("the swarm", "/swarm"), ("the nodes", "/nodes"), ("the key", "/swarm/unlockkey")]:
            self.say(f"a worker, {title}", "nothing", "b", "GET", path)

    def change(self):
        self.say("a node that is not there", "nothing", "a", "GET", f"/nodes/{25 * '0'}")
        node = self.say("a node", "node", "a", "GET", f"/nodes/{self.b}")
        path = f"/nodes/{self.b}/update?version="
        self.say("a change of an old version", "nothing", "a", "POST", f"{path}1", node["Spec"])
        self.say("a change without a version", "nothing", "a", "POST", f"/nodes/{self.b}/update", node["Spec"])
        self.say("a change of a node that is not there", "nothing", "a", "POST", f"/nodes/{25 * '0'}/update?version=1", node["Spec"])
        drained = {**node["Spec"], "Availability": "drain"}
        self.say("a change", "nothing", "a", "POST", f"{path}{self.node(self.b)['Version']['Index']}", drained)
        self.say("a drained node", "node", "a", "GET", f"/nodes/{self.b}")
        self.set(self.b, Role="manager")
        self.until("b is a manager", lambda: self.swarm_of("b")["ControlAvailable"] and "ManagerStatus" in self.node(self.b))
        self.say("a second manager", "node", "a", "GET", f"/nodes/{self.b}")
        swarm = self.quiet("a", "GET", "/swarm")
        update = f"/swarm/update?version={swarm['Version']['Index']}"
        self.say("another swarm's specification", "nothing", "a", "POST", update, {**swarm["Spec"], "Name": "other"})
        self.say("an old specification", "nothing", "a", "POST", "/swarm/update?version=1", swarm["Spec"])
        self.say("other tokens", "nothing", "a", "POST", update + "&rotateWorkerToken=true&rotateManagerToken=true",
                 {**swarm["Spec"], "Labels": {"a": "b"}})
        self.say("the swarm with a label", "swarm", "a", "GET", "/swarm")

    def leave(self):
        self.say("removing a manager", "nothing", "a", "DELETE", f"/nodes/{self.b}?force=true")
        self.set(self.b, Role="worker")
        self.until("b is none any more", lambda: "ManagerStatus" not in self.node(self.b))
        self.until("b knows it", lambda: not self.swarm_of("b")["ControlAvailable"])
        self.until("b is ready", lambda: self.node(self.b)["Status"]["State"] == "ready")
        self.say("removing a node that is ready", "nothing", "a", "DELETE", f"/nodes/{self.b}")
        self.machines.stop("b")
        self.until("b is down", lambda: self.node(self.b)["Status"]["State"] == "down")
        self.say("a node that is down", "node", "a", "GET", f"/nodes/{self.b}")
        self.say("removing a node that is down", "nothing", "a", "DELETE", f"/nodes/{self.b}")
        self.say("removing a node that is not there", "nothing", "a", "DELETE", f"/nodes/{self.b}?force=true")
        self.say("removing a node that is ready, by force", "nothing", "a", "DELETE", f"/nodes/{self.c}?force=true")
        self.machines.call("c", "POST", "/swarm/leave?force=true", None)

    def lock(self):
        swarm = self.quiet("a", "GET", "/swarm")
        spec = {**swarm["Spec"], "EncryptionConfig": {"AutoLockManagers": True}}
        self.quiet("a", "POST", f"/swarm/update?version={swarm['Version']['Index']}", spec)
        self.until("there is a key", lambda: self.quiet("a", "GET", "/swarm/unlockkey")["UnlockKey"])
        key = self.say("the key", "unlockkey", "a", "GET", "/swarm/unlockkey")["UnlockKey"]
        self.machines.stop("a")
        self.machines.start("a")
        self.until("a is locked", lambda: self.swarm_of("a")["LocalNodeState"] == "locked")
        self.say("a locked manager, info", "info", "a", "GET", "/info")
        for title, path in [("the swarm", "/swarm"), ("the nodes", "/nodes"), ("the key", "/swarm/unlockkey")]:
            self.say(f"a locked manager, {title}", "nothing", "a", "GET", path)
        self.say("a locked manager leaves", "nothing", "a", "POST", "/swarm/leave")
        wrong = "SWMKEY-1-" + 43 * "A"
        self.say("unlocking with another key", "nothing", "a", "POST", "/swarm/unlock", {"UnlockKey": wrong})
        self.say("unlocking", "nothing", "a", "POST", "/swarm/unlock", {"UnlockKey": key})
        self.until("a leads again", lambda: self.quiet("a", "GET", "/nodes"))

    def lose(self):
        """Of two managers one is lost, and with it the majority."""
        token = self.quiet("a", "GET", "/swarm")["JoinTokens"]["Manager"]
        self.quiet("c", "POST", "/swarm/join", self.entrance("c", token))
        self.until("c is a manager", lambda: self.swarm_of("c")["ControlAvailable"])
        self.until("a knows it", lambda: all(n.get("ManagerStatus", {}).get("Reachability") == "reachable" for n in self.quiet("a", "GET", "/nodes")
                                             if n["Spec"]["Role"] == "manager"))
        self.machines.stop("c")
        self.until("a is alone", lambda: self.machines.call("a", "GET", "/nodes", None)[0] >= 500)
        self.say("without a majority, the nodes", "nothing", "a", "GET", "/nodes")
        self.say("without a majority, the swarm", "nothing", "a", "GET", "/swarm")
        self.say("without a majority, a change", "nothing", "a", "POST", f"/nodes/{self.swarm_of('a')['NodeID']}/update?version=1",
                 {"Role": "manager", "Availability": "active"})
        self.say("without a majority, info", "info", "a", "GET", "/info")


def at(document, path):
    """What is under that path of a form, as a list: of one, or of none."""
    if isinstance(document, list):
        return at(document[0], path) if document else []
    if not path:
        return [document]
    first, _, rest = path.partition(".")
    return at(document[first], rest) if isinstance(document, dict) and first in document else []


def differences(recorded, played):
    """How the stand-in's answers differ in what anybody reads of them."""
    for title, real in recorded.items():
        ours = played.get(title)
        if ours is None:
            yield f"{title}: the stand-in does not play it"
            continue
        if (real["of"], real["status"]) != (ours["of"], ours["status"]):
            yield f"{title}: {real['status']} {json.dumps(real['answer'])[:300]}, the stand-in {ours['status']} {json.dumps(ours['answer'])[:300]}"
            continue
        for path in READ.get(real["of"], []):
            if at(real["answer"], path) != at(ours["answer"], path):
                yield f"{title}, {path}: {at(real['answer'], path)}, the stand-in {at(ours['answer'], path)}"
        yield from unknown(title, real["answer"], ours["answer"])
    for title in set(played) - set(recorded):
        yield f"{title}: is not recorded"


def unknown(title, real, ours, path=""):
    """Members that real Docker does not have there."""
    if isinstance(real, list) and isinstance(ours, list) and real and ours:
        yield from unknown(title, real[0], ours[0], path)
    if isinstance(real, dict) and isinstance(ours, dict) and not path.endswith(".Labels"):
        for key in ours:
            if key not in real:
                yield f"{title}: Docker has no {path}.{key}"
            else:
                yield from unknown(title, real[key], ours[key], f"{path}.{key}")
