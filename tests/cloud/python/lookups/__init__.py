"""Stand-ins for what Jeroboam and the clients look up in Nova, Glance, Neutron, Cinder and Octavia.

One process, one port, a path prefix per service. Every request needs a token, which is validated at Keystone; what it shows
is limited to the token's project (to its user for keypairs). Data comes from `fakecloud.store`.
"""
