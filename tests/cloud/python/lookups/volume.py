"""Cinder v3: volume types, volumes, limits and quotas. The project may stand in the path, as older catalogs have it.

Volumes and attachments can be made here, as the full cloud's real Nova does for its servers' block devices.
"""
import re
import uuid

from .request import Refusal
from fakecloud import faults
from fakecloud.store import now

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


def volumes(request, store, identity):
    """/volumes, /volumes/detail and /volumes/{id}: list, show, make, delete."""
    project = request.asker.project_id
    if identity in (None, 'detail'):
        if request.method == 'POST':
            return make(request, store)
        return 200, {'volumes': request.page(store.owned_by('volume', project))[0]}
    found = store.get('volume', identity)
    if found is None or found['project_id'] != project and not request.asker.admin:
        raise Refusal(404, 'Volume %s could not be found.' % identity)
    if request.method == 'DELETE':
        if found['status'] == 'in-use':
            raise Refusal(400, 'Invalid volume: Volume status must be available or error.')
        store.remove('volume', identity)
        return 202, None
    return 200, {'volume': found}


def make(request, store):
    """POST /volumes."""
    given, project = request.json('volume'), request.asker.project_id
    if not isinstance(given.get('size'), int) or given['size'] < 1:
        raise Refusal(400, 'Invalid volume size provided for create request: %s' % given.get('size'))
    image = store.get('image', given.get('imageRef') or '')
    made = {'id': str(uuid.uuid4()), 'name': given.get('name') or '', 'description': given.get('description') or '', 'size': given['size'],
            'status': 'available', 'availability_zone': given.get('availability_zone') or 'nova', 'volume_type': given.get('volume_type') or 'lvmdriver-1',
            'metadata': given.get('metadata') or {}, 'bootable': 'true' if given.get('imageRef') else 'false', 'encrypted': False,
            'multiattach': False, 'attachments': [], 'snapshot_id': None, 'source_volid': None, 'project_id': project,
            'user_id': request.asker.user_id, 'created_at': now(), 'volume_image_metadata': image and {'image_id': image['id'], 'image_name': image['name']} or {}}
    store.put('volume', made, project)
    return 202, {'volume': made}


def attachments(request, store, identity, action):
    """/attachments: Nova reserves a volume for a server, connects it, completes, and lets it go."""
    if identity is None:
        given = request.json('attachment')
        volume = store.get('volume', given.get('volume_uuid') or '')
        if volume is None:
            raise Refusal(404, 'Volume %s could not be found.' % given.get('volume_uuid'))
        made = {'id': str(uuid.uuid4()), 'volume_id': volume['id'], 'instance': given.get('instance_uuid'), 'status': 'reserved',
                'attach_mode': given.get('mode') or 'rw', 'attached_at': now(), 'detached_at': '', 'connection_info': {}}
        store.put('attachment', {**made, 'created_at': now()}, request.asker.project_id)
        store.change('volume', volume['id'], status='reserved')
        return 200, {'attachment': made}
    found = store.get('attachment', identity)
    if found is None:
        raise Refusal(404, 'Volume attachment could not be found with filter: attachment_id = %s' % identity)
    if request.method == 'DELETE':
        store.remove('attachment', identity)
        store.change('volume', found['volume_id'], status='available', attachments=[])
        return 200, {'attachments': []}
    if action:
        store.change('volume', found['volume_id'], status='in-use', attachments=[
            {'attachment_id': identity, 'volume_id': found['volume_id'], 'id': found['volume_id'], 'server_id': found['instance'], 'device': '/dev/vdb'}])
        return 204, None
    if request.method == 'PUT':
        found['connection_info'] = {'driver_volume_type': 'fake', 'volume_id': found['volume_id'], 'attachment_id': identity}
        store.change('attachment', identity, connection_info=found['connection_info'], status='attaching')
    return 200, {'attachment': found}


def answer(request, store):
    """Routes a request under /v3."""
    path = request.path
    project = request.asker.project_id
    named = re.match(r'/([0-9a-f]{32})(/.*)', path)
    if named:
        if named[1] != project:
            raise Refusal(400, 'Malformed request url: the project of the path is not that of the token')
        path = named[2]
    found = re.fullmatch(r'/volumes(?:/([^/]+))?', path)
    if found:
        return volumes(request, store, found[1])
    found = re.fullmatch(r'/attachments(?:/([^/]+)(/action)?)?', path)
    if found:
        return attachments(request, store, found[1], found[2])
    if request.method != 'GET':
        raise Refusal(405, 'This stand-in does not change %s' % request.path)
    found = re.fullmatch(r'/types(?:/([^/]+))?', path)
    if found:
        return types(request, store, found[1])
    if path == '/limits':
        return limits(request, store)
    if re.fullmatch(r'/snapshots(/detail)?', path):
        return 200, {'snapshots': []}
    found = re.fullmatch(r'/os-quota-sets/([^/]+)', path)
    if found and (found[1] == project or request.asker.admin):
        quota = {**DEFAULT_QUOTA, **faults.quota(found[1], request.asker.project_name)}
        return 200, {'quota_set': {'id': found[1], **quota}}
    raise Refusal(404, 'The resource could not be found.')
