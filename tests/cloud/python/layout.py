"""The test cloud's settings as Python sees them: folders, ports, URLs, passwords. From the environment that `up` exports."""
import hashlib
import os

ENV = os.environ
DIR = ENV['CLOUD_DIR']
HOST = ENV['CLOUD_HOST']
PORTS = {name: int(ENV['CLOUD_PORT_' + name.upper()]) for name in (
    'keystone', 'heat', 'heat_cfn', 'barbican', 'lookups', 'mariadb', 'memcached', 'jeroboam', 'rabbit', 'epmd',
    'rabbit_peer', 'placement', 'glance', 'nova', 'neutron', 'heat_full', 'heat_full_cfn')}
VENV = ENV['CLOUD_VENV']
VENV_FULL = ENV['CLOUD_VENV_FULL']
SOURCE = ENV['CLOUD_SOURCE']
ETC, LOG, STATE = (os.path.join(DIR, name) for name in ('etc', 'log', 'state'))


def url(name):
    """The root address of a service."""
    return 'http://%s:%d' % (HOST, PORTS[name])


KEYSTONE = url('keystone') + '/v3'


def password(name):
    """The password of a user of this cloud."""
    return hashlib.sha256(('%s:%s' % (ENV['CLOUD_PASSWORD'], name)).encode()).hexdigest()[:24]


def database(name):
    """The URL of a schema."""
    return 'mysql+pymysql://cloud:%s@%s:%d/%s?charset=utf8mb3' % (password('database'), HOST, PORTS['mariadb'], name)


def write(path, text, mode=0o600):
    """Writes a file atomically, when its text differs."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with open(path, encoding='utf-8') as file:
            if file.read() == text:
                return
    except OSError:
        pass
    with open(path + '.new', 'w', encoding='utf-8') as file:
        file.write(text)
    os.chmod(path + '.new', mode)
    os.replace(path + '.new', path)
