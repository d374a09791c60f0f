"""The memory of the fake services: things (flavors, images, networks, ports, servers, ...) and addresses in use."""
import ipaddress
import json
import os
import sqlite3
import threading
from datetime import datetime, timezone

SCHEMA = """
CREATE TABLE IF NOT EXISTS things (
  kind TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, public INTEGER NOT NULL,
  created TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS things_by_name ON things (kind, name);
CREATE INDEX IF NOT EXISTS things_by_owner ON things (kind, owner);
CREATE TABLE IF NOT EXISTS addresses (
  subnet TEXT NOT NULL, address TEXT NOT NULL, holder TEXT NOT NULL, PRIMARY KEY (subnet, address));
CREATE INDEX IF NOT EXISTS addresses_by_holder ON addresses (holder);
"""


class NotFound(Exception):
    """No thing of that kind has that id or name, or the asker may not see it."""


class Ambiguous(Exception):
    """More than one thing has that name."""


class AddressError(Exception):
    """An address is taken, outside its subnet, or none is left."""


def now():
    """The time as the services print it."""
    return datetime.now(timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


class Store:
    """Things by kind and id. A thing is a dict as the service would show it; `owner` is a project (a user for keypairs)."""

    def __init__(self, path=None):
        self.path = path or os.path.join(os.environ['CLOUD_DIR'], 'state', 'fake.db')
        self._local = threading.local()

    def _db(self):
        db = getattr(self._local, 'db', None)
        if db is None:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            db.execute('PRAGMA journal_mode=WAL')
            db.execute('PRAGMA synchronous=OFF')
            db.executescript(SCHEMA)
            self._local.db = db
        return db

    def put(self, kind, thing, owner, public=False):
        """Records a thing, or replaces the one with its id."""
        self._db().execute(
            'INSERT INTO things VALUES (?,?,?,?,?,?,?) ON CONFLICT (kind, id) DO UPDATE SET '
            'owner=excluded.owner, name=excluded.name, public=excluded.public, data=excluded.data',
            (kind, thing['id'], owner or '', thing.get('name') or '', int(public), now(), json.dumps(thing)))

    def change(self, kind, identity, **values):
        """Sets values of a thing; does nothing when it is gone."""
        db = self._db()
        db.execute('BEGIN IMMEDIATE')
        try:
            row = db.execute('SELECT data FROM things WHERE kind=? AND id=?', (kind, identity)).fetchone()
            if row:
                thing = {**json.loads(row[0]), **values}
                db.execute('UPDATE things SET data=?, name=? WHERE kind=? AND id=?',
                           (json.dumps(thing), thing.get('name') or '', kind, identity))
            db.execute('COMMIT')
        except BaseException:
            db.execute('ROLLBACK')
            raise

    def get(self, kind, identity):
        """The thing with that id, or None; whoever owns it."""
        row = self._db().execute('SELECT data FROM things WHERE kind=? AND id=?', (kind, identity)).fetchone()
        return json.loads(row[0]) if row else None

    def remove(self, kind, identity):
        """Forgets a thing and gives back its addresses."""
        self._db().execute('DELETE FROM things WHERE kind=? AND id=?', (kind, identity))
        self.release(identity)

    def seen_by(self, kind, owner, admin=False):
        """Things of a kind that the owner may see, oldest first; an administrator sees all."""
        rows = self._db().execute(
            'SELECT data FROM things WHERE kind=? AND (owner=? OR public OR ?) ORDER BY created, rowid',
            (kind, owner or '', bool(admin)))
        return [json.loads(row[0]) for row in rows]

    def owned_by(self, kind, owner):
        """Things of a kind that belong to the owner."""
        rows = self._db().execute('SELECT data FROM things WHERE kind=? AND owner=?', (kind, owner or ''))
        return [json.loads(row[0]) for row in rows]

    def all(self, kind):
        """All things of a kind, whoever owns them."""
        return [json.loads(row[0]) for row in self._db().execute('SELECT data FROM things WHERE kind=?', (kind,))]

    def find(self, kind, value, owner, admin=False):
        """The one thing with that id, or else that name, which the owner may see."""
        rows = self._db().execute(
            'SELECT id, data FROM things WHERE kind=? AND (id=? OR name=?) AND (owner=? OR public OR ?)',
            (kind, str(value), str(value), owner or '', bool(admin))).fetchall()
        rows = [row for row in rows if row[0] == str(value)] or rows
        if not rows:
            raise NotFound('%s %s could not be found.' % (kind, value))
        if len(rows) > 1:
            raise Ambiguous('Multiple %ss found with name %s.' % (kind, value))
        return json.loads(rows[0][1])

    def subnets_of(self, network):
        """The subnets of a network."""
        rows = self._db().execute("SELECT data FROM things WHERE kind='subnet' ORDER BY created, rowid")
        return [s for s in (json.loads(row[0]) for row in rows) if s['network_id'] == network]

    def allocate(self, subnet, holder, wanted=None):
        """Takes an address of a subnet for a holder (a port's id): the wanted one, or the lowest free one."""
        net = ipaddress.ip_network(subnet['cidr'])
        reserved = {subnet.get('gateway_ip'), str(net.network_address), str(net.broadcast_address)}
        db = self._db()
        db.execute('BEGIN IMMEDIATE')
        try:
            taken = {row[0] for row in db.execute('SELECT address FROM addresses WHERE subnet=?', (subnet['id'],))}
            address = self._choose(net, taken, reserved, wanted)
            db.execute('INSERT INTO addresses VALUES (?,?,?)', (subnet['id'], address, holder))
            db.execute('COMMIT')
        except BaseException:
            db.execute('ROLLBACK')
            raise
        return address

    @staticmethod
    def _choose(net, taken, reserved, wanted):
        if wanted:
            if ipaddress.ip_address(wanted) not in net:
                raise AddressError('IP address %s is not a valid IP for the specified subnet.' % wanted)
            if wanted in taken:
                raise AddressError('IP address %s already allocated in subnet %s' % (wanted, net))
            return wanted
        for host in net.hosts():
            if str(host) not in taken and str(host) not in reserved:
                return str(host)
        raise AddressError('No more IP addresses available on network %s.' % net)

    def holders(self, subnet):
        """Who holds addresses of a subnet."""
        return [row[0] for row in self._db().execute('SELECT holder FROM addresses WHERE subnet=? ORDER BY 1', (subnet,))]

    def release(self, holder):
        """Gives back all addresses of a holder."""
        self._db().execute('DELETE FROM addresses WHERE holder=?', (holder,))

    def everything(self):
        """(kind, id, owner, name) of all things, sorted."""
        return self._db().execute('SELECT kind, id, owner, name FROM things ORDER BY 1, 4, 2').fetchall()
