"""Writes what users of the cloud read: openrc files, cloud.json and a configuration for Jeroboam. Arguments: modes that are up."""
import json
import os
import sys

from layout import DIR, HOST, KEYSTONE, LOG, PORTS, STATE, VENV, VENV_FULL, password, url, write
from people import OPENRC, PERSONS, SERVICE_DOMAINS, SERVICE_USERS

# Services whose addresses are told; the second ones are RegionTwo's.
URLS = ('keystone', 'heat', 'heat_cfn', 'barbican', 'lookups', 'jeroboam')
URLS_FULL = ('heat_full', 'heat_full_cfn', 'nova', 'neutron', 'glance', 'placement')


def openrc(name, domain, project):
    """The text of a person's openrc file."""
    scope = 'export OS_PROJECT_NAME=%s OS_PROJECT_DOMAIN_NAME=%s\n' % (project, domain) if project else ''
    return ('unset "${!OS_@}"\n'
            'export OS_AUTH_URL=%s OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=RegionOne OS_INTERFACE=public\n'
            'export OS_USERNAME=%s OS_USER_DOMAIN_NAME=%s OS_PASSWORD=%s\n%sexport PATH=%s/clients:$PATH PYTHONWARNINGS=ignore\n') % (
                KEYSTONE, name, domain, password(name), scope, DIR)


def clients():
    """A folder with only the clients in it, so that an openrc file does not put another python first."""
    folder = os.path.join(DIR, 'clients')
    os.makedirs(folder, exist_ok=True)
    link = os.path.join(folder, 'openstack')
    if not os.path.islink(link):
        os.symlink(os.path.join(VENV, 'bin', 'openstack'), link)


def service_configuration():
    """What a configuration of Jeroboam for this cloud needs, and nothing more."""
    return ('[keystone]\nauth_url = "%s"\nusername = "jeroboam"\npassword = "%s"\nuser_domain_name = "Default"\nproject_name = "service"\n'
            'project_domain_name = "Default"\nregion_name = "RegionOne"\n\n[trust]\ntrustee_domain_name = "jeroboam"\n'
            'trustee_domain_admin_name = "jeroboam_domain_admin"\ntrustee_domain_admin_password = "%s"\n') % (
                KEYSTONE, password('jeroboam'), password('jeroboam_domain_admin'))


def users(ids):
    """All users with their passwords."""
    shown = {name: {'id': ids['users'][name], 'password': password(name), 'domain': domain, 'project': project, 'roles': list(roles)}
             for name, (domain, project, roles) in PERSONS.items()}
    for name, roles in SERVICE_USERS.items():
        shown[name] = {'id': ids['users'][name], 'password': password(name), 'domain': 'Default', 'project': 'service', 'roles': list(roles)}
    for domain, name in SERVICE_DOMAINS.items():
        shown[name] = {'id': ids['users'][name], 'password': password(name), 'domain': domain, 'project': None, 'roles': ['admin']}
    return shown


def pids():
    """Process name -> pid, of all that were started."""
    folder = os.path.join(DIR, 'run')
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith('.pid'):
            with open(os.path.join(folder, name), encoding='utf-8') as file:
                found[name[:-4]] = int(file.read().split()[0])
    return found


def main():
    """Writes all files."""
    with open(os.path.join(STATE, 'identity.json'), encoding='utf-8') as file:
        ids = json.load(file)
    for name, (domain, project, _) in PERSONS.items():
        write(os.path.join(DIR, OPENRC[name]), openrc(name, domain, project))
    clients()
    write(os.path.join(DIR, 'jeroboam.toml'), service_configuration())
    write(os.path.join(DIR, 'cloud.json'), json.dumps({
        'auth_url': KEYSTONE, 'host': HOST, 'modes': sys.argv[1:], 'regions': ['RegionOne'] + (['RegionTwo'] if 'full' in sys.argv else []),
        'ports': PORTS, 'urls': {name: url(name) for name in URLS + (URLS_FULL if 'full' in sys.argv else ())},
        'users': users(ids), 'domains': ids['domains'], 'projects': ids['projects'], 'roles': ids['roles'], 'pids': pids(),
        'openrc': {name: os.path.join(DIR, file) for name, file in OPENRC.items()},
        'database': {'host': HOST, 'port': PORTS['mariadb'], 'user': 'cloud', 'password': password('database')},
        'paths': {'dir': DIR, 'log': LOG, 'servers': os.path.join(DIR, 'servers'), 'faults': os.path.join(DIR, 'faults.json'),
                  'openstack': os.path.join(VENV, 'bin', 'openstack'), 'python': os.path.join(VENV, 'bin', 'python'),
                  'python_full': os.path.join(VENV_FULL, 'bin', 'python'), 'configuration': os.path.join(DIR, 'jeroboam.toml'),
                  'heat_policy': os.path.join(DIR, 'etc', 'heat', 'policy.yaml'), 'testkey': os.path.join(STATE, 'testkey')},
        'faults': os.path.join(DIR, 'faults.json')}, indent=1, sort_keys=True) + '\n')


if __name__ == '__main__':
    main()
