"""Faults that tests order, read anew from $CLOUD_DIR/faults.json whenever it has changed. All keys are optional:

{
 "delay": 0.5,                    seconds that every creation of a resource takes
 "resources": [                   first matching rule counts
  {"stack": "regex", "name": "regex", "type": "OS::Nova::*", "action": "CREATE", "delay": 5, "hold": true, "fail": "No valid host was found"}],
 "requests": [                    first matching rule counts
  {"service": "compute", "method": "GET", "path": "regex", "agent": "regex", "delay": 1, "status": 503, "body": "..."}],
 "quotas": {"<project id or name>": {"instances": 1, "cores": 2, "port": 5, "volumes": 0}}
}

`stack` and `name` are searched for (a nested stack's name starts with its parent's), `type` is a shell pattern, `action`
is CREATE, UPDATE, DELETE or * (CREATE when left out). `hold` keeps the resource in progress until the rule is gone or its
hold is false. `service` is compute, image, network, volume or load-balancer.
"""
import fnmatch
import json
import os
import re
import threading

_lock = threading.Lock()
_cache = (None, {})


def path():
    """The faults file."""
    return os.environ.get('CLOUD_FAULTS') or os.path.join(os.environ['CLOUD_DIR'], 'faults.json')


def read():
    """The orders in force. A file that is being written half counts as the last readable one."""
    global _cache
    try:
        stat = os.stat(path())
        mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    except OSError:
        return {}
    with _lock:
        if _cache[0] != mark:
            try:
                with open(path(), encoding='utf-8') as file:
                    _cache = (mark, json.load(file))
            except (OSError, ValueError):
                pass
        return _cache[1]


def for_resource(stack, name, kind, action):
    """The rule for an action on a resource; empty when there is none."""
    orders = read()
    for rule in orders.get('resources', []):
        if (fnmatch.fnmatch(kind, rule.get('type', '*')) and rule.get('action', 'CREATE') in (action, '*')
                and re.search(rule.get('name', ''), name) and re.search(rule.get('stack', ''), stack)):
            return rule
    return {'delay': orders.get('delay', 0)} if action == 'CREATE' else {}


def for_request(service, method, path_and_query, agent):
    """The rule for a request to a stand-in; empty when there is none."""
    for rule in read().get('requests', []):
        if (rule.get('service', service) == service and rule.get('method', method) == method
                and re.search(rule.get('path', ''), path_and_query) and re.search(rule.get('agent', ''), agent)):
            return rule
    return {}


def quota(project_id, project_name):
    """The limits ordered for a project."""
    quotas = read().get('quotas', {})
    return {**quotas.get(project_name or '', {}), **quotas.get(project_id or '', {})}
