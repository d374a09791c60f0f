"""A request to a stand-in, the asker behind it, and the answers' common forms."""
import json
from urllib.parse import parse_qsl


class Refusal(Exception):
    """An error answer: HTTP status and message."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


class Asker:
    """Whom a valid token speaks for."""

    def __init__(self, token):
        project = token.get('project') or {}
        self.user_id = token['user']['id']
        self.project_id = project.get('id', '')
        self.project_name = project.get('name', '')
        self.roles = {role['name'] for role in token.get('roles', [])}
        self.admin = 'admin' in self.roles


class Request:
    """One request after authentication; `path` is what follows the service's version prefix."""

    def __init__(self, method, path, query, body, asker, base):
        self.method, self.path, self.asker, self.base = method, path, asker, base
        self.query = parse_qsl(query, keep_blank_values=True)
        self._body = body

    def json(self, key):
        """The object under a key of the body."""
        try:
            value = json.loads(self._body or b'{}')[key]
        except (ValueError, KeyError, TypeError):
            raise Refusal(400, 'The body must be a JSON object with the key %s' % key)
        if not isinstance(value, dict):
            raise Refusal(400, '%s must be an object' % key)
        return value

    def values(self, key):
        """All values of a query key."""
        return [value for name, value in self.query if name == key]

    def value(self, key, default=None):
        """The last value of a query key."""
        return (self.values(key) or [default])[-1]

    def require_roles(self, *roles):
        """Refuses an asker that has none of the roles and is no administrator."""
        if not self.asker.admin and not self.asker.roles & set(roles):
            raise Refusal(403, 'You are not authorized to perform the requested action.')

    def page(self, rows, largest=1000):
        """One page of rows by `limit` and `marker`, and whether more follow."""
        marker = self.value('marker')
        if marker:
            ids = [row['id'] for row in rows]
            if marker not in ids:
                raise Refusal(400, 'marker [%s] not found' % marker)
            rows = rows[ids.index(marker) + 1:]
        try:
            limit = int(self.value('limit', largest))
        except ValueError:
            raise Refusal(400, 'limit must be an integer: %s' % self.value('limit'))
        if limit < 0:
            raise Refusal(400, 'limit must be positive: %s' % limit)
        limit = min(limit, largest) or largest
        return rows[:limit], len(rows) > limit

    def next_link(self, path, last):
        """The address of the page after the row with id `last`."""
        rest = ['%s=%s' % pair for pair in self.query if pair[0] != 'marker']
        return '%s?%s' % (path, '&'.join(rest + ['marker=' + last]))


def matches(row, key, values):
    """Whether a row's field has one of the values, as query strings write them."""
    has = row.get(key)
    if isinstance(has, bool):
        return any(value.lower() in (('true', '1', 't', 'yes') if has else ('false', '0', 'f', 'no')) for value in values)
    return str(has if has is not None else '') in values
