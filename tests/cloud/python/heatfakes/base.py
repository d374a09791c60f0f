"""What all fake types share: their life with faults, their record in the store, their attributes."""
import os
import re
import time
import uuid

from heat.common import exception
from heat.engine import resource, translation

from fakecloud import faults
from fakecloud.store import AddressError, Ambiguous, NotFound, Store, now

STORE = Store()
# The services that are faked.
SERVICES = [name for name in os.environ.get('CLOUD_FAKES', 'Nova,Neutron,Cinder,Octavia').split(',') if name]
# Kinds whose name in the store is not the type's own name.
KINDS = {'OS::Neutron::Net': 'network', 'OS::Neutron::FloatingIP': 'floatingip', 'OS::Nova::KeyPair': 'keypair',
         'OS::Octavia::LoadBalancer': 'loadbalancer', 'OS::Octavia::HealthMonitor': 'healthmonitor'}
FINDERS = {'find_flavor_by_name_or_id': 'flavor', 'find_image_by_name_or_id': 'image', 'get_volume_type': 'volume_type',
           'get_listener': 'listener', 'get_loadbalancer': 'loadbalancer', 'get_pool': 'pool', 'get_l7policy': 'l7_policy',
           'find_network_ip': 'floatingip', 'find_network_port': 'port', 'find_network_segment': 'segment'}


def snake(name):
    """FloatingIPAssociation -> floating_ip_association."""
    return re.sub(r'(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', '_', name).lower()


def plain(value):
    """A property's value as JSON can hold it, without what was not given."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


class Finder:
    """Turns names into ids for Heat's translation of properties, in place of a service's client."""

    def __init__(self, context, real):
        self.context = context
        self.real = real

    def find_resourceid_by_name_or_id(self, entity, value, **_):
        return self._find(entity, value)

    def __getattr__(self, finder):
        if finder in FINDERS:
            return lambda value, *_, **__: self._find(FINDERS[finder], value)
        return getattr(self.real, finder)

    def _find(self, kind, value):
        try:
            return STORE.find(kind, value, self.context.project_id, self.context.is_admin)['id']
        except NotFound:
            raise exception.EntityNotFound(entity=kind.replace('_', ' ').title(), name=value)
        except Ambiguous:
            raise exception.PhysicalResourceNameAmbiguity(name=value)


class Gate:
    """An action under way: opens when its delay is over and nobody holds it, or fails as ordered."""

    def __init__(self, fake, action):
        self.fake, self.action, self.begun = fake, action, time.monotonic()
        self.rule = self._lookup()

    def _lookup(self):
        return faults.for_resource(self.fake.stack.name, self.fake.name, self.fake.fake_type, self.action)

    def open(self):
        current = self._lookup()
        if current.get('hold'):
            self.rule = current
            return False
        if 'fail' in current or 'delay' in current:
            self.rule = current
        if time.monotonic() < self.begun + float(self.rule.get('delay') or 0):
            return False
        if self.rule.get('fail'):
            self.fake.break_down(self.rule['fail'])
        return True


class Fake(resource.Resource):
    """A resource that exists in the store only."""

    fake_type = ''
    kind = ''
    real = None
    # Services that make a thing first and report its failure as a status later.
    asynchronous = False

    @classmethod
    def _is_service_available(cls, context):
        return True, None

    def translation_rules(self, props):
        rules = super().translation_rules(props) or []
        for rule in rules:
            if rule.rule == translation.TranslationRule.RESOLVE and self._is_faked(rule.client_plugin):
                rule.client_plugin = Finder(self.context, rule.client_plugin)
        return rules

    @staticmethod
    def _is_faked(plugin):
        """Whether the service behind one of Heat's client plugins is faked; Glance goes with Nova."""
        module = type(plugin).__module__.replace('glance', 'nova')
        return any('.%s' % name.lower() in module for name in SERVICES)

    # The life of the thing; the types override `describe` and the hooks below it.

    def describe(self, identity):
        """The thing as its service would show it; raises when the service would refuse."""
        return {}

    def became_active(self):
        """Called once the thing has been made."""

    def changed(self, changes):
        """Called with the changed properties when an update begins."""

    def gone(self):
        """Called before the thing is forgotten."""

    def new_id(self):
        """The physical id of a new thing."""
        return str(uuid.uuid4())

    def shown_properties(self):
        """The given properties, by their own names."""
        return {key: plain(value) for key, value in self.properties.items()
                if value is not None and key not in ('value_specs', 'user_data')}

    def record(self, **values):
        """Writes the thing with changed values to the store."""
        STORE.put(self.kind, {**(self.thing() or {}), **values}, self.context.project_id)

    def thing(self):
        """The record in the store; None when there is none."""
        return STORE.get(self.kind, self.resource_id) if self.resource_id else None

    def break_down(self, reason):
        if self.asynchronous and self.resource_id:
            STORE.change(self.kind, self.resource_id, status='ERROR', provisioning_status='ERROR')
            raise exception.ResourceInError(resource_status='ERROR', status_reason=reason)
        raise exception.Error(reason)

    def handle_create(self):
        identity = self.new_id()
        self.resource_id_set(identity)
        try:
            shown = self.describe(identity)
        except (AddressError, NotFound, Ambiguous) as error:
            STORE.release(identity)
            raise exception.Error(str(error))
        project = self.context.project_id
        STORE.put(self.kind, {
            'name': self.physical_resource_name(), 'status': 'ACTIVE', 'tenant_id': project, **self.shown_properties(),
            'project_id': project, 'created_at': now(), 'updated_at': now(), **shown, 'id': identity}, project)
        return Gate(self, 'CREATE')

    def check_create_complete(self, gate):
        if not gate.open():
            return False
        self.became_active()
        return True

    def handle_update(self, json_snippet, tmpl_diff, prop_diff):
        if prop_diff:
            self.properties = json_snippet.properties(self.properties_schema, self.context)
            self.record(**self.shown_properties(), updated_at=now())
            self.changed(prop_diff)
        return Gate(self, 'UPDATE')

    def check_update_complete(self, gate):
        return gate.open()

    def handle_delete(self):
        return Gate(self, 'DELETE') if self.resource_id else None

    def check_delete_complete(self, gate):
        if gate is None:
            return True
        if not gate.open():
            return False
        self.gone()
        STORE.remove(self.kind, self.resource_id)
        return True

    def needs_replace_failed(self):
        thing = self.thing()
        return thing is None or thing.get('status') == 'ERROR'

    # What templates read.

    def get_reference_id(self):
        return str(self.resource_id or self.name)

    def _show_resource(self):
        return self.thing() or {}

    def get_live_state(self, resource_properties):
        return {}

    def _resolve_attribute(self, name):
        shown = self._show_resource()
        if name in shown:
            return shown[name]
        try:
            return plain(self.properties[name])
        except (KeyError, ValueError):
            return None
