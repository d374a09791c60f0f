"""Neutron v2.0: networks, subnets and the rest by filters; quotas with use."""
import re
import uuid

from .request import Refusal, matches
from fakecloud import faults

PREFIX, VERSION = '/network', 'v2.0'
# Collection -> kind in the store.
COLLECTIONS = {'networks': 'network', 'subnets': 'subnet', 'ports': 'port', 'routers': 'router', 'floatingips': 'floatingip',
               'security-groups': 'security_group', 'security-group-rules': 'security_group_rule'}
DEFAULT_QUOTA = {'network': 100, 'subnet': 100, 'port': 500, 'router': 50, 'floatingip': 50, 'security_group': 100,
                 'security_group_rule': 1000, 'subnetpool': -1, 'rbac_policy': 10}
NO_FILTERS = {'limit', 'marker', 'fields', 'sort_key', 'sort_dir', 'page_reverse'}


def error(status, message):
    """An error as Neutron words it."""
    return {'NeutronError': {'type': {404: 'NotFound', 409: 'Conflict'}.get(status, 'HTTPError'), 'message': message, 'detail': ''}}


def versions(base):
    """The version documents: of the service, and of the version."""
    one = {'id': 'v2.0', 'status': 'CURRENT', 'links': [{'rel': 'self', 'href': base + '/v2.0/'}]}
    return {'versions': [one]}, {'resources': []}


def rows_of(request, store, kind):
    """What the asker may see of a kind, with a network's subnets filled in."""
    rows = store.seen_by(kind, request.asker.project_id, request.asker.admin)
    if kind == 'network':
        rows = [{**row, 'subnets': [s['id'] for s in store.subnets_of(row['id'])]} for row in rows]
    return [{**row, 'tenant_id': row.get('project_id', '')} for row in rows]


def listed(request, store, collection):
    """A collection; every query key that is no option is a filter, and repeated keys are alternatives."""
    kind, key = COLLECTIONS[collection], collection.replace('-', '_')
    rows = rows_of(request, store, kind)
    for name in {name for name, _ in request.query} - NO_FILTERS:
        if name == 'fixed_ips':
            rows = [row for row in rows if any(value.split('=')[-1] in map(str, ip.values()) for ip in row['fixed_ips'] for value in request.values(name))]
        else:
            rows = [row for row in rows if matches(row, name, request.values(name))]
    page, more = request.page(rows)
    answer = {key: trimmed(page, request)}
    if more and request.value('limit'):
        answer[key + '_links'] = [{'rel': 'next', 'href': request.next_link('%s/v2.0/%s' % (request.base, collection), page[-1]['id'])}]
    return 200, answer


def trimmed(rows, request):
    """Rows with only the asked fields."""
    fields = request.values('fields')
    return [{key: row[key] for key in fields if key in row} for row in rows] if fields else rows


def quota(request, store, project, detail):
    """GET /quotas/{project}[/details]."""
    asker = request.asker
    if project != asker.project_id and not asker.admin:
        raise Refusal(403, 'rule:get_quota is disallowed by policy')
    limits = {**DEFAULT_QUOTA, **{k: v for k, v in faults.quota(project, asker.project_name).items() if k in DEFAULT_QUOTA}}
    if detail:
        return 200, {'quota': {key: {'limit': limit, 'used': len(store.owned_by(key, project)), 'reserved': 0} for key, limit in limits.items()}}
    return 200, {'quota': limits}


def floating_ip(request, store, identity):
    """POST /floatingips and DELETE /floatingips/{id}: as a cluster's own controllers make them, to see them cleaned up."""
    if request.method == 'POST' and identity is None:
        given = request.json('floatingip')
        network = store.get('network', given.get('floating_network_id') or '')
        if network is None or not network.get('router:external'):
            raise Refusal(404, 'External network %s could not be found.' % given.get('floating_network_id'))
        made = {'description': '', 'port_id': None, **given, 'id': str(uuid.uuid4()), 'project_id': request.asker.project_id, 'status': 'DOWN'}
        subnet = store.subnets_of(network['id'])[0]
        made['floating_ip_address'] = store.allocate(subnet, made['id'])
        store.put('floatingip', made, request.asker.project_id)
        return 201, {'floatingip': made}
    if request.method == 'DELETE' and identity is not None:
        if not any(row['id'] == identity for row in rows_of(request, store, 'floatingip')):
            raise Refusal(404, 'Floating IP %s could not be found' % identity)
        store.remove('floatingip', identity)
        return 204, None
    raise Refusal(405, 'This stand-in does not change %s' % request.path)


def answer(request, store):
    """Routes a request under /v2.0."""
    found = re.fullmatch(r'/floatingips(?:/([^/]+))?', request.path)
    if found and request.method != 'GET':
        return floating_ip(request, store, found[1])
    if request.method != 'GET':
        raise Refusal(405, 'This stand-in does not change %s' % request.path)
    path = re.sub(r'\.json$', '', request.path)
    if path == '/extensions':
        return 200, {'extensions': [{'alias': alias, 'name': alias} for alias in ('router', 'external-net', 'quota_details', 'security-group')]}
    found = re.fullmatch(r'/extensions/([^/]+)', path)
    if found:
        return 200, {'extension': {'alias': found[1], 'name': found[1]}}
    found = re.fullmatch(r'/quotas/([^/]+?)(/details)?', path)
    if found:
        return quota(request, store, found[1], found[2])
    found = re.fullmatch(r'/([a-z-]+)(?:/([^/]+))?', path)
    if not found or found[1] not in COLLECTIONS:
        raise Refusal(404, 'The resource could not be found.')
    if found[2] is None:
        return listed(request, store, found[1])
    kind = COLLECTIONS[found[1]]
    rows = [row for row in rows_of(request, store, kind) if row['id'] == found[2]]
    if not rows:
        raise Refusal(404, '%s %s could not be found.' % (kind.replace('_', ' ').capitalize(), found[2]))
    return 200, {kind: trimmed(rows, request)[0]}
