"""Nova v2.1: flavors, keypairs, servers, limits and quotas."""
import base64
import binascii
import hashlib
import re

from .request import Refusal
from fakecloud import faults
from fakecloud.servers import addresses
from fakecloud.store import now

PREFIX, VERSION = '/compute', 'v2.1'
DEFAULT_QUOTA = {'instances': 100, 'cores': 400, 'ram': 819200, 'key_pairs': 100, 'server_groups': 100,
                 'server_group_members': 100, 'metadata_items': 128}


def error(status, message):
    """An error as Nova words it."""
    name = {400: 'badRequest', 401: 'unauthorized', 403: 'forbidden', 404: 'itemNotFound', 409: 'conflictingRequest'}.get(status, 'computeFault')
    return {name: {'code': status, 'message': message}}


def versions(base):
    """The version documents: of the service, and of the version."""
    one = {'id': 'v2.1', 'status': 'CURRENT', 'version': '2.96', 'min_version': '2.1', 'updated': '2013-07-23T11:33:21Z',
           'links': [{'rel': 'self', 'href': base + '/v2.1/'}]}
    return {'versions': [one]}, {'version': one}


def flavors(request, store, detail):
    """GET /flavors and /flavors/detail, in pages."""
    rows = store.seen_by('flavor', request.asker.project_id, request.asker.admin)
    for key, field in (('minRam', 'ram'), ('minDisk', 'disk')):
        if request.value(key):
            rows = [row for row in rows if row[field] >= int(request.value(key))]
    page, more = request.page(sorted(rows, key=lambda row: row['id']))
    shown = [{**(row if detail else {'id': row['id'], 'name': row['name']}),
              'links': [{'rel': 'self', 'href': '%s/v2.1/flavors/%s' % (request.base, row['id'])}]} for row in page]
    answer = {'flavors': shown}
    if more:
        path = '%s/v2.1/flavors%s' % (request.base, '/detail' if detail else '')
        answer['flavors_links'] = [{'rel': 'next', 'href': request.next_link(path, page[-1]['id'])}]
    return 200, answer


def keypairs(request, store, name):
    """The keypairs of the token's user (an administrator may name another by user_id)."""
    user = request.value('user_id') if request.asker.admin and request.value('user_id') else request.asker.user_id
    if request.method == 'POST':
        return add_keypair(request, store, user)
    if name is None:
        shown = [public(row) for row in store.owned_by('keypair', user)]
        return 200, {'keypairs': [{'keypair': row} for row in shown]}
    found = store.get('keypair', '%s/%s' % (user, name))
    if found is None:
        raise Refusal(404, 'Keypair %s not found for user %s' % (name, user))
    if request.method == 'DELETE':
        store.remove('keypair', found['id'])
        return 202, None
    return 200, {'keypair': {**public(found), 'id': 1, 'deleted': False, 'deleted_at': None, 'updated_at': None,
                             'created_at': found.get('created_at', now()), 'user_id': user}}


def public(row):
    """A keypair as lists show it."""
    return {'name': row['name'], 'public_key': row['public_key'], 'type': row.get('type', 'ssh'), 'fingerprint': fingerprint(row['public_key'])}


def fingerprint(key):
    """The MD5 fingerprint of an OpenSSH public key."""
    try:
        digest = hashlib.md5(base64.b64decode(key.split()[1]), usedforsecurity=False).hexdigest()
    except (IndexError, binascii.Error):
        raise Refusal(400, 'Keypair data is invalid: failed to generate fingerprint')
    return ':'.join(digest[i:i + 2] for i in range(0, 32, 2))


def add_keypair(request, store, user):
    """POST /os-keypairs with a given public key."""
    given = request.json('keypair')
    name, key = given.get('name'), given.get('public_key')
    if not name or not key:
        raise Refusal(400, 'Invalid input for field/attribute keypair: name and public_key are required here')
    identity = '%s/%s' % (user, name)
    if store.get('keypair', identity):
        raise Refusal(409, "Key pair '%s' already exists." % name)
    fingerprint(key)
    store.put('keypair', {'id': identity, 'name': name, 'public_key': key, 'type': given.get('type', 'ssh'), 'user_id': user, 'created_at': now()}, user)
    return 201, {'keypair': {**public(store.get('keypair', identity)), 'user_id': user}}


def usage(store, project):
    """(limit key -> in use) of a project, counted from its servers."""
    servers = store.owned_by('server', project)
    sizes = [store.get('flavor', server['flavor']['id']) or {'vcpus': 0, 'ram': 0} for server in servers]
    return {'instances': len(servers), 'cores': sum(s['vcpus'] for s in sizes), 'ram': sum(s['ram'] for s in sizes),
            'server_groups': len(store.owned_by('server_group', project))}


def limits(request, store):
    """GET /limits: the project's quota and use."""
    asker = request.asker
    project = request.value('tenant_id') if asker.admin and request.value('tenant_id') else asker.project_id
    quota, used = {**DEFAULT_QUOTA, **faults.quota(project, asker.project_name)}, usage(store, project)
    return 200, {'limits': {'rate': [], 'absolute': {
        'maxTotalInstances': quota['instances'], 'maxTotalCores': quota['cores'], 'maxTotalRAMSize': quota['ram'],
        'maxTotalKeypairs': quota['key_pairs'], 'maxServerMeta': quota['metadata_items'], 'maxServerGroups': quota['server_groups'],
        'maxServerGroupMembers': quota['server_group_members'], 'totalInstancesUsed': used['instances'],
        'totalCoresUsed': used['cores'], 'totalRAMUsed': used['ram'], 'totalServerGroupsUsed': used['server_groups']}}}


def quota_set(request, store, project, detail):
    """GET /os-quota-sets/{project}[/detail]."""
    asker = request.asker
    if project != asker.project_id and not asker.admin:
        raise Refusal(403, "Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.")
    quota, used = {**DEFAULT_QUOTA, **faults.quota(project, asker.project_name)}, usage(store, project)
    if detail:
        quota = {key: {'limit': limit, 'in_use': used.get(key, 0), 'reserved': 0} for key, limit in quota.items()}
    return 200, {'quota_set': {'id': project, **quota}}


def server(store, row):
    """A server as Nova shows it."""
    flavor = store.get('flavor', row['flavor']['id']) or {}
    return {**row, 'addresses': addresses(store, row), 'flavor': {
        'id': row['flavor']['id'], 'original_name': flavor.get('name'), 'vcpus': flavor.get('vcpus'), 'ram': flavor.get('ram'),
        'disk': flavor.get('disk'), 'ephemeral': 0, 'swap': 0, 'extra_specs': {}}}


def servers(request, store, detail):
    """GET /servers and /servers/detail."""
    everybody = request.asker.admin and request.value('all_tenants') in ('1', 'True', 'true')
    rows = store.seen_by('server', request.asker.project_id, True) if everybody else store.owned_by('server', request.asker.project_id)
    if request.value('name'):
        rows = [row for row in rows if re.search(request.value('name'), row['name'])]
    page, _ = request.page(rows)
    return 200, {'servers': [server(store, row) for row in page] if detail else [{'id': row['id'], 'name': row['name'], 'links': []} for row in page]}


def one(request, store, kind, key, identity, missing):
    """A single thing that the asker may see."""
    rows = [row for row in store.seen_by(kind, request.asker.project_id, request.asker.admin) if row['id'] == identity]
    if not rows:
        raise Refusal(404, missing % identity)
    return 200, {key: server(store, rows[0]) if kind == 'server' else rows[0]}


def answer(request, store):
    """Routes a request under /v2.1."""
    path = request.path
    found = re.fullmatch(r'/os-keypairs(?:/([^/]+))?', path)
    if found:
        return keypairs(request, store, found[1])
    if request.method != 'GET':
        raise Refusal(405, 'This stand-in does not change %s' % path)
    if path in ('/flavors', '/flavors/detail', '/servers', '/servers/detail'):
        return (flavors if path.startswith('/flavors') else servers)(request, store, path.endswith('detail'))
    found = re.fullmatch(r'/os-quota-sets/([^/]+)(/detail)?', path)
    if found:
        return quota_set(request, store, found[1], found[2])
    if path == '/limits':
        return limits(request, store)
    if path == '/os-availability-zone':
        return 200, {'availabilityZoneInfo': [{'zoneName': 'nova', 'zoneState': {'available': True}, 'hosts': None}]}
    if re.fullmatch(r'/flavors/[^/]+/os-extra_specs', path):
        return 200, {'extra_specs': {}}
    for kind, missing in (('flavor', 'Flavor %s could not be found.'), ('server', 'Instance %s could not be found.')):
        found = re.fullmatch('/%ss/([^/]+)' % kind, path)
        if found:
            return one(request, store, kind, kind, found[1], missing)
    raise Refusal(404, 'The resource could not be found.')
