"""Puts the look-up data of `people` into the fake services' store. Idempotent: ids are made from the names."""
import json
import os
import uuid

from fakecloud.store import Store, now
from layout import STATE
from people import FLAVORS, IMAGES, KEYPAIR, KEYPAIR_USERS, NETWORKS, ROUTERS, VOLUME_TYPES

SPACE = uuid.UUID('6f1d6a0e-6b6c-4d52-9d0e-2f8c6a1c7c11')


def identity(*words):
    """The same id for the same words."""
    return str(uuid.uuid5(SPACE, '/'.join(map(str, words))))


def flavors(store, ids):
    """Flavors."""
    for number, (name, (vcpus, ram, disk)) in enumerate(FLAVORS.items(), 1):
        store.put('flavor', {
            'id': str(number), 'name': name, 'vcpus': vcpus, 'ram': ram, 'disk': disk, 'swap': '', 'rxtx_factor': 1.0,
            'OS-FLV-EXT-DATA:ephemeral': 0, 'OS-FLV-DISABLED:disabled': False, 'os-flavor-access:is_public': True}, ids['projects']['admin'], True)


def images(store, ids):
    """Images; private ones are seen by their project only."""
    for number, (name, owner, public, properties) in enumerate(IMAGES):
        image = identity('image', number, name)
        store.put('image', {
            'id': image, 'name': name, 'status': 'active', 'visibility': 'public' if public else 'private', 'container_format': 'bare',
            'disk_format': 'qcow2', 'size': 1 << 20, 'virtual_size': None, 'min_ram': 0, 'min_disk': 0, 'protected': False, 'tags': [],
            'os_hidden': False, 'checksum': '0' * 32, 'owner': ids['projects'][owner], 'created_at': now(), 'updated_at': now(),
            'schema': '/v2/schemas/image', 'file': '/v2/images/%s/file' % image, 'self': '/v2/images/' + image, **properties},
            ids['projects'][owner], public)


def networks(store, ids):
    """Networks with subnets; each project's default security group."""
    for number, (name, owner, external, shared, subnets) in enumerate(NETWORKS):
        network, project = identity('network', number, name), ids['projects'][owner]
        store.put('network', {
            'id': network, 'name': name, 'status': 'ACTIVE', 'admin_state_up': True, 'shared': shared, 'router:external': external,
            'mtu': 1500, 'project_id': project, 'subnets': []}, project, external or shared)
        for subnet_name, cidr in subnets:
            first = cidr.rsplit('.', 1)[0]
            store.put('subnet', {
                'id': identity('subnet', number, subnet_name), 'name': subnet_name, 'network_id': network, 'cidr': cidr, 'ip_version': 4,
                'gateway_ip': first + '.1', 'enable_dhcp': not external, 'dns_nameservers': [], 'host_routes': [], 'project_id': project,
                'allocation_pools': []}, project, shared)
    for name, project in ids['projects'].items():
        store.put('security_group', {'id': identity('security group', name), 'name': 'default', 'project_id': project,
                                     'description': 'Default security group', 'security_group_rules': []}, project)


def routers(store, ids):
    """Routers between a project's network and the external one, each with its outer address."""
    for name, owner, external, subnet in ROUTERS:
        project, router = ids['projects'][owner], identity('router', owner, name)
        if store.get('router', router):
            continue
        outer = store.find('network', external, project)
        outer_subnet = store.subnets_of(outer['id'])[0]
        inner = store.find('subnet', subnet, project)
        store.put('router', {
            'id': router, 'name': name, 'status': 'ACTIVE', 'admin_state_up': True, 'project_id': project, 'routes': [],
            'external_gateway_info': {'network_id': outer['id'], 'enable_snat': True, 'external_fixed_ips': [
                {'subnet_id': outer_subnet['id'], 'ip_address': store.allocate(outer_subnet, router)}]}}, project)
        interface = '%s:subnet_id=%s' % (router, inner['id'])
        store.put('router_interface', {'id': interface, 'name': name, 'router_id': router, 'subnet_ids': [inner['id']]}, project)


def keypairs(store, ids):
    """A real OpenSSH key for the persons that have one."""
    path = os.path.join(STATE, 'testkey')
    if not os.path.exists(path):
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
        key = ed25519.Ed25519PrivateKey.generate()
        with open(path, 'wb', opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()))
        with open(path + '.pub', 'wb') as file:
            file.write(key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH) + b' testkey\n')
    with open(path + '.pub', encoding='utf-8') as file:
        public = file.read().strip()
    for name in KEYPAIR_USERS:
        user = ids['users'][name]
        store.put('keypair', {'id': '%s/%s' % (user, KEYPAIR), 'name': KEYPAIR, 'public_key': public, 'type': 'ssh', 'user_id': user}, user)


def main():
    """Seeds everything."""
    with open(os.path.join(STATE, 'identity.json'), encoding='utf-8') as file:
        ids = json.load(file)
    store = Store()
    flavors(store, ids)
    images(store, ids)
    networks(store, ids)
    routers(store, ids)
    keypairs(store, ids)
    for name in VOLUME_TYPES:
        store.put('volume_type', {'id': identity('volume type', name), 'name': name, 'is_public': True, 'extra_specs': {}, 'description': None},
                  ids['projects']['admin'], True)


if __name__ == '__main__':
    main()
