"""Counts what a cluster could leave behind, straight from Keystone's API, from the databases of Heat and Barbican, from the
fake services' store and, in the full cloud, from Nova and Neutron. Shares no code with the service.

Options: --json; --deleted adds Heat's soft-deleted stacks, which a real cloud keeps until they are purged.
"""
import json
import os
import sqlite3
import sys

import pymysql
import requests

# Kinds of the fake store that are looked up, not made by stacks.
SEEDED = ('flavor', 'image', 'volume_type', 'keypair')


class Keystone:
    """An administrator's view."""

    def __init__(self, cloud):
        self.url, self.session = cloud['auth_url'], requests.Session()
        self.session.trust_env = False
        answer = self.session.post(self.url + '/auth/tokens', json={'auth': {
            'identity': {'methods': ['password'], 'password': {'user': {'name': 'admin', 'domain': {'id': 'default'},
                                                                        'password': cloud['users']['admin']['password']}}},
            'scope': {'project': {'name': 'admin', 'domain': {'id': 'default'}}}}}, timeout=60)
        answer.raise_for_status()
        self.session.headers['X-Auth-Token'] = answer.headers['X-Subject-Token']
        self.catalog = answer.json()['token']['catalog']

    def get(self, url, key):
        """A list from an address, of Keystone or of another service."""
        answer = self.session.get(url if url.startswith('http') else self.url + url, timeout=60)
        answer.raise_for_status()
        return answer.json()[key]

    def endpoint(self, kind, region):
        """The public address of a service in a region; None when there is none."""
        return next((e['url'] for s in self.catalog if s['type'] == kind for e in s['endpoints']
                     if e['region'] == region and e['interface'] == 'public'), None)


def rows(cloud, schema, statement):
    """The rows of a statement as lists of strings."""
    access = cloud['database']
    connection = pymysql.connect(host=access['host'], port=access['port'], user=access['user'], password=access['password'], database=schema)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return [[str(value) for value in row] for row in cursor.fetchall()]
    finally:
        connection.close()


def stacks(cloud, schema):
    """(top-level, nested, soft-deleted) stacks of one Heat."""
    found = rows(cloud, schema, "SELECT s.name, s.tenant, s.action, s.status, s.id, COALESCE(s.owner_id, ''), s.deleted_at IS NOT NULL, "
                 "COALESCE(s.backup, 0) FROM stack s")
    shown = [{'name': r[0], 'project': r[1], 'status': r[2] + '_' + r[3], 'id': r[4], 'parent': r[5], 'deleted': r[6] == '1'} for r in found]
    alive = [s for s in shown if not s['deleted']]
    return [s for s in alive if not s['parent']], [s for s in alive if s['parent']], [s for s in shown if s['deleted']]


def fakes(cloud):
    """What stacks have made in the fake services: kind, project, name, id; and servers' records."""
    database = sqlite3.connect('file:%s?mode=ro' % os.path.join(cloud['paths']['dir'], 'state', 'fake.db'), uri=True)
    try:
        made = database.execute("SELECT kind, owner, name, id, data FROM things WHERE kind NOT IN (%s)" % ','.join('?' * len(SEEDED)), SEEDED)
        # Things that were seeded carry no time of making.
        things = [{'kind': kind, 'project': owner, 'name': name, 'id': identity} for kind, owner, name, identity, data in made
                  if 'created_at' in json.loads(data) or kind in ('port',)]
        addresses = database.execute("SELECT COUNT(*) FROM addresses WHERE holder NOT IN (SELECT id FROM things WHERE kind='router' "
                                     "AND json_extract(data, '$.created_at') IS NULL)").fetchone()[0]
    finally:
        database.close()
    records = sorted(name for name in os.listdir(cloud['paths']['servers']) if name.endswith('.json'))
    return {'things': things, 'addresses_in_use': addresses, 'server_records': records}


def real(keystone):
    """Servers and ports of the full cloud, of all projects."""
    nova, neutron = keystone.endpoint('compute', 'RegionTwo'), keystone.endpoint('network', 'RegionTwo')
    return {
        'servers': [{'name': s['name'], 'id': s['id'], 'project': s['tenant_id'], 'status': s['status']}
                    for s in keystone.get(nova + '/servers/detail?all_tenants=1', 'servers')],
        **{kind: [{'name': t['name'] if 'name' in t else t.get('floating_ip_address', ''), 'id': t['id'], 'project': t['project_id']}
                  for t in keystone.get('%s/v2.0/%s' % (neutron, kind), kind)]
           for kind in ('networks', 'subnets', 'ports', 'routers', 'floatingips')}}


def census(cloud):
    """Everything, by section."""
    keystone = Keystone(cloud)
    users, domains, full = cloud['users'], cloud['domains'], 'full' in cloud['modes']
    trusts = [{'id': t['id'], 'trustor': t['trustor_user_id'], 'trustee': t['trustee_user_id'], 'project': t['project_id']}
              for t in keystone.get('/OS-TRUST/trusts', 'trusts')]
    heats = {'RegionOne': 'heat', **({'RegionTwo': 'heat_full'} if full else {})}
    found = {region: stacks(cloud, schema) for region, schema in heats.items()}
    services = {users['heat']['id']}
    in_domain = lambda name: [{'name': u['name'], 'id': u['id']}  # noqa: E731
                              for u in keystone.get('/users?domain_id=' + domains[name], 'users') if not u['name'].endswith('_domain_admin')]
    secret = ("SELECT COALESCE(x.name, ''), p.external_id, x.id FROM %s x JOIN projects p ON p.id = x.project_id WHERE x.deleted = 0")
    return {
        'trustee_users': in_domain('jeroboam'),
        'trusts': [t for t in trusts if t['trustee'] not in services],
        'application_credentials': [{'name': c['name'], 'id': c['id'], 'project': c['project_id']} for c in keystone.get(
            '/users/%s/application_credentials' % users['jeroboam']['id'], 'application_credentials')],
        'stacks': [{'region': region, **s} for region, (top, _, _) in found.items() for s in top],
        'nested_stacks': [{'region': region, **s} for region, (_, nested, _) in found.items() for s in nested],
        'secrets': [{'name': r[0], 'project': r[1], 'id': r[2]} for r in rows(cloud, 'barbican', secret % 'secrets')],
        'containers': [{'name': r[0], 'project': r[1], 'id': r[2]} for r in rows(cloud, 'barbican', secret % 'containers')],
        'fake_services': fakes(cloud),
        **({'real_services': real(keystone)} if full else {}),
        'heat_own': {'trusts': [t for t in trusts if t['trustee'] in services], 'users': in_domain('heat'),
                     'projects': [{'name': p['name'], 'id': p['id']} for p in keystone.get('/projects?domain_id=' + domains['heat'], 'projects')]},
        'deleted_stacks': [{'region': region, **s} for region, (_, _, deleted) in found.items() for s in deleted],
    }


def ordered(value):
    """The same with all lists sorted."""
    if isinstance(value, dict):
        return {key: ordered(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((ordered(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def lines(section, value):
    """A section as text: how many, then one line each."""
    if isinstance(value, dict) and not any(isinstance(item, (list, dict)) for item in value.values()):
        return [section + ' ' + ' '.join('%s=%s' % pair for pair in value.items())]
    if isinstance(value, dict):
        return [line for key, item in value.items() for line in lines(section + '.' + key, item)]
    if isinstance(value, list):
        return ['%s: %d' % (section, len(value))] + [
            '  ' + (' '.join('%s=%s' % pair for pair in item.items()) if isinstance(item, dict) else str(item)) for item in value]
    return ['%s: %s' % (section, value)]


def main():
    """Prints the census."""
    unknown = set(sys.argv[1:]) - {'--json', '--deleted'}
    if unknown:
        sys.exit('census: unknown argument %s: --json and --deleted are known' % ' '.join(sorted(unknown)))
    with open(os.path.join(os.environ['CLOUD_DIR'], 'cloud.json'), encoding='utf-8') as file:
        cloud = json.load(file)
    found = ordered(census(cloud))
    if '--deleted' not in sys.argv:
        del found['deleted_stacks']
    if '--json' in sys.argv:
        print(json.dumps(found, indent=1))
    else:
        print('\n'.join(line for section, value in found.items() for line in lines(section, value)))


if __name__ == '__main__':
    main()
