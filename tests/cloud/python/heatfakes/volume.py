"""Cinder's fake types."""
from .base import Fake, STORE


class Volume(Fake):
    """OS::Cinder::Volume."""

    asynchronous = True

    def describe(self, identity):
        return {'status': 'available', 'size': self.properties['size'], 'volume_type': self.properties['volume_type'],
                'metadata': self.properties['metadata'] or {}, 'bootable': 'true' if self.properties['image'] else 'false',
                'encrypted': False, 'attachments': [], 'snapshot_id': self.properties['snapshot_id'], 'multiattach': False,
                'source_volid': self.properties['source_volid'],
                'availability_zone': self.properties['availability_zone'] or 'nova'}

    def _resolve_attribute(self, name):
        shown = self.thing() or {}
        names = {'display_name': 'name', 'display_description': 'description', 'attachments_list': 'attachments'}
        if name == 'attachments':
            return str(shown.get('attachments', []))
        if name == 'metadata_values':
            return shown.get('metadata')
        return shown.get(names[name]) if name in names else super()._resolve_attribute(name)


class VolumeAttachment(Fake):
    """OS::Cinder::VolumeAttachment."""

    asynchronous = True

    def became_active(self):
        server, volume = self.properties['instance_uuid'], self.properties['volume_id']
        STORE.change('volume', volume, status='in-use', attachments=[
            {'server_id': server, 'volume_id': volume, 'attachment_id': self.resource_id, 'device': self.properties['mountpoint']}])

    def gone(self):
        STORE.change('volume', self.properties['volume_id'], status='available', attachments=[])


BEHAVIOURS = {'OS::Cinder::Volume': Volume, 'OS::Cinder::VolumeAttachment': VolumeAttachment}
