"""Fake Nova, Neutron, Cinder and Octavia types for real Heat.

Each keeps the real type's property and attribute schemas, constraints, translations and dependencies, so that a template is
accepted or refused as on a real cloud; what it makes exists only in `fakecloud.store`. CLOUD_FAKES names the services that
are faked (`Nova,Neutron,Cinder,Octavia` unless set; the full cloud sets `Cinder,Octavia`).
"""
import importlib
import pkgutil

from heat.engine import constraints, resource, resources

from fakecloud.store import Ambiguous, NotFound

from . import base, compute, network, volume

BEHAVIOURS = {**compute.BEHAVIOURS, **network.BEHAVIOURS, **volume.BEHAVIOURS}
# Constraint name -> kind of thing which must exist. Other constraints of faked services accept everything.
CONSTRAINED = {
    'nova.flavor': 'flavor', 'nova.keypair': 'keypair', 'nova.server': 'server', 'glance.image': 'image',
    'neutron.network': 'network', 'neutron.subnet': 'subnet', 'neutron.port': 'port', 'neutron.router': 'router',
    'neutron.security_group': 'security_group', 'cinder.volume': 'volume', 'cinder.vtype': 'volume_type',
    'octavia.loadbalancer': 'loadbalancer', 'octavia.listener': 'listener', 'octavia.pool': 'pool',
}
# What Heat itself asks of a resource and what the real types answer by calling their service: the base class's answer
# is used instead. The rest of the real types (schemas, translations, dependencies, replacement rules) is kept.
KEPT = {'__init__', 'translation_rules', 'add_dependencies', 'add_explicit_dependencies', 'needs_replace',
        'needs_replace_with_prop_diff', 'physical_resource_name', 'validate', 'is_service_available'}
LIFE = ('create', 'update', 'delete', 'check', 'suspend', 'resume', 'snapshot', 'restore', 'delete_snapshot',
        'snapshot_delete')


def _real_types(service):
    """All types of a service with their classes."""
    package = importlib.import_module('heat.engine.resources.openstack.' + service.lower())
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        mapping = getattr(importlib.import_module(package.__name__ + '.' + module.name), 'resource_mapping', None)
        if mapping:
            found.update(mapping())
    return found


def _own_classes(real):
    """The classes of the real type that lie below Heat's own base classes."""
    return [cls for cls in real.__mro__ if cls not in resource.Resource.__mro__]


def _silenced(real):
    """A subclass of the real type in which nothing calls the service any more."""
    members = {}
    for cls in _own_classes(real):
        for name in vars(cls):
            if name not in KEPT and not name.startswith('__') and callable(getattr(resource.Resource, name, None)):
                members[name] = vars(resource.Resource)[name] if name in vars(resource.Resource) else getattr(resource.Resource, name)
    for action in LIFE:
        for name in ('handle_' + action, 'check_%s_complete' % action):
            if hasattr(real, name):
                members[name] = None
    return type('Silenced' + real.__name__, (real,), members)


def _fake(kind, real):
    silenced = _silenced(real)
    behaviour = BEHAVIOURS.get(kind, base.Fake)
    return type('Fake' + kind.replace('::', ''), (behaviour, silenced), {
        'fake_type': kind, 'real': real, 'entity': None, 'attributes_schema': dict(real.attributes_schema),
        '__doc__': real.__doc__, 'kind': base.KINDS.get(kind) or base.snake(kind.rsplit('::', 1)[1])})


def resource_mapping():
    """Type name -> fake class, for Heat."""
    return {kind: _fake(kind, real) for service in base.SERVICES for kind, real in _real_types(service).items()}


def _constraint(kind):
    class Exists(constraints.BaseCustomConstraint):
        """Holds when the requester may see a thing of that kind with that name or id."""

        def validate(self, value, context):
            if kind is None:
                return True
            try:
                owner = context.user_id if kind == 'keypair' else context.project_id
                base.STORE.find(kind, value, owner, context.is_admin)
            except (NotFound, Ambiguous) as error:
                self._error_message = str(error)
                return False
            return True
    return Exists


def constraint_mapping():
    """Constraint name -> class, for Heat: existence is asked of the fake services."""
    prefixes = {'Nova': ('nova.', 'glance.'), 'Neutron': ('neutron.',), 'Cinder': ('cinder.',), 'Octavia': ('octavia.',)}
    wanted = tuple(prefix for service in base.SERVICES for prefix in prefixes[service])
    return {name: _constraint(CONSTRAINED.get(name))
            for name, _ in resources._get_mapping('heat.constraints') if name.startswith(wanted)}
