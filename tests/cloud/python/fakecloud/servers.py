"""What is worked out about a fake server from its ports."""


def addresses(store, server):
    """Network name -> addresses, fixed and floating, as Nova shows them; with the port and the network of each."""
    floating = store.owned_by('floatingip', server['project_id'])
    shown = {}
    for identity in server.get('ports') or []:
        port = store.get('port', identity) if identity else None
        if port is None:
            continue
        network = store.get('network', port['network_id']) or {'name': port['network_id']}
        found = [(ip['ip_address'], 'fixed') for ip in port['fixed_ips']]
        found += [(f['floating_ip_address'], 'floating') for f in floating if f.get('port_id') == identity]
        for address, sort in found:
            shown.setdefault(network['name'], []).append({
                'addr': address, 'version': 6 if ':' in address else 4, 'OS-EXT-IPS:type': sort,
                'OS-EXT-IPS-MAC:mac_addr': port['mac_address'], 'port': identity, 'network_id': port['network_id']})
    return shown
