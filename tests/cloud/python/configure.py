"""Writes the configuration of Keystone, Heat and Barbican. Idempotent: the files follow the settings."""
import os
import shutil

from layout import DIR, ENV, ETC, HOST, KEYSTONE, LOG, PORTS, SOURCE, STATE, VENV, database, password, url, write


def ini(sections):
    """An ini file's text."""
    return '\n'.join('[%s]\n%s' % (name, ''.join('%s = %s\n' % pair for pair in options.items())) for name, options in sections.items())


def login(user, region='RegionOne'):
    """Options with which a service logs in at Keystone."""
    return {'auth_url': KEYSTONE, 'auth_type': 'password', 'username': user, 'password': password(user), 'project_name': 'service',
            'user_domain_name': 'Default', 'project_domain_name': 'Default', 'region_name': region}


def token_check(user, region='RegionOne'):
    """Options with which a service validates tokens."""
    return {'www_authenticate_uri': KEYSTONE, **login(user, region), 'service_token_roles': 'service', 'service_token_roles_required': 'true',
            'memcached_servers': '%s:%d' % (HOST, PORTS['memcached'])}


def keystone():
    """keystone.conf."""
    keys = os.path.join(STATE, 'keystone-fernet')
    write(os.path.join(ETC, 'keystone', 'keystone.conf'), ini({
        'DEFAULT': {'log_file': os.path.join(LOG, 'keystone.log')},
        'oslo_messaging_notifications': {'driver': 'noop'},
        'database': {'connection': database('keystone')},
        'token': {'provider': 'fernet', 'expiration': 86400},
        'fernet_tokens': {'key_repository': keys},
        'fernet_receipts': {'key_repository': keys},
        'credential': {'key_repository': os.path.join(STATE, 'keystone-credential')},
        # The default cost of a password is 250 ms of CPU for each login.
        'identity': {'password_hash_rounds': 4},
        # Without a cache, validating one token takes hundreds of SQL statements.
        'cache': {'enabled': 'true', 'backend': 'dogpile.cache.pymemcache', 'memcache_servers': '%s:%d' % (HOST, PORTS['memcached'])},
        'oslo_policy': {'enforce_scope': 'true', 'enforce_new_defaults': 'true'}}))


def heat(name='heat', region='RegionOne', api='heat', cfn='heat_cfn'):
    """heat.conf and its companions, for the one of RegionOne and, in the full cloud, the one of RegionTwo."""
    folder = os.path.join(ETC, name)
    for source in ('environment.d', 'templates'):
        shutil.copytree(os.path.join(VENV, 'etc', 'heat', source), os.path.join(folder, source), dirs_exist_ok=True)
    shutil.copy(os.path.join(VENV, 'etc', 'heat', 'api-paste.ini'), folder)
    policy = '"stacks:global_index": "role:service"\n' if ENV['CLOUD_GLOBAL_INDEX'] == 'on' else '{}\n'
    write(os.path.join(folder, 'policy.yaml'), policy)
    write(os.path.join(folder, 'heat.conf'), ini({
        'DEFAULT': {
            'log_file': os.path.join(LOG, name + '.log'), 'transport_url': 'fake://', 'host': name, 'num_engine_workers': 1,
            'executor_thread_pool_size': 32, 'convergence_engine': 'true', 'stack_user_domain_name': 'heat',
            'stack_domain_admin': 'heat_domain_admin', 'stack_domain_admin_password': password('heat_domain_admin'),
            'deferred_auth_method': 'trusts', 'heat_metadata_server_url': url(cfn),
            'heat_waitcondition_server_url': url(cfn) + '/v1/waitcondition', 'region_name_for_services': region,
            'auth_encryption_key': password('heat encryption') + '01234567', 'environment_dir': os.path.join(folder, 'environment.d'),
            'template_dir': os.path.join(folder, 'templates'), 'plugin_dirs': os.path.join(SOURCE, 'python', 'heat_plugins'),
            # A failed server fails its stack at once; the default makes it five times more, with growing pauses.
            'action_retry_limit': 0,
            'max_stacks_per_tenant': 100000, 'max_resources_per_stack': -1, 'max_nested_stack_depth': 10, 'max_template_size': 5242880},
        'oslo_policy': {'policy_file': os.path.join(folder, 'policy.yaml'), 'enforce_scope': 'true', 'enforce_new_defaults': 'true'},
        'oslo_messaging_notifications': {'driver': 'noop'},
        'database': {'connection': database(name.replace('-', '_'))},
        'paste_deploy': {'api_paste_config': os.path.join(folder, 'api-paste.ini')},
        'clients': {'endpoint_type': 'publicURL'},
        'clients_keystone': {'auth_uri': url('keystone')},
        'clients_heat': {'url': url(api) + '/v1/%(tenant_id)s'},
        'ec2authtoken': {'auth_uri': KEYSTONE},
        'keystone_authtoken': token_check('heat', region),
        'trustee': {'auth_type': 'password', 'auth_url': KEYSTONE, 'username': 'heat', 'password': password('heat'), 'user_domain_name': 'Default'}}))


def barbican():
    """barbican.conf in a home of its own, where Barbican looks for it, and its paste file."""
    folder = os.path.join(ETC, 'barbican')
    write(os.path.join(folder, '.barbican', 'barbican.conf'), ini({
        'DEFAULT': {'log_file': os.path.join(LOG, 'barbican.log'), 'host_href': url('barbican'), 'db_auto_create': 'false', 'transport_url': 'fake://'},
        'database': {'connection': database('barbican')},
        'queue': {'enable': 'false'},
        'oslo_messaging_notifications': {'driver': 'noop'},
        'secretstore': {'enabled_secretstore_plugins': 'store_crypto'},
        'crypto': {'enabled_crypto_plugins': 'simple_crypto'},
        'simple_crypto_plugin': {'kek': 'YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY='},
        'keystone_authtoken': token_check('barbican')}))
    with open(os.path.join(VENV, 'etc', 'barbican', 'barbican-api-paste.ini'), encoding='utf-8') as file:
        write(os.path.join(folder, 'barbican-api-paste.ini'), file.read().replace('/etc/barbican', folder))


def main():
    """Writes everything for the lite cloud."""
    os.makedirs(os.path.join(DIR, 'servers'), exist_ok=True)
    keystone()
    heat()
    barbican()


if __name__ == '__main__':
    main()
