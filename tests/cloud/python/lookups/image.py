"""Glance v2: images by id and by filters."""
import re

from .request import Refusal, matches

PREFIX, VERSION = '/image', 'v2'
NO_FILTERS = {'limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'os_hidden', 'member_status', 'changes-since'}


def error(status, message):
    """An error as Glance words it."""
    return {'code': '%d' % status, 'title': 'Error', 'message': message}


def versions(base):
    """The version documents: of the service, and of the version."""
    one = {'id': 'v2.17', 'status': 'CURRENT', 'links': [{'rel': 'self', 'href': base + '/v2/'}]}
    return {'versions': [one]}, {'versions': [one]}


def listed(request, store):
    """GET /images; any other query key is compared with the image's property of that name."""
    rows = store.seen_by('image', request.asker.project_id, request.asker.admin)
    hidden = (request.value('os_hidden') or 'false').lower() == 'true'
    rows = [row for row in rows if bool(row.get('os_hidden')) == hidden]
    for key, value in request.query:
        if key not in NO_FILTERS:
            wanted = [item.strip('"') for item in value[3:].split(',')] if value.startswith('in:') else [value]
            rows = [row for row in rows if matches(row, key, wanted)]
    page, more = request.page(rows)
    answer = {'images': page, 'first': '/v2/images', 'schema': '/v2/schemas/images'}
    if more:
        answer['next'] = request.next_link('/v2/images', page[-1]['id'])
    return 200, answer


def schema(store):
    """GET /schemas/image."""
    names = {'id', 'name', 'status', 'visibility', 'owner', 'tags', 'min_ram', 'min_disk', 'size', 'os_distro'}
    kinds = {'type': ['null', 'string', 'integer', 'boolean', 'array']}
    return 200, {'name': 'image', 'properties': {name: kinds for name in sorted(names)}, 'additionalProperties': {'type': 'string'}, 'links': []}


def answer(request, store):
    """Routes a request under /v2."""
    if request.method != 'GET':
        raise Refusal(405, 'This stand-in does not change images')
    if request.path == '/images':
        return listed(request, store)
    if request.path == '/schemas/image':
        return schema(store)
    found = re.fullmatch(r'/images/([^/]+)', request.path)
    if found:
        rows = [row for row in store.seen_by('image', request.asker.project_id, request.asker.admin) if row['id'] == found[1]]
        if rows:
            return 200, rows[0]
        raise Refusal(404, 'No image found with ID %s' % found[1])
    raise Refusal(404, 'The resource could not be found.')
