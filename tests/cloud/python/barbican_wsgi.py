"""Barbican as a WSGI application with the paste file of this cloud."""
import os

from paste import deploy

application = deploy.loadapp('config:%s/etc/barbican/barbican-api-paste.ini' % os.environ['CLOUD_DIR'])
