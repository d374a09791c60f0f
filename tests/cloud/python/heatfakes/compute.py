"""Nova's fake types. An active server leaves what a real one would hand to its instance in $CLOUD_DIR/servers/<id>.json."""
import base64
import json
import os
import tempfile

from heat.common import exception
from heat.engine import resource
from oslo_utils import uuidutils

from .base import Fake, Gate, STORE, plain
from .network import make_port
from fakecloud.servers import addresses
from fakecloud.store import now

# Nova's limits for what comes with a server.
USER_DATA_LIMIT = 65535
METADATA_LIMIT = 255


def _folder():
    folder = os.path.join(os.environ['CLOUD_DIR'], 'servers')
    os.makedirs(folder, exist_ok=True)
    return folder


def publish(identity, record):
    """Writes a server's record atomically."""
    handle, path = tempfile.mkstemp(dir=_folder(), prefix='.new-')
    with os.fdopen(handle, 'w', encoding='utf-8') as file:
        json.dump(record, file, indent=1, sort_keys=True)
    os.replace(path, os.path.join(_folder(), identity + '.json'))


def withdraw(identity):
    """Removes a server's record."""
    try:
        os.remove(os.path.join(_folder(), identity + '.json'))
    except FileNotFoundError:
        pass


class Server(Fake):
    """OS::Nova::Server."""

    asynchronous = True

    def validate(self):
        resource.Resource.validate(self)
        self._validate_block_device_mapping()
        networks = self.properties[self.NETWORKS] or []
        for network in networks:
            if not any(network.get(key) for key in ('network', 'port', 'subnet', 'allocate_network', 'uuid')):
                raise exception.StackValidationFailed(message=(
                    'One of the properties "network", "port", "allocate_network" or "subnet" should be set for the '
                    'specified network of server "%s".' % self.name))
        if any(network.get('port') for network in networks) and self.properties[self.SECURITY_GROUPS]:
            raise exception.ResourcePropertyConflict(self.SECURITY_GROUPS, 'networks/port')
        self._validate_image(self.properties[self.IMAGE], self.properties[self.FLAVOR])

    def _validate_image(self, image, flavor):
        image, flavor = STORE.get('image', image or ''), STORE.get('flavor', flavor or '')
        if not image or not flavor:
            return
        for what, wanted, has in (('ram', image.get('min_ram', 0), flavor['ram']), ('disk', image.get('min_disk', 0), flavor['disk'])):
            if wanted > has and not (what == 'disk' and has == 0):
                raise exception.StackValidationFailed(message='Image %s requires %s minimum %s. Flavor %s has only %s.' % (
                    image['id'], wanted, what, flavor['id'], has))

    def _user_data(self):
        content, form = self.properties[self.USER_DATA], self.properties[self.USER_DATA_FORMAT]
        if form in (self.RAW, self.SOFTWARE_CONFIG) and uuidutils.is_uuid_like(content):
            content = self.get_software_config(content)
        content = self.client_plugin('nova').build_userdata(
            self.metadata_get(True) or {}, content, instance_user=None, user_data_format=form) or ''
        encoded = base64.b64encode(content.encode() if isinstance(content, str) else content)
        if len(encoded) > USER_DATA_LIMIT:
            raise exception.Error('Invalid input for field/attribute user_data. Value: %s... is too long: %d characters in base64, '
                                  'at most %d (HTTP 400)' % (encoded[:20].decode(), len(encoded), USER_DATA_LIMIT))
        return content if isinstance(content, str) else content.decode()

    def _metadata(self):
        given = self.properties[self.METADATA] or {}
        made = {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}
        for key, value in made.items():
            if len(key) > METADATA_LIMIT or len(value) > METADATA_LIMIT:
                raise exception.Error('Invalid input for field/attribute %s. Value: %s. is too long (HTTP 400)' % (key, value[:40]))
        return made

    def describe(self, identity):
        # What is refused is refused before anything is made.
        self._user_data()
        metadata = self._metadata()
        ports = [self._attach(identity, network) for network in self.properties[self.NETWORKS] or [self._only_network()]]
        return {'name': self.properties[self.NAME] or self.physical_resource_name(), 'status': 'BUILD', 'ports': ports,
                'metadata': metadata, 'user_id': self.context.user_id, 'hostId': '', 'networks': None,
                'flavor': {'id': self.properties[self.FLAVOR]}, 'image': {'id': self.properties[self.IMAGE]} if self.properties[self.IMAGE] else ''}

    def _only_network(self):
        nets = [n for n in STORE.seen_by('network', self.context.project_id) if not n.get('router:external')]
        if len(nets) > 1:
            raise exception.Error('Multiple possible networks found, use a Network ID to be more specific. (HTTP 409)')
        return {'network': nets[0]['id']} if nets else {'allocate_network': 'none'}

    def _attach(self, identity, network):
        port = network.get('port')
        if network.get('allocate_network') == 'none':
            return None
        if port is None:
            subnet = STORE.get('subnet', network['subnet']) if network.get('subnet') else None
            net = network.get('network') or network.get('uuid') or subnet['network_id']
            wanted = [{'subnet': subnet and subnet['id'], 'ip_address': network.get('fixed_ip')}] if subnet or network.get('fixed_ip') else None
            port = make_port(self.context.project_id, net, '', wanted, made_for_server=identity)['id']
        found = STORE.get('port', port)
        if found is None:
            raise exception.Error('Port %s could not be found. (HTTP 400)' % port)
        if found.get('device_id') not in (None, '', identity):
            raise exception.Error('Port %s is still in use. (HTTP 409)' % port)
        STORE.change('port', port, device_id=identity, device_owner='compute:nova', status='ACTIVE')
        return port

    def became_active(self):
        self.record(status='ACTIVE')
        publish(self.resource_id, self._handed_over())

    def _handed_over(self):
        thing, shown = self.thing(), self.shown_properties()
        flavor = STORE.get('flavor', thing['flavor']['id'])
        image = STORE.get('image', thing['image']['id']) if thing['image'] else None
        return {'id': self.resource_id, 'name': thing['name'], 'stack_name': self.stack.name, 'stack_id': self.stack.id,
                'project_id': self.context.project_id, 'image': image and {'id': image['id'], 'name': image['name']},
                'flavor': flavor and {'id': flavor['id'], 'name': flavor['name']}, 'metadata': thing['metadata'],
                'addresses': addresses(STORE, thing), 'user_data': self._user_data(), 'created': now(),
                'config_drive': bool(self.properties[self.CONFIG_DRIVE]), 'key_name': self.properties[self.KEY_NAME],
                'block_device_mapping_v2': shown.get('block_device_mapping_v2', [])}

    def changed(self, changes):
        if self.METADATA in changes or self.NAME in changes:
            self.record(metadata=self._metadata(), name=self.properties[self.NAME] or self.physical_resource_name())
        if self.NETWORKS in changes:
            self._detach()
            self.record(ports=[self._attach(self.resource_id, n) for n in self.properties[self.NETWORKS] or []])
        self.record(flavor={'id': self.properties[self.FLAVOR]}, networks=None,
                    image={'id': self.properties[self.IMAGE]} if self.properties[self.IMAGE] else '')
        if (self.thing() or {}).get('status') == 'ACTIVE':
            publish(self.resource_id, self._handed_over())

    def _detach(self):
        for port in (self.thing() or {}).get('ports') or []:
            found = STORE.get('port', port) if port else None
            if found and found.get('made_for_server') == self.resource_id:
                STORE.remove('port', port)
            elif found and found.get('device_id') == self.resource_id:
                STORE.change('port', port, device_id='', device_owner='', status='DOWN')

    def prepare_for_replace(self):
        # As real Heat does: the server that takes this one's place may want the same ports.
        if self.resource_id:
            self._detach()

    def gone(self):
        self._detach()
        withdraw(self.resource_id)

    def break_down(self, reason):
        withdraw(self.resource_id)
        super().break_down(reason)

    @staticmethod
    def _by_name_and_id(nets):
        """Heat shows a server's networks under their names and under their ids."""
        return {**nets, **{items[0]['network_id']: items for items in nets.values()}}

    def _show_resource(self):
        thing = self.thing()
        return {**thing, 'addresses': addresses(STORE, thing)} if thing else {}

    def _resolve_attribute(self, name):
        thing = self.thing()
        if thing is None:
            return None
        nets = addresses(STORE, thing)
        values = {
            'name': thing['name'], 'addresses': self._by_name_and_id(nets), 'instance_name': 'instance-' + self.resource_id[:8],
            'networks': {name: [a['addr'] for a in items] for name, items in self._by_name_and_id(nets).items()},
            'first_address': next((a['addr'] for items in nets.values() for a in items), ''), 'accessIPv4': '',
            'accessIPv6': '', 'console_urls': {}, 'tags': plain(self.properties[self.TAGS]) or [],
            'os_collect_config': self.metadata_get().get('os-collect-config', {})}
        return values.get(name)


class KeyPair(Fake):
    """OS::Nova::KeyPair; it belongs to the user, and its name is its id."""

    def validate(self):
        resource.Resource.validate(self)

    def new_id(self):
        return self.properties['name']

    def handle_create(self):
        self.resource_id_set(self.new_id())
        public = self.properties['public_key']
        if not public:
            raise exception.Error('A fake key pair needs its public_key')
        STORE.put('keypair', {'id': self._key(), 'name': self.resource_id, 'public_key': public, 'type': 'ssh',
                              'user_id': self.context.user_id}, self.context.user_id)
        return Gate(self, 'CREATE')

    def _key(self):
        return '%s/%s' % (self.context.user_id, self.resource_id)

    def thing(self):
        return STORE.get('keypair', self._key()) if self.resource_id else None

    def gone(self):
        STORE.remove('keypair', self._key())

    def needs_replace_failed(self):
        return self.thing() is None


BEHAVIOURS = {'OS::Nova::Server': Server, 'OS::Nova::KeyPair': KeyPair}
