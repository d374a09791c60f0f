"""Domains, projects, users, roles and the catalog, through Keystone's API only. Idempotent; prints nothing.

Writes state/identity.json: ids of domains, projects and users. `identity.py full` adds RegionTwo.
"""
import json
import os
import sys

import requests

from layout import ENV, KEYSTONE, STATE, password, url, write
from people import INHERITED, PERSONS, PROJECTS, ROLES, SERVICE_DOMAINS, SERVICE_USERS


class Keystone:
    """An administrator's session."""

    def __init__(self):
        self.session = requests.Session()
        self.session.trust_env = False
        answer = self.session.post(KEYSTONE + '/auth/tokens', json={'auth': {
            'identity': {'methods': ['password'], 'password': {'user': {'name': 'admin', 'domain': {'id': 'default'}, 'password': password('admin')}}},
            'scope': {'project': {'name': 'admin', 'domain': {'id': 'default'}}}}})
        answer.raise_for_status()
        self.session.headers['X-Auth-Token'] = answer.headers['X-Subject-Token']

    def call(self, method, path, body=None):
        """One request; ends the program with the answer when it is refused."""
        answer = self.session.request(method, KEYSTONE + path, json=body)
        if answer.status_code >= 300:
            sys.exit('%s %s: %d %s' % (method, path, answer.status_code, answer.text))
        return answer.json() if answer.content else None

    def ensure(self, collection, one, key, **values):
        """The thing with exactly these key values; made when there is none."""
        query = '&'.join('%s=%s' % pair for pair in key.items())
        for found in self.call('GET', '/%s?%s' % (collection, query))[collection]:
            if all(found.get(name) == value for name, value in key.items()):
                return found
        return self.call('POST', '/' + collection, {one: {**key, **values}})[one]

    def user(self, name, domain):
        """The id of a user with this cloud's password for the name."""
        return self.ensure('users', 'user', {'name': name, 'domain_id': domain}, password=password(name))['id']


def people(keystone):
    """All domains, projects, users and grants; their ids."""
    roles = {name: keystone.ensure('roles', 'role', {'name': name})['id'] for name in ROLES}
    domains = {'Default': 'default'}
    for name in [*SERVICE_DOMAINS, *PROJECTS]:
        domains[name] = domains.get(name) or keystone.ensure('domains', 'domain', {'name': name})['id']
    projects = {'admin': keystone.ensure('projects', 'project', {'name': 'admin', 'domain_id': 'default'})['id']}
    for domain, names in PROJECTS.items():
        for name in names:
            projects[name] = keystone.ensure('projects', 'project', {'name': name, 'domain_id': domains[domain]})['id']
    users = {}
    members = {**{name: ('Default', 'service', granted) for name, granted in SERVICE_USERS.items()}, **PERSONS}
    for name, (domain, project, granted) in members.items():
        users[name] = keystone.user(name, domains[domain])
        for role in granted:
            keystone.call('PUT', '/projects/%s/users/%s/roles/%s' % (projects[project], users[name], roles[role]))
    for name, administrator in SERVICE_DOMAINS.items():
        users[administrator] = keystone.user(administrator, domains[name])
        keystone.call('PUT', '/domains/%s/users/%s/roles/%s' % (domains[name], users[administrator], roles['admin']))
    for name, (domain, granted) in INHERITED.items():
        for role in granted:
            keystone.call('PUT', '/OS-INHERIT/domains/%s/users/%s/roles/%s/inherited_to_projects' % (domains[domain], users[name], roles[role]))
    return {'domains': domains, 'projects': projects, 'users': users, 'roles': roles}


def endpoints(region):
    """(service name, type, URL) of a region."""
    lookups, jeroboam = url('lookups'), 'http://%s:%s/v1' % (ENV['CLOUD_HOST'], ENV['CLOUD_PORT_JEROBOAM'])
    common = [('keystone', 'identity', KEYSTONE), ('barbican', 'key-manager', url('barbican')), ('cinder', 'block-storage', lookups + '/volume/v3'),
              ('cinderv3', 'volumev3', lookups + '/volume/v3'), ('octavia', 'load-balancer', lookups + '/load-balancer'),
              ('jeroboam', 'container-infra', jeroboam)]
    if region == 'RegionTwo':
        return common + [
            ('heat', 'orchestration', url('heat_full') + '/v1/%(tenant_id)s'), ('heat-cfn', 'cloudformation', url('heat_full_cfn') + '/v1'),
            ('nova', 'compute', url('nova') + '/v2.1'), ('glance', 'image', url('glance')), ('neutron', 'network', url('neutron')),
            ('placement', 'placement', url('placement'))]
    return common + [
        ('heat', 'orchestration', url('heat') + '/v1/%(tenant_id)s'), ('heat-cfn', 'cloudformation', url('heat_cfn') + '/v1'),
        ('nova', 'compute', lookups + '/compute/v2.1'), ('glance', 'image', lookups + '/image'), ('neutron', 'network', lookups + '/network')]


def catalog(keystone, regions):
    """Services and endpoints; an endpoint that has moved is set right."""
    known = {region['id'] for region in keystone.call('GET', '/regions')['regions']}
    for region in regions:
        if region not in known:
            keystone.call('POST', '/regions', {'region': {'id': region}})
    services = {service['type']: service['id'] for service in keystone.call('GET', '/services')['services']}
    present = {(e['service_id'], e['interface'], e['region_id']): e for e in keystone.call('GET', '/endpoints')['endpoints']}
    for region in regions:
        for name, kind, address in endpoints(region):
            if kind not in services:
                services[kind] = keystone.call('POST', '/services', {'service': {'name': name, 'type': kind}})['service']['id']
            for interface in ('public', 'internal', 'admin'):
                found = present.get((services[kind], interface, region))
                if found is None:
                    keystone.call('POST', '/endpoints', {'endpoint': {
                        'service_id': services[kind], 'interface': interface, 'region_id': region, 'url': address}})
                elif found['url'] != address:
                    keystone.call('PATCH', '/endpoints/' + found['id'], {'endpoint': {'url': address}})


def main():
    """Makes everything and writes the ids down."""
    keystone = Keystone()
    ids = people(keystone)
    catalog(keystone, ['RegionOne'] + (['RegionTwo'] if 'full' in sys.argv[1:] else []))
    write(os.path.join(STATE, 'identity.json'), json.dumps(ids, indent=1, sort_keys=True) + '\n')


if __name__ == '__main__':
    main()
