"""Octavia v2: load balancers. They can be made here too, as a cluster's own controllers would, to see them cleaned up."""
import re
import uuid

from .request import Refusal, matches
from fakecloud.store import now

PREFIX, VERSION = '/load-balancer', 'v2.0'
NO_FILTERS = {'limit', 'marker', 'fields', 'sort', 'tags', 'not-tags'}


def error(status, message):
    """An error as Octavia words it."""
    return {'faultcode': 'Server' if status >= 500 else 'Client', 'faultstring': message, 'debuginfo': None}


def versions(base):
    """The version documents: of the service, and of the version."""
    one = {'id': 'v2.27', 'status': 'CURRENT', 'links': [{'rel': 'self', 'href': base + '/v2'}]}
    return {'versions': [one]}, {'versions': [one]}


def listed(request, store):
    """GET /loadbalancers of the project, by filters."""
    rows = store.seen_by('loadbalancer', request.asker.project_id, request.asker.admin)
    if request.value('tags'):
        rows = [row for row in rows if set(request.value('tags').split(',')) <= set(row.get('tags') or [])]
    for key in {name for name, _ in request.query} - NO_FILTERS:
        rows = [row for row in rows if matches(row, key, request.values(key))]
    page, more = request.page(rows)
    answer = {'loadbalancers': page, 'loadbalancers_links': []}
    if more:
        answer['loadbalancers_links'] = [{'rel': 'next', 'href': request.next_link(request.base + '/v2.0/lbaas/loadbalancers', page[-1]['id'])}]
    return 200, answer


def make(request, store):
    """POST /loadbalancers."""
    given = request.json('loadbalancer')
    identity, project = str(uuid.uuid4()), request.asker.project_id
    subnet = store.get('subnet', given.get('vip_subnet_id') or '')
    if subnet is None:
        raise Refusal(400, 'Validation failure: vip_subnet_id must name a subnet')
    made = {'name': '', 'description': '', 'tags': [], **given, 'id': identity, 'project_id': project, 'provisioning_status': 'ACTIVE',
            'operating_status': 'ONLINE', 'status': 'ACTIVE', 'vip_address': store.allocate(subnet, identity, given.get('vip_address')),
            'vip_network_id': subnet['network_id'], 'vip_port_id': str(uuid.uuid4()), 'listeners': [], 'pools': [], 'created_at': now()}
    store.put('loadbalancer', made, project)
    return 201, {'loadbalancer': made}


def answer(request, store):
    """Routes a request under /v2.0 (also /v2)."""
    request.require_roles('member', 'load-balancer_member', 'reader')
    path = re.sub(r'^/lbaas', '', request.path)
    if path == '/loadbalancers' and request.method == 'POST':
        return make(request, store)
    if path == '/loadbalancers' and request.method == 'GET':
        return listed(request, store)
    found = re.fullmatch(r'/loadbalancers/([^/]+)', path)
    if not found:
        raise Refusal(404, 'The resource could not be found.')
    rows = [row for row in store.seen_by('loadbalancer', request.asker.project_id, request.asker.admin) if row['id'] == found[1]]
    if not rows:
        raise Refusal(404, 'load_balancer %s not found.' % found[1])
    if request.method == 'GET':
        return 200, {'loadbalancer': rows[0]}
    if request.method != 'DELETE':
        raise Refusal(405, 'This stand-in does not change load balancers')
    if rows[0].get('listeners') and (request.value('cascade') or '').lower() != 'true':
        raise Refusal(400, 'Cannot delete Load Balancer %s - it has children' % found[1])
    store.remove('loadbalancer', found[1])
    return 204, None
