"""Neutron's and Octavia's fake types: addresses come from the subnets' ranges, each only once."""
import hashlib
import ipaddress
import uuid

from heat.common import exception

from .base import Fake, SERVICES, STORE
from fakecloud.store import AddressError, NotFound


def mac(seed):
    """A stable MAC address."""
    digest = hashlib.sha256(seed.encode()).hexdigest()
    return 'fa:16:3e:%s:%s:%s' % (digest[0:2], digest[2:4], digest[4:6])


def take_addresses(holder, network, wanted):
    """Fixed IPs for a port: one for each wanted {subnet, ip_address}, or one of the network's first subnet."""
    subnets = STORE.subnets_of(network)
    fixed = []
    for want in wanted or ([{}] if subnets else []):
        address = want.get('ip_address')
        subnet = next((s for s in subnets if s['id'] == want.get('subnet')
                       or not want.get('subnet') and (not address or ipaddress.ip_address(address) in ipaddress.ip_network(s['cidr']))), None)
        if subnet is None:
            raise AddressError('Invalid input for operation: %s is not of network %s.' % (address or want.get('subnet'), network))
        fixed.append({'subnet_id': subnet['id'], 'ip_address': STORE.allocate(subnet, holder, address)})
    return fixed


def make_port(project, network, name, wanted=None, **values):
    """A port that a service makes for itself (a server's, a load balancer's)."""
    identity = str(uuid.uuid4())
    port = {'id': identity, 'name': name, 'network_id': network, 'status': 'ACTIVE', 'admin_state_up': True,
            'mac_address': mac(identity), 'fixed_ips': take_addresses(identity, network, wanted), 'tenant_id': project,
            'project_id': project, 'security_groups': [], **values}
    STORE.put('port', port, project)
    return port


def default_group(project):
    """The id of a project's default security group, which appears with its first use."""
    try:
        return STORE.find('security_group', 'default', project)['id']
    except NotFound:
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, 'security group of ' + project))
        STORE.put('security_group', {'id': identity, 'name': 'default', 'project_id': project, 'security_group_rules': []}, project)
        return identity


class Net(Fake):
    """OS::Neutron::Net."""

    def describe(self, identity):
        return {'subnets': [], 'router:external': False, 'mtu': 1450, 'l2_adjacency': True, 'segments': [],
                'admin_state_up': self.properties['admin_state_up'], 'shared': bool(self.properties['shared'])}

    def _show_resource(self):
        return {**(self.thing() or {}), 'subnets': [s['id'] for s in STORE.subnets_of(self.resource_id)]}


class Subnet(Fake):
    """OS::Neutron::Subnet."""

    def describe(self, identity):
        network = self.properties['network']
        cidr = ipaddress.ip_network(self.properties['cidr'] or '10.200.0.0/24', strict=False)
        for other in STORE.subnets_of(network):
            if cidr.overlaps(ipaddress.ip_network(other['cidr'])):
                raise AddressError('Requested subnet with cidr: %s for network: %s overlaps with another subnet.' % (cidr, network))
        gateway = self.properties['gateway_ip']
        hosts = [str(cidr[1]), str(cidr[-2])]
        # No gateway at all is asked for by an empty string or null; left out, it is the first address.
        gateway = hosts[0] if gateway is None else gateway
        return {'network_id': network, 'cidr': str(cidr), 'gateway_ip': gateway or None, 'ip_version': cidr.version,
                'allocation_pools': [{'start': str(cidr[2]) if gateway == hosts[0] else hosts[0], 'end': hosts[1]}],
                'host_routes': self.properties['host_routes'] or [], 'dns_nameservers': self.properties['dns_nameservers'] or []}


    def gone(self):
        if STORE.holders(self.resource_id):
            raise exception.Error('Unable to complete operation on subnet %s: One or more ports have an IP allocation from this subnet.' % self.resource_id)


class SecurityGroup(Fake):
    """OS::Neutron::SecurityGroup."""

    def gone(self):
        if any(self.resource_id in port.get('security_groups', []) for port in STORE.owned_by('port', self.context.project_id)):
            raise exception.Error('Security Group %s in use.' % self.resource_id)


class Port(Fake):
    """OS::Neutron::Port."""

    def describe(self, identity):
        network = self.properties['network']
        wanted = [] if self.properties['no_fixed_ips'] else self.properties['fixed_ips']
        fixed = [] if self.properties['no_fixed_ips'] else take_addresses(identity, network, wanted)
        return {'network_id': network, 'fixed_ips': fixed, 'mac_address': self.properties['mac_address'] or mac(identity),
                'status': 'DOWN', 'device_id': self.properties['device_id'] or '', 'security_groups': self._groups(),
                'allowed_address_pairs': self.shown_properties().get('allowed_address_pairs', []), 'dns_assignment': None}

    def _groups(self):
        given = self.properties['security_groups']
        return [default_group(self.context.project_id)] if given is None else list(given)

    def changed(self, changes):
        if 'fixed_ips' in changes:
            STORE.release(self.resource_id)
            self.record(fixed_ips=take_addresses(self.resource_id, self.properties['network'], self.properties['fixed_ips']))
        if 'security_groups' in changes:
            self.record(security_groups=self._groups())

    def prepare_for_replace(self):
        # As real Heat does: the port that takes this one's place may want the same address.
        if self.resource_id:
            STORE.release(self.resource_id)

    def _resolve_attribute(self, name):
        shown = self.thing() or {}
        if name == 'subnets':
            return [STORE.get('subnet', ip['subnet_id']) for ip in shown.get('fixed_ips', [])]
        if name == 'network':
            return STORE.get('network', shown.get('network_id'))
        return super()._resolve_attribute(name)


class Router(Fake):
    """OS::Neutron::Router."""

    def describe(self, identity):
        return {'external_gateway_info': self._gateway(identity), 'routes': []}

    def _gateway(self, identity):
        given = self.properties['external_gateway_info']
        if not given or not given.get('network'):
            return None
        wanted = [{'subnet': ip.get('subnet'), 'ip_address': ip.get('ip_address')} for ip in given.get('external_fixed_ips') or []]
        return {'network_id': given['network'], 'enable_snat': given.get('enable_snat') is not False,
                'external_fixed_ips': take_addresses(identity, given['network'], wanted)}

    def changed(self, changes):
        if 'external_gateway_info' in changes:
            STORE.release(self.resource_id)
            self.record(external_gateway_info=self._gateway(self.resource_id))


class RouterInterface(Fake):
    """OS::Neutron::RouterInterface."""

    def new_id(self):
        subnet, port = self.properties['subnet'], self.properties['port']
        return '%s:%s' % (self.properties['router'], 'port_id=' + port if port else 'subnet_id=' + str(subnet))

    def describe(self, identity):
        fixed = STORE.get('port', self.properties['port'])['fixed_ips'] if self.properties['port'] else [{'subnet_id': self.properties['subnet']}]
        return {'router_id': self.properties['router'], 'subnet_ids': [ip['subnet_id'] for ip in fixed]}

    def gone(self):
        interface = self.thing() or {}
        for floating in STORE.all('floatingip'):
            if any(subnet in interface.get('subnet_ids', []) for subnet in subnets_of_port(floating.get('port_id'))):
                raise exception.Error('Router interface for subnet %s on router %s cannot be deleted, as it is required by one or more '
                                      'floating IPs.' % (interface['subnet_ids'][0], interface['router_id']))


def subnets_of_port(port_id):
    """The subnets in which a port has addresses."""
    port = STORE.get('port', port_id) if port_id else None
    return [ip['subnet_id'] for ip in port['fixed_ips']] if port else []


def check_reachable(network, port_id):
    """Refuses a floating IP for a port that no router joins with the external network."""
    subnets = subnets_of_port(port_id)
    routers = {router['id'] for router in STORE.all('router') if (router.get('external_gateway_info') or {}).get('network_id') == network}
    joined = [subnet for interface in STORE.all('router_interface') if interface['router_id'] in routers for subnet in interface['subnet_ids']]
    if port_id and not any(subnet in joined for subnet in subnets):
        raise exception.Error('External network %s is not reachable from subnet %s.  Therefore, cannot associate Port %s with a Floating IP.' % (
            network, ', '.join(subnets), port_id))


def fixed_address(port_id):
    """The first address of a port; None when there is none."""
    port = STORE.get('port', port_id) if port_id else None
    return port['fixed_ips'][0]['ip_address'] if port and port['fixed_ips'] else None


class FloatingIP(Fake):
    """OS::Neutron::FloatingIP."""

    def describe(self, identity):
        network = self.properties['floating_network']
        if not (STORE.get('network', network) or {}).get('router:external'):
            raise AddressError('Bad floatingip request: Network %s is not a valid external network' % network)
        wanted = [{'ip_address': self.properties['floating_ip_address'], 'subnet': self.properties['floating_subnet']}]
        port = self.properties['port_id']
        check_reachable(network, port)
        return {'floating_network_id': network, 'router_id': None, 'port_id': port,
                'floating_ip_address': take_addresses(identity, network, wanted)[0]['ip_address'],
                'fixed_ip_address': self.properties['fixed_ip_address'] or fixed_address(port),
                'status': 'ACTIVE' if port else 'DOWN'}

    def changed(self, changes):
        if 'port_id' in changes:
            port = self.properties['port_id']
            check_reachable(self.thing()['floating_network_id'], port)
            self.record(port_id=port, fixed_ip_address=fixed_address(port), status='ACTIVE' if port else 'DOWN')


class FloatingIPAssociation(Fake):
    """OS::Neutron::FloatingIPAssociation."""

    def became_active(self):
        port = self.properties['port_id']
        check_reachable((STORE.get('floatingip', self.properties['floatingip_id']) or {}).get('floating_network_id'), port)
        STORE.change('floatingip', self.properties['floatingip_id'], port_id=port, fixed_ip_address=fixed_address(port), status='ACTIVE')

    def changed(self, changes):
        self.became_active()

    def gone(self):
        STORE.change('floatingip', self.properties['floatingip_id'], port_id=None, fixed_ip_address=None, status='DOWN')


class LoadBalancer(Fake):
    """OS::Octavia::LoadBalancer; where Neutron is real (the full cloud) its VIP is a real port."""

    asynchronous = True

    def describe(self, identity):
        port = self._real_port(identity) if 'Neutron' not in SERVICES else self._fake_port(identity)
        return {'vip_port_id': port['id'], 'vip_address': port['fixed_ips'][0]['ip_address'],
                'vip_subnet_id': port['fixed_ips'][0]['subnet_id'], 'vip_network_id': port['network_id'], 'pools': [],
                'listeners': [], 'provisioning_status': 'ACTIVE', 'operating_status': 'ONLINE', 'flavor_id': self.properties['flavor']}

    def _fake_port(self, identity):
        subnet = STORE.get('subnet', self.properties['vip_subnet']) if self.properties['vip_subnet'] else None
        network = subnet['network_id'] if subnet else self.properties.get('vip_network')
        if not network:
            raise exception.Error('Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.')
        wanted = {'subnet': subnet and subnet['id'], 'ip_address': self.properties['vip_address']}
        return make_port(self.context.project_id, network, 'octavia-lb-' + identity, [wanted], device_owner='Octavia')

    def _real_port(self, identity):
        neutron = self.client('neutron')
        subnet = self.properties['vip_subnet']
        fixed = {'subnet_id': subnet}
        if self.properties['vip_address']:
            fixed['ip_address'] = self.properties['vip_address']
        return neutron.create_port({'port': {
            'network_id': neutron.show_subnet(subnet)['subnet']['network_id'], 'name': 'octavia-lb-' + identity,
            'fixed_ips': [fixed]}})['port']

    def gone(self):
        port = (self.thing() or {}).get('vip_port_id')
        if port and 'Neutron' in SERVICES:
            STORE.remove('port', port)
        elif port:
            with self.client_plugin('neutron').ignore_not_found:
                self.client('neutron').delete_port(port)

    def _resolve_attribute(self, name):
        shown = self.thing() or {}
        names = {'vip_port': 'vip_port_id', 'vip_subnet': 'vip_subnet_id'}
        if name == 'pools':
            return [{'id': pool['id']} for pool in STORE.owned_by('pool', self.context.project_id)
                    if pool.get('loadbalancer') == self.resource_id]
        return shown.get(names[name]) if name in names else super()._resolve_attribute(name)


class Balanced(Fake):
    """The parts of a load balancer."""

    asynchronous = True

    def describe(self, identity):
        return {'provisioning_status': 'ACTIVE', 'operating_status': 'ONLINE'}


BEHAVIOURS = {
    'OS::Neutron::Net': Net, 'OS::Neutron::ProviderNet': Net, 'OS::Neutron::Subnet': Subnet, 'OS::Neutron::SecurityGroup': SecurityGroup, 'OS::Neutron::Port': Port,
    'OS::Neutron::Router': Router, 'OS::Neutron::RouterInterface': RouterInterface, 'OS::Neutron::FloatingIP': FloatingIP,
    'OS::Neutron::FloatingIPAssociation': FloatingIPAssociation, 'OS::Octavia::LoadBalancer': LoadBalancer,
    'OS::Octavia::Listener': Balanced, 'OS::Octavia::Pool': Balanced, 'OS::Octavia::PoolMember': Balanced,
    'OS::Octavia::HealthMonitor': Balanced,
}
