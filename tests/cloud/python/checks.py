"""Tests of the test cloud, as a user of it: Heat's plugin, the look-up stand-ins, who may do what, the census."""
import json
import os
import subprocess
import tempfile
import time
import unittest
import uuid

import requests

with open(os.path.join(os.environ['CLOUD_DIR'], 'cloud.json'), encoding='utf-8') as _file:
    CLOUD = json.load(_file)
IMAGE, FLAVOR = 'ubuntu-24.04', 'm1.small'


class Session:
    """A person's login in a project."""

    def __init__(self, name, project=None, domain=None):
        user = CLOUD['users'][name]
        project, domain = project or user['project'], domain or user['domain']
        self.http = requests.Session()
        self.http.trust_env = False
        answer = self.http.post(CLOUD['auth_url'] + '/auth/tokens', json={'auth': {
            'identity': {'methods': ['password'], 'password': {'user': {'id': user['id'], 'password': user['password']}}},
            'scope': {'project': {'name': project, 'domain': {'name': domain}}}}})
        self.status = answer.status_code
        if self.status == 201:
            token = answer.json()['token']
            self.project = token['project']['id']
            self.catalog = token['catalog']
            self.http.headers['X-Auth-Token'] = answer.headers['X-Subject-Token']

    def url(self, kind, path):
        """An address of a service of RegionOne."""
        for service in self.catalog:
            for endpoint in service['endpoints']:
                if service['type'] == kind and endpoint['region'] == 'RegionOne' and endpoint['interface'] == 'public':
                    return endpoint['url'] + path
        raise LookupError(kind)

    def get(self, kind, path, **options):
        return self.http.get(self.url(kind, path), **options)

    def create(self, name, resources, outputs=None, **more):
        template = {'heat_template_version': '2021-04-16', 'resources': resources, 'outputs': outputs or {}}
        return self.http.post(self.url('orchestration', '/stacks'), json={'stack_name': name, 'template': template, 'timeout_mins': 10, **more})

    def stack(self, name):
        answer = self.get('orchestration', '/stacks/' + name)
        return answer.json()['stack'] if answer.status_code == 200 else None

    def delete(self, name):
        found = self.stack(name)
        if found:
            self.http.delete(self.url('orchestration', '/stacks/%s/%s' % (name, found['id'])))

    def resource(self, stack, name):
        return self.get('orchestration', '/stacks/%s/%s/resources/%s' % (stack, self.stack(stack)['id'], name)).json()['resource']


def until(condition, what, seconds=60):
    """The condition's first true value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError('after %d s: %s' % (seconds, what))


def order(**faults):
    """Writes the faults file."""
    path = CLOUD['faults']
    if os.path.exists(path):
        with open(path, encoding='utf-8') as file:
            faults = {**{k: v for k, v in json.load(file).items() if k not in faults}, **faults}
    with open(path + '.check', 'w', encoding='utf-8') as file:
        json.dump(faults, file)
    os.replace(path + '.check', path)


def port(**properties):
    return {'type': 'OS::Neutron::Port', 'properties': {'network': 'private', **properties}}


def server(**properties):
    return {'type': 'OS::Nova::Server', 'properties': {
        'image': IMAGE, 'flavor': FLAVOR, 'networks': [{'network': 'private'}], 'user_data_format': 'RAW', **properties}}


class Stacks(unittest.TestCase):
    """Heat with the plugin."""

    @classmethod
    def setUpClass(cls):
        cls.demo = Session('demo')

    def setUp(self):
        self.name = 'check-' + uuid.uuid4().hex[:8]
        self.addCleanup(order, resources=[], requests=[], quotas={})

    def tearDown(self):
        order(resources=[])
        self.demo.delete(self.name)
        until(lambda: self.demo.stack(self.name) is None, 'stack deleted')

    def make(self, resources, outputs=None):
        answer = self.demo.create(self.name, resources, outputs)
        self.assertEqual(answer.status_code, 201, answer.text)

    def end(self, status):
        def reached():
            stack = self.demo.stack(self.name)
            self.assertIsNotNone(stack)
            return stack if stack['stack_status'] in (status, 'CREATE_FAILED', 'UPDATE_FAILED') else None
        stack = until(reached, status)
        self.assertEqual(stack['stack_status'], status, stack['stack_status_reason'])
        return {output['output_key']: output.get('output_value') for output in stack.get('outputs', [])}

    def refused(self, resources, *words, outputs=None):
        answer = self.demo.create(self.name, resources, outputs)
        self.assertEqual(answer.status_code, 400, answer.text)
        for word in words:
            self.assertIn(word, answer.text)

    def test_an_unknown_property_is_refused(self):
        self.refused({'s': server(flavour='x')}, 'Unknown Property flavour')

    def test_a_value_out_of_its_schema_is_refused(self):
        self.refused({'p': {'type': 'OS::Octavia::Listener', 'properties': {'protocol': 'SMTP', 'protocol_port': 1, 'loadbalancer': 'x'}}}, 'SMTP')

    def test_an_unknown_attribute_is_refused(self):
        self.refused({'p': port()}, 'Referenced Attribute', outputs={'x': {'value': {'get_attr': ['p', 'speed']}}})

    def test_an_unknown_flavor_image_or_network_is_refused(self):
        for wrong in ({'flavor': 'm9'}, {'image': 'no-image'}, {'networks': [{'network': 'no-net'}]}):
            self.refused({'s': server(**wrong)}, 'could not be found')

    def test_a_private_image_of_another_project_is_refused(self):
        self.refused({'s': server(image='demo2-only')}, 'demo2-only could not be found')

    def test_addresses_are_consistent_and_unique(self):
        self.make({
            'a': port(), 'b': port(fixed_ips=[{'ip_address': '10.10.0.77'}]), 's': server(networks=[{'port': {'get_resource': 'a'}}]), 't': server(),
            'f': {'type': 'OS::Neutron::FloatingIP', 'properties': {'floating_network': 'public', 'port_id': {'get_resource': 'a'}}}},
            {'a': {'value': {'get_attr': ['a', 'fixed_ips', 0, 'ip_address']}}, 'b': {'value': {'get_attr': ['b', 'fixed_ips', 0, 'ip_address']}},
             's': {'value': {'get_attr': ['s', 'first_address']}}, 't': {'value': {'get_attr': ['t', 'first_address']}},
             'n': {'value': {'get_attr': ['s', 'addresses', 'private', 0, 'addr']}}, 'f': {'value': {'get_attr': ['f', 'fixed_ip_address']}},
             'g': {'value': {'get_attr': ['f', 'floating_ip_address']}}})
        out = self.end('CREATE_COMPLETE')
        self.assertEqual(out['b'], '10.10.0.77')
        self.assertEqual({out['s'], out['n'], out['f']}, {out['a']})
        self.assertEqual(len({out['a'], out['b'], out['t']}), 3)
        self.assertTrue(out['a'].startswith('10.10.0.') and out['g'].startswith('172.24.'), out)

    def test_a_taken_address_fails_the_port(self):
        self.make({'a': port(fixed_ips=[{'ip_address': '10.10.0.78'}]),
                   'b': {**port(fixed_ips=[{'ip_address': '10.10.0.78'}]), 'depends_on': 'a'}})
        stack = until(lambda: next((s for s in [self.demo.stack(self.name)] if s['stack_status'] == 'CREATE_FAILED'), None), 'CREATE_FAILED')
        self.assertIn('10.10.0.78 already allocated', stack['stack_status_reason'])

    def test_a_floating_ip_needs_a_router_to_its_port(self):
        resources = {'n': {'type': 'OS::Neutron::Net'}, 's': {'type': 'OS::Neutron::Subnet', 'properties': {'network': {'get_resource': 'n'}, 'cidr': '10.9.0.0/24'}},
                     'p': port(network={'get_resource': 'n'}, fixed_ips=[{'subnet': {'get_resource': 's'}}]),
                     'f': {'type': 'OS::Neutron::FloatingIP', 'properties': {'floating_network': 'public', 'port_id': {'get_resource': 'p'}}}}
        self.make(resources)
        stack = until(lambda: next((s for s in [self.demo.stack(self.name)] if s['stack_status'] == 'CREATE_FAILED'), None), 'CREATE_FAILED')
        self.assertIn('is not reachable from subnet', stack['stack_status_reason'])

    def test_a_subnet_with_a_foreign_load_balancer_is_not_deleted(self):
        self.make({'n': {'type': 'OS::Neutron::Net'}, 's': {'type': 'OS::Neutron::Subnet', 'properties': {'network': {'get_resource': 'n'}, 'cidr': '10.9.0.0/24'}}},
                  {'s': {'value': {'get_resource': 's'}}})
        out = self.end('CREATE_COMPLETE')
        url = self.demo.url('load-balancer', '/v2.0/lbaas/loadbalancers')
        made = self.demo.http.post(url, json={'loadbalancer': {'name': 'kube_service_y', 'vip_subnet_id': out['s']}}).json()['loadbalancer']
        self.demo.delete(self.name)
        stack = until(lambda: next((s for s in [self.demo.stack(self.name)] if s['stack_status'] == 'DELETE_FAILED'), None), 'DELETE_FAILED')
        self.assertIn('have an IP allocation from this subnet', stack['stack_status_reason'])
        self.assertEqual(self.demo.http.delete(url + '/' + made['id']).status_code, 204)

    def test_a_server_leaves_what_its_instance_would_get(self):
        self.make({'p': port(), 's': server(name='check-node', metadata={'role': 'x'}, networks=[{'port': {'get_resource': 'p'}}], user_data={
            'str_replace': {'template': 'address=@@A@@', 'params': {'@@A@@': {'get_attr': ['p', 'fixed_ips', 0, 'ip_address']}}}})},
            {'id': {'value': {'get_resource': 's'}}, 'a': {'value': {'get_attr': ['p', 'fixed_ips', 0, 'ip_address']}}})
        out = self.end('CREATE_COMPLETE')
        path = os.path.join(CLOUD['paths']['servers'], out['id'] + '.json')
        with open(path, encoding='utf-8') as file:
            record = json.load(file)
        self.assertEqual(record['user_data'], 'address=' + out['a'])
        self.assertEqual((record['name'], record['metadata'], record['stack_name'], record['project_id']),
                         ('check-node', {'role': 'x'}, self.name, self.demo.project))
        self.assertEqual((record['image']['name'], record['flavor']['name'], record['addresses']['private'][0]['addr']), (IMAGE, FLAVOR, out['a']))
        self.demo.delete(self.name)
        until(lambda: not os.path.exists(path), 'record removed')

    def test_user_data_over_the_limit_of_nova_fails_the_server(self):
        self.make({'s': server(user_data='x' * 49200)})
        stack = until(lambda: next((s for s in [self.demo.stack(self.name)] if s['stack_status'] == 'CREATE_FAILED'), None), 'CREATE_FAILED')
        self.assertIn('user_data', stack['stack_status_reason'])

    def test_an_ordered_failure_names_the_resource_and_its_reason(self):
        order(resources=[{'stack': self.name, 'type': 'OS::Nova::*', 'name': '^s$', 'fail': 'No valid host was found'}])
        self.make({'s': server(), 't': server()})
        stack = until(lambda: next((s for s in [self.demo.stack(self.name)] if s['stack_status'] == 'CREATE_FAILED'), None), 'CREATE_FAILED')
        self.assertIn('resources.s: Went to status ERROR due to "No valid host was found"', stack['stack_status_reason'])

    def test_a_held_resource_waits_until_it_is_released(self):
        order(resources=[{'stack': self.name, 'name': 's', 'hold': True}])
        self.make({'s': server(), 'p': port()})
        until(lambda: self.demo.resource(self.name, 'p')['resource_status'] == 'CREATE_COMPLETE', 'the port is made')
        until(lambda: self.demo.resource(self.name, 's')['physical_resource_id'], 'the server is begun')
        self.assertEqual(self.demo.resource(self.name, 's')['resource_status'], 'CREATE_IN_PROGRESS')
        order(resources=[])
        self.end('CREATE_COMPLETE')

    def test_a_delayed_deletion_takes_its_time(self):
        self.make({'p': port()})
        self.end('CREATE_COMPLETE')
        order(resources=[{'stack': self.name, 'action': 'DELETE', 'delay': 3}])
        begun = time.monotonic()
        self.demo.delete(self.name)
        until(lambda: self.demo.stack(self.name) is None, 'deleted')
        self.assertGreaterEqual(time.monotonic() - begun, 3)

    def test_the_census_sees_a_stack_and_nothing_after_it(self):
        def census():
            shown = subprocess.run([os.path.join(os.environ['CLOUD_SOURCE'], 'census'), '--json'], capture_output=True, check=True, text=True)
            return json.loads(shown.stdout)

        def ours(value):
            return [row for row in value if self.name in json.dumps(row)]
        self.make({'s': server(), 'g': {'type': 'OS::Heat::ResourceGroup', 'properties': {'count': 1, 'resource_def': port()}}})
        self.end('CREATE_COMPLETE')
        found = census()
        self.assertEqual([len(ours(found[key])) for key in ('stacks', 'nested_stacks')], [1, 1])
        self.assertTrue(ours(found['fake_services']['things']))
        self.demo.delete(self.name)
        until(lambda: self.demo.stack(self.name) is None, 'deleted')
        found = census()
        self.assertEqual(sum(len(ours(found[key])) for key in ('stacks', 'nested_stacks')) + len(ours(found['fake_services']['things'])), 0)


class Lookups(unittest.TestCase):
    """The stand-ins."""

    @classmethod
    def setUpClass(cls):
        cls.demo, cls.demo2, cls.peer, cls.admin = (Session(name) for name in ('demo', 'demo2', 'demo-peer', 'admin'))

    def names(self, session, kind, path, key):
        answer = session.get(kind, path)
        self.assertEqual(answer.status_code, 200, answer.text)
        return sorted(row['name'] for row in answer.json()[key])

    def test_no_or_a_wrong_token_gets_401(self):
        for kind, path in (('compute', '/flavors'), ('image', '/v2/images'), ('network', '/v2.0/networks'),
                           ('block-storage', '/types'), ('load-balancer', '/v2.0/lbaas/loadbalancers')):
            url = self.demo.url(kind, path)
            self.assertEqual(requests.get(url).status_code, 401, url)
            self.assertEqual(requests.get(url, headers={'X-Auth-Token': 'wrong'}).status_code, 401, url)
            self.assertEqual(self.demo.get(kind, path).status_code, 200, url)

    def test_flavors_come_in_pages(self):
        found, url = [], self.demo.url('compute', '/flavors/detail?limit=2')
        while url:
            page = self.demo.http.get(url).json()
            self.assertLessEqual(len(page['flavors']), 2)
            found += [(f['name'], f['vcpus'], f['ram'], f['disk']) for f in page['flavors']]
            url = next((link['href'] for link in page.get('flavors_links', [])), None)
        self.assertEqual(len(found), 5)
        self.assertIn(('m1.tiny', 1, 512, 1), found)
        self.assertEqual(self.demo.get('compute', '/flavors/nope').status_code, 404)

    def test_images_by_name_id_and_owner(self):
        self.assertEqual(self.names(self.demo, 'image', '/v2/images?name=twin', 'images'), ['twin', 'twin'])
        self.assertEqual(self.names(self.demo, 'image', '/v2/images?name=demo2-only', 'images'), [])
        private = self.demo2.get('image', '/v2/images?name=demo2-only').json()['images'][0]
        self.assertEqual((self.demo.get('image', '/v2/images/' + private['id']).status_code, private['os_distro']), (404, 'ubuntu'))
        self.assertNotIn('os_distro', self.demo.get('image', '/v2/images?name=nodistro').json()['images'][0])

    def test_networks_by_filter_and_owner(self):
        self.assertEqual(self.names(self.demo, 'network', '/v2.0/networks?router:external=True', 'networks'), ['public'])
        self.assertEqual(self.names(self.demo, 'network', '/v2.0/networks?name=twin', 'networks'), ['twin', 'twin'])
        self.assertEqual(self.names(self.demo, 'network', '/v2.0/networks?name=demo2-only', 'networks'), [])
        network = self.demo.get('network', '/v2.0/networks?name=private').json()['networks'][0]
        subnets = self.demo.get('network', '/v2.0/subnets?network_id=' + network['id']).json()['subnets']
        self.assertEqual([(s['name'], s['cidr'], s['id']) for s in subnets], [('private-subnet', '10.10.0.0/24', network['subnets'][0])])
        self.assertEqual(self.demo2.get('network', '/v2.0/networks/' + network['id']).status_code, 404)

    def test_keypairs_belong_to_users(self):
        self.assertTrue(self.demo.get('compute', '/os-keypairs/testkey').json()['keypair']['public_key'].startswith('ssh-ed25519 '))
        self.assertEqual(self.peer.get('compute', '/os-keypairs/testkey').status_code, 404)

    def test_quotas_and_limits_can_be_ordered(self):
        self.addCleanup(order, quotas={})
        project = self.demo.project
        order(quotas={'demo': {'instances': 1, 'port': 2, 'volumes': 3}})
        self.assertEqual(self.demo.get('compute', '/limits').json()['limits']['absolute']['maxTotalInstances'], 1)
        self.assertEqual(self.demo.get('network', '/v2.0/quotas/%s/details' % project).json()['quota']['port']['limit'], 2)
        self.assertEqual(self.demo.get('block-storage', '/limits').json()['limits']['absolute']['maxTotalVolumes'], 3)
        self.assertEqual(self.demo2.get('network', '/v2.0/quotas/%s/details' % project).status_code, 403)

    def test_a_load_balancer_can_be_made_found_and_deleted(self):
        subnet = self.demo.get('network', '/v2.0/subnets?name=private-subnet').json()['subnets'][0]
        made = self.demo.http.post(self.demo.url('load-balancer', '/v2.0/lbaas/loadbalancers'), json={'loadbalancer': {
            'name': 'kube_service_x', 'vip_subnet_id': subnet['id'], 'description': 'Kubernetes external service x'}}).json()['loadbalancer']
        path = '/v2.0/lbaas/loadbalancers/' + made['id']
        self.assertEqual(self.demo2.get('load-balancer', path).status_code, 404)
        self.assertEqual(self.names(self.demo, 'load-balancer', '/v2.0/lbaas/loadbalancers?name=kube_service_x', 'loadbalancers'), ['kube_service_x'])
        self.assertEqual(self.demo.http.delete(self.demo.url('load-balancer', path + '?cascade=true')).status_code, 204)
        self.assertEqual(self.demo.get('load-balancer', path).status_code, 404)

    def test_an_ordered_answer_replaces_the_real_one(self):
        self.addCleanup(order, requests=[])
        order(requests=[{'service': 'image', 'path': 'name=ubuntu', 'status': 503}, {'service': 'compute', 'path': '/flavors', 'status': 500}])
        self.assertEqual(self.demo.get('image', '/v2/images?name=ubuntu-24.04').status_code, 503)
        self.assertEqual(self.demo.get('image', '/v2/images?name=flatcar').status_code, 200)
        self.assertEqual(self.demo.get('compute', '/flavors').status_code, 500)


class Processes(unittest.TestCase):
    """What `down` ends."""

    def down(self, started):
        """Runs `down` on a folder whose pid file names a process of ours with that start time; whether it still lives."""
        with tempfile.TemporaryDirectory() as folder, subprocess.Popen(['sleep', '60'], start_new_session=True) as process:
            try:
                os.makedirs(os.path.join(folder, 'run'))
                open(os.path.join(folder, '.test-cloud'), 'w', encoding='utf-8').close()
                with open('/proc/%d/stat' % process.pid, encoding='utf-8') as file:
                    real = file.read().rsplit(')', 1)[1].split()[19]
                with open(os.path.join(folder, 'run', 'somebody.pid'), 'w', encoding='utf-8') as file:
                    file.write('%d %s mark\n' % (process.pid, started or real))
                subprocess.run([os.path.join(os.environ['CLOUD_SOURCE'], 'down')], env={**os.environ, 'CLOUD_DIR': folder}, check=True,
                               stdout=subprocess.DEVNULL)
                return process.poll() is None
            finally:
                process.kill()

    def test_a_process_of_the_cloud_is_ended(self):
        self.assertFalse(self.down(None))

    def test_a_process_that_got_an_old_pid_is_left_alone(self):
        self.assertTrue(self.down('1'))


class People(unittest.TestCase):
    """Who may do what."""

    def test_the_service_user_reaches_the_projects_of_its_domain_and_no_other(self):
        service = Session('jeroboam', 'demo', 'Default')
        self.assertEqual(service.status, 201)
        self.assertEqual(Session('jeroboam', 'closed', 'closed').status, 401)
        name = 'check-' + uuid.uuid4().hex[:8]
        self.assertEqual(service.create(name, {'p': port()}).status_code, 201)
        demo = Session('demo')
        until(lambda: demo.stack(name)['stack_status'] == 'CREATE_COMPLETE', 'seen by the members as usual')
        service.delete(name)
        until(lambda: demo.stack(name) is None, 'deleted')

    def test_the_requester_owns_a_stack_in_the_closed_domain(self):
        closed, name = Session('closed'), 'check-' + uuid.uuid4().hex[:8]
        self.assertEqual(closed.create(name, {'s': server()}).status_code, 201)
        until(lambda: closed.stack(name)['stack_status'] == 'CREATE_COMPLETE', 'made')
        closed.delete(name)
        until(lambda: closed.stack(name) is None, 'deleted')

    def test_a_reader_may_look_and_not_make(self):
        reader = Session('reader')
        self.assertEqual(reader.get('orchestration', '/stacks').status_code, 200)
        self.assertEqual(reader.create('check-reader', {'p': port()}).status_code, 403)

    def test_somebody_without_a_role_gets_no_token_for_a_project(self):
        self.assertEqual(Session('nobody', 'demo', 'Default').status, 401)

    def test_the_global_index_follows_its_setting(self):
        granted = open(CLOUD['paths']['heat_policy'], encoding='utf-8').read().startswith('"stacks:global_index"')
        answer = Session('jeroboam').get('orchestration', '/stacks?global_tenant=True')
        self.assertEqual(answer.status_code, 200 if granted else 403)

    def test_the_trustee_domain_is_administered_by_its_administrator(self):
        user, domain = CLOUD['users']['jeroboam_domain_admin'], CLOUD['domains']['jeroboam']
        token = requests.post(CLOUD['auth_url'] + '/auth/tokens', json={'auth': {
            'identity': {'methods': ['password'], 'password': {'user': {'id': user['id'], 'password': user['password']}}},
            'scope': {'domain': {'name': 'jeroboam'}}}}).headers['X-Subject-Token']
        headers = {'X-Auth-Token': token}
        made = requests.post(CLOUD['auth_url'] + '/users', headers=headers, json={'user': {
            'name': 'check-' + uuid.uuid4().hex[:8], 'domain_id': domain, 'password': uuid.uuid4().hex}})
        self.assertEqual(made.status_code, 201, made.text)
        self.assertEqual(requests.delete('%s/users/%s' % (CLOUD['auth_url'], made.json()['user']['id']), headers=headers).status_code, 204)


if __name__ == '__main__':
    unittest.main()
