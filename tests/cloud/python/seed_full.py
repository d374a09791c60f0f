"""Puts the look-up data of `people` into the real services of RegionTwo, through their APIs. Idempotent."""
import os

import openstack

from layout import KEYSTONE, STATE, password
from people import FLAVORS, IMAGES, KEYPAIR, KEYPAIR_USERS, NETWORKS, PERSONS, ROUTERS


def connect(name):
    """A person's connection."""
    domain, project, _ = PERSONS[name]
    return openstack.connection.Connection(
        auth={'auth_url': KEYSTONE, 'username': name, 'password': password(name), 'user_domain_name': domain,
              'project_name': project, 'project_domain_name': domain}, region_name='RegionTwo', app_name='cloud')


def flavors(admin):
    """Flavors, with the ids that they have in RegionOne."""
    known = {flavor.name for flavor in admin.compute.flavors()}
    for number, (name, (vcpus, ram, disk)) in enumerate(FLAVORS.items(), 1):
        if name not in known:
            admin.compute.create_flavor(id=str(number), name=name, vcpus=vcpus, ram=ram, disk=disk)


def images(people):
    """Images with a little data, each in its owner's project."""
    for owner in {owner for _, owner, _, _ in IMAGES}:
        known = [image.name for image in people[owner].image.images(owner=people[owner].current_project_id)]
        for name, of, public, properties in IMAGES:
            if of != owner:
                continue
            if name in known:
                known.remove(name)
                continue
            people[owner].image.create_image(
                name, data=b'\0' * 4096, disk_format='raw', container_format='bare', visibility='public' if public else 'private',
                validate_checksum=False, **properties)


def networks(people):
    """Networks with subnets, each in its owner's project."""
    for owner in {network[1] for network in NETWORKS}:
        connection = people[owner]
        known = [network.name for network in connection.network.networks(project_id=connection.current_project_id)]
        for name, of, external, shared, subnets in NETWORKS:
            if of != owner:
                continue
            if name in known:
                known.remove(name)
                continue
            options = {'provider:network_type': 'flat', 'provider:physical_network': 'public', 'router:external': True} if external else {}
            network = connection.network.create_network(name=name, shared=shared, **options)
            for subnet, cidr in subnets:
                connection.network.create_subnet(name=subnet, network_id=network.id, cidr=cidr, ip_version=4, enable_dhcp=not external)


def routers(people):
    """Routers between a project's network and the external one."""
    for name, owner, external, subnet in ROUTERS:
        network = people[owner].network
        if network.find_router(name, project_id=people[owner].current_project_id):
            continue
        router = network.create_router(name=name, external_gateway_info={'network_id': network.find_network(external).id})
        network.add_interface_to_router(router, subnet_id=network.find_subnet(subnet, project_id=people[owner].current_project_id).id)


def main():
    """Seeds everything."""
    people = {name: connect(name) for name in ('admin', 'demo', 'demo2', 'closed')}
    flavors(people['admin'])
    images(people)
    networks(people)
    routers(people)
    with open(os.path.join(STATE, 'testkey.pub'), encoding='utf-8') as file:
        public = file.read().strip()
    for name in KEYPAIR_USERS:
        if not people[name].compute.find_keypair(KEYPAIR):
            people[name].compute.create_keypair(name=KEYPAIR, public_key=public)


if __name__ == '__main__':
    main()
