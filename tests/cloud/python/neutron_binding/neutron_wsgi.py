"""Neutron as a WSGI application that is ready for whichever request comes first."""
from neutron.wsgi.api import application  # noqa: F401
from sqlalchemy import orm

# A listing of ports reads attributes that are there only once the mappers are configured, which any other request does.
orm.configure_mappers()
