"""The part of the cloud that is not there: what Nova, Neutron, Cinder, Octavia and Glance would remember.

One SQLite file, shared by the Heat plugin (`heatfakes`), which writes what stacks make, and the look-up stand-ins
(`lookups`), which show it. Standard library only.
"""
