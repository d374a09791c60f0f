"""Cinder v3: volume types, volumes, limits and quotas. The project may stand in the path, as older catalogs have it."""
import re

from .request import Refusal
from fakecloud import faults

PREFIX, VERSION = '/volume', 'v3'
DEFAULT_QUOTA = {'volumes': 100, 'gigabytes': 10000, 'snapshots': 100, 'backups': 10, 'backup_gigabytes': 1000}


def error(status, message):
    """An error as Cinder words it."""
    name = {400: 'badRequest', 403: 'forbidden', 404: 'itemNotFound'}.get(status, 'computeFault')
    return {name: {'code': status, 'message': message}}


def versions(base):
    """The version documents: of the service, and of the version."""
    one = {'id': 'v3.0', 'status': 'CURRENT', 'version': '3.71', 'min_version': '3.0', 'links': [{'rel': 'self', 'href': base + '/v3/'}]}
    return {'versions': [one]}, {'versions': [one]}


def limits(request, store):
    """GET /limits: the project's quota and use."""
    project = request.asker.project_id
    volumes = store.owned_by('volume', project)
    quota = {**DEFAULT_QUOTA, **faults.quota(project, request.asker.project_name)}
    return 200, {'limits': {'rate': [], 'absolute': {
        'maxTotalVolumes': quota['volumes'], 'maxTotalVolumeGigabytes': quota['gigabytes'], 'maxTotalSnapshots': quota['snapshots'],
        'maxTotalBackups': quota['backups'], 'maxTotalBackupGigabytes': quota['backup_gigabytes'], 'totalVolumesUsed': len(volumes),
        'totalGigabytesUsed': sum(volume.get('size') or 0 for volume in volumes), 'totalSnapshotsUsed': 0, 'totalBackupsUsed': 0,
        'totalBackupGigabytesUsed': 0}}}


def types(request, store, wanted):
    """GET /types and /types/{id}; `default` is the default type."""
    rows = store.seen_by('volume_type', request.asker.project_id, request.asker.admin)
    if wanted is None:
        return 200, {'volume_types': request.page(rows)[0]}
    rows = [row for row in rows if wanted in (row['id'], 'default')]
    if not rows:
        raise Refusal(404, 'Volume type %s could not be found.' % wanted)
    return 200, {'volume_type': rows[0]}


def answer(request, store):
    """Routes a request under /v3."""
    if request.method != 'GET':
        raise Refusal(405, 'This stand-in does not change %s' % request.path)
    path = request.path
    project = request.asker.project_id
    named = re.match(r'/([0-9a-f]{32})(/.*)', path)
    if named:
        if named[1] != project:
            raise Refusal(400, 'Malformed request url: the project of the path is not that of the token')
        path = named[2]
    found = re.fullmatch(r'/types(?:/([^/]+))?', path)
    if found:
        return types(request, store, found[1])
    if path == '/limits':
        return limits(request, store)
    found = re.fullmatch(r'/volumes(?:/(detail)|/([^/]+))?', path)
    if found and found[2]:
        rows = [row for row in store.owned_by('volume', project) if row['id'] == found[2]]
        if rows:
            return 200, {'volume': rows[0]}
        raise Refusal(404, 'Volume %s could not be found.' % found[2])
    if found:
        return 200, {'volumes': request.page(store.owned_by('volume', project))[0]}
    if re.fullmatch(r'/snapshots(/detail)?', path):
        return 200, {'snapshots': []}
    found = re.fullmatch(r'/os-quota-sets/([^/]+)', path)
    if found and (found[1] == project or request.asker.admin):
        quota = {**DEFAULT_QUOTA, **faults.quota(found[1], request.asker.project_name)}
        return 200, {'quota_set': {'id': found[1], **quota}}
    raise Refusal(404, 'The resource could not be found.')
