"""Writes the configuration of RegionTwo: Nova, Placement, Neutron, Glance and the Heat that uses them."""
import os
import shutil

import configure
from configure import ini, login
from layout import ETC, HOST, LOG, PORTS, STATE, VENV_FULL, database, write

REGION = 'RegionTwo'
BUS = 'rabbit://guest:guest@%s:%d/' % (HOST, PORTS['rabbit'])


def common(name):
    """Sections that all of these services have."""
    return {'keystone_authtoken': configure.token_check(name, REGION), 'oslo_messaging_notifications': {'driver': 'noop'},
            'oslo_concurrency': {'lock_path': os.path.join(STATE, name, 'locks')}}


def client(name):
    """A section with which a service calls another."""
    return {**login(name, REGION), 'valid_interfaces': 'public'}


def folder(name, paste=None):
    """The service's folder in etc; the paste file of its package is put there."""
    path = os.path.join(ETC, name)
    for made in (path, os.path.join(STATE, name, 'locks')):
        os.makedirs(made, exist_ok=True)
    if paste:
        shutil.copy(os.path.join(VENV_FULL, 'etc', name, paste), path)
    return path


def placement():
    """placement.conf."""
    write(os.path.join(folder('placement'), 'placement.conf'), ini({
        'DEFAULT': {'log_file': os.path.join(LOG, 'placement.log')}, 'placement_database': {'connection': database('placement')},
        **common('placement')}))


def glance():
    """glance-api.conf; images are files."""
    path = folder('glance', 'glance-api-paste.ini')
    store = {name: os.path.join(STATE, 'glance', name) for name in ('images', 'staging', 'tasks')}
    for made in store.values():
        os.makedirs(made, exist_ok=True)
    write(os.path.join(path, 'glance-api.conf'), ini({
        'DEFAULT': {'log_file': os.path.join(LOG, 'glance.log'), 'enabled_backends': 'fs:file', 'transport_url': BUS, 'enabled_import_methods': '[]'},
        'database': {'connection': database('glance')},
        'paste_deploy': {'flavor': 'keystone', 'config_file': os.path.join(path, 'glance-api-paste.ini')},
        'glance_store': {'default_backend': 'fs'},
        'fs': {'filesystem_store_datadir': store['images']},
        'os_glance_staging_store': {'filesystem_store_datadir': store['staging']},
        'os_glance_tasks_store': {'filesystem_store_datadir': store['tasks']},
        **common('glance')}))


def nova():
    """nova.conf; the virt driver makes nothing."""
    path = folder('nova', 'api-paste.ini')
    write(os.path.join(path, 'nova.conf'), ini({
        'DEFAULT': {
            'log_file': os.path.join(LOG, 'nova.log'), 'transport_url': BUS, 'compute_driver': 'fake.FakeDriverWithoutFakeNodes',
            'my_ip': HOST, 'host': 'cloud', 'state_path': os.path.join(STATE, 'nova'), 'vif_plugging_is_fatal': 'false',
            'vif_plugging_timeout': 0, 'resume_guests_state_on_host_boot': 'false'},
        'api_database': {'connection': database('nova_api')},
        'database': {'connection': database('nova')},
        'wsgi': {'api_paste_config': os.path.join(path, 'api-paste.ini')},
        'vnc': {'enabled': 'false'},
        'scheduler': {'discover_hosts_in_cells_interval': 30, 'workers': 1},
        'conductor': {'workers': 1},
        'glance': {'region_name': REGION, 'valid_interfaces': 'public'},
        'quota': {'instances': -1, 'cores': -1, 'ram': -1, 'server_groups': -1, 'server_group_members': -1},
        **common('nova'), 'placement': client('placement'), 'neutron': client('neutron'),
        'cinder': {'catalog_info': 'block-storage::publicURL', 'os_region_name': REGION},
        'service_user': {**client('nova'), 'send_service_user_token': 'true'}}))


def neutron():
    """neutron.conf; no agents, ports are bound by `neutron_binding`."""
    path = folder('neutron', 'api-paste.ini')
    unlimited = {'default_quota': -1, **{'quota_' + name: -1 for name in (
        'network', 'subnet', 'port', 'router', 'floatingip', 'security_group', 'security_group_rule')}}
    write(os.path.join(path, 'neutron.conf'), ini({
        'DEFAULT': {
            'log_file': os.path.join(LOG, 'neutron.log'), 'core_plugin': 'ml2', 'service_plugins': 'router', 'transport_url': BUS,
            'state_path': os.path.join(STATE, 'neutron'), 'api_paste_config': os.path.join(path, 'api-paste.ini'),
            'notify_nova_on_port_status_changes': 'false', 'notify_nova_on_port_data_changes': 'false', 'dhcp_agents_per_network': 0,
            'rpc_workers': 0, 'api_workers': 0},
        'database': {'connection': database('neutron')},
        'ml2': {'type_drivers': 'local,flat', 'tenant_network_types': 'local', 'mechanism_drivers': 'cloudbind', 'extension_drivers': 'port_security'},
        'ml2_type_flat': {'flat_networks': 'public'},
        'quotas': unlimited,
        **common('neutron')}))


def rabbit():
    """An empty configuration keeps RabbitMQ from reading the machine's."""
    write(os.path.join(ETC, 'rabbit', 'rabbitmq.conf'), '# The defaults hold.\n')


if __name__ == '__main__':
    placement()
    glance()
    nova()
    neutron()
    rabbit()
    configure.heat('heat-full', REGION, 'heat_full', 'heat_full_cfn')
