"""Who is who in the test cloud: projects, users, roles, and the look-up data that they see."""
# Roles that let somebody own stacks and secrets.
OWNER = ('member', 'heat_stack_owner', 'creator', 'load-balancer_member')
ROLES = ('admin', 'manager', 'member', 'reader', 'service', 'heat_stack_user', 'heat_stack_owner', 'creator', 'load-balancer_member')
# Domain -> projects. In `closed` the service user holds nothing, so a cluster there needs the requester's own rights.
PROJECTS = {'Default': ('service', 'demo', 'demo2'), 'closed': ('closed',)}
# Persons: name -> (domain, project, roles on it). Each gets an openrc file; `nobody` has no role anywhere.
PERSONS = {
    'admin': ('Default', 'admin', ('admin',)),
    'demo': ('Default', 'demo', OWNER),
    'demo-peer': ('Default', 'demo', OWNER),
    'demo-admin': ('Default', 'demo', ('admin',) + OWNER),
    'reader': ('Default', 'demo', ('reader',)),
    'demo2': ('Default', 'demo2', OWNER),
    'closed': ('closed', 'closed', OWNER),
    # For the one test that lists all of a user's trusts, so that others do not change them meanwhile.
    'closed-alone': ('closed', 'closed', OWNER),
    'nobody': ('Default', None, ()),
}
# Services' own users: roles on the project `service`. Jeroboam's holds no administrator's role anywhere.
SERVICE_USERS = {name: ('admin', 'service') for name in ('heat', 'barbican', 'nova', 'neutron', 'glance', 'placement')}
SERVICE_USERS['jeroboam'] = ('service',)
# What the operator grants Jeroboam's user on a domain, inherited by its projects.
INHERITED = {'jeroboam': ('Default', OWNER)}
# Domains for users that services make, each with its administrator.
SERVICE_DOMAINS = {'heat': 'heat_domain_admin', 'jeroboam': 'jeroboam_domain_admin'}
# File name of a person's openrc.
OPENRC = {name: name + '-openrc' for name in PERSONS} | {'demo-peer': 'peer-openrc'}

FLAVORS = {'m1.tiny': (1, 512, 1), 'm1.small': (1, 2048, 20), 'm1.medium': (2, 4096, 40), 'm1.large': (4, 8192, 80), 'ds-zero': (1, 2048, 0)}
# (name, owner project, public, properties)
IMAGES = (
    ('ubuntu-24.04', 'admin', True, {'os_distro': 'ubuntu'}),
    ('debian-12', 'admin', True, {'os_distro': 'debian'}),
    ('fedora-coreos-latest', 'admin', True, {'os_distro': 'fedora-coreos'}),
    ('flatcar', 'admin', True, {'os_distro': 'flatcar'}),
    ('nodistro', 'admin', True, {}),
    ('ubuntu-kube', 'admin', True, {'os_distro': 'ubuntu', 'kube_version': 'v1.34.1'}),
    ('ubuntu-driver', 'admin', True, {'os_distro': 'ubuntu', 'magnum_driver': 'kubernetes'}),
    ('twin', 'admin', True, {'os_distro': 'ubuntu'}),
    ('twin', 'admin', True, {'os_distro': 'ubuntu', 'twin': 'second'}),
    ('demo2-only', 'demo2', False, {'os_distro': 'ubuntu'}),
)
# (name, owner project, external, shared, subnets as (name, cidr))
NETWORKS = (
    ('public', 'admin', True, False, (('public-subnet', '172.24.4.0/22'),)),
    ('private', 'demo', False, False, (('private-subnet', '10.10.0.0/24'),)),
    ('private', 'demo2', False, False, (('private-subnet', '10.10.0.0/24'),)),
    ('private', 'closed', False, False, (('private-subnet', '10.10.0.0/24'),)),
    ('twin', 'demo', False, False, (('twin-subnet', '10.11.0.0/24'),)),
    ('twin', 'demo', False, False, (('twin-subnet', '10.12.0.0/24'),)),
    ('demo2-only', 'demo2', False, False, (('demo2-only-subnet', '10.13.0.0/24'),)),
)
# (name, owner project, external network, subnet which it joins to that)
ROUTERS = tuple(('private-router', owner, 'public', 'private-subnet') for owner in ('demo', 'demo2', 'closed'))
VOLUME_TYPES = ('lvmdriver-1', 'ssd')
KEYPAIR, KEYPAIR_USERS = 'testkey', ('demo', 'closed')
