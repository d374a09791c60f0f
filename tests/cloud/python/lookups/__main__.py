"""The server: authentication at Keystone, ordered faults, routing by service. Arguments: host, port, Keystone URL, access log."""
import hashlib
import json
import sys
import threading
import time

import requests
from cheroot import wsgi

from . import compute, image, loadbalancer, network, volume
from .request import Asker, Refusal, Request
from fakecloud import faults
from layout import password
from fakecloud.store import AddressError, Store

SERVICES = {'compute': compute, 'image': image, 'network': network, 'volume': volume, 'load-balancer': loadbalancer}
REASONS = {200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content', 300: 'Multiple Choices'}


class Keystone:
    """Validates tokens; a token's word counts for up to 30 seconds."""

    KEEP = 30

    def __init__(self, url):
        self.url, self.session, self.known, self.lock = url, requests.Session(), {}, threading.Lock()
        self.session.trust_env, self.own = False, None

    def validated(self, token):
        """Keystone's answer to the question whose token this is."""
        own = self.own or self.login()
        return self.session.get(self.url + '/auth/tokens', headers={'X-Auth-Token': own, 'X-Subject-Token': token}, timeout=30)

    def login(self):
        """A token of a service's own."""
        domain = {'name': 'Default'}
        user = {'name': 'nova', 'domain': domain, 'password': password('nova')}
        auth = {'identity': {'methods': ['password'], 'password': {'user': user}}, 'scope': {'project': {'name': 'service', 'domain': domain}}}
        answer = self.session.post(self.url + '/auth/tokens', json={'auth': auth}, timeout=30)
        answer.raise_for_status()
        self.own = answer.headers['X-Subject-Token']
        return self.own

    def asker(self, token):
        """Whom a token speaks for; None when Keystone does not accept it."""
        key = hashlib.sha256(token.encode('utf-8', 'replace')).hexdigest()
        with self.lock:
            found = self.known.get(key)
            if found and found[0] > time.monotonic():
                return found[1]
        # As real services do, with a login of its own: a token of somebody who stands for another may not validate itself.
        answer = self.validated(token)
        if answer.status_code == 401:
            self.own = None
            answer = self.validated(token)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        asker = Asker(answer.json()['token'])
        with self.lock:
            if len(self.known) > 5000:
                self.known.clear()
            self.known[key] = (time.monotonic() + self.KEEP, asker)
        return asker


class App:
    """The WSGI application."""

    def __init__(self, keystone, log):
        self.keystone, self.store, self.log, self.lock = keystone, Store(), log, threading.Lock()

    def __call__(self, environ, start_response):
        begun = time.time()
        status, headers, body = self.respond(environ)
        start_response('%d %s' % (status, REASONS.get(status, 'Error')), headers + [('Content-Length', str(len(body)))])
        query = environ.get('QUERY_STRING')
        with self.lock:
            self.log.write('%.3f %s %s%s %d %.0fms "%s"\n' % (
                begun, environ['REQUEST_METHOD'], environ['PATH_INFO'], '?' + query if query else '', status,
                (time.time() - begun) * 1000, environ.get('HTTP_USER_AGENT', '-')))
        return [body]

    def respond(self, environ):
        """(status, headers, body) of a request, whatever happens."""
        parts = environ['PATH_INFO'].split('/', 2)
        name = parts[1] if len(parts) > 1 else ''
        service = SERVICES.get(name)
        if service is None:
            return self.answer(None, 404, {'error': 'no such service; known are ' + ', '.join(SERVICES)})
        try:
            status, value = self.ordered_fault(name, environ) or self.routed(service, environ, '/' + (parts[2] if len(parts) > 2 else ''))
        except Refusal as refusal:
            status, value = refusal.status, service.error(refusal.status, refusal.message)
        except AddressError as error:
            status, value = 409, service.error(409, str(error))
        except requests.RequestException as error:
            status, value = 503, service.error(503, 'Keystone does not answer: %s' % error)
        return self.answer(service, status, value)

    @staticmethod
    def ordered_fault(name, environ):
        """What the faults file orders for this request, if anything is to replace the answer."""
        query = environ.get('QUERY_STRING')
        target = environ['PATH_INFO'] + ('?' + query if query else '')
        rule = faults.for_request(name, environ['REQUEST_METHOD'], target, environ.get('HTTP_USER_AGENT', ''))
        time.sleep(float(rule.get('delay') or 0))
        return (int(rule['status']), rule.get('body', {'error': 'ordered by the faults file'})) if rule.get('status') else None

    def routed(self, service, environ, path):
        """Version documents for everybody, everything else with a valid token."""
        base = 'http://%s%s' % (environ['HTTP_HOST'], service.PREFIX)
        every, one = service.versions(base)
        if path == '/':
            return (300 if service is image else 200), every
        prefix = '/' + service.VERSION
        if service is loadbalancer and not path.startswith(prefix):
            prefix = '/v2'
        if path.rstrip('/') == prefix:
            return 200, one
        token = environ.get('HTTP_X_AUTH_TOKEN')
        asker = self.keystone.asker(token) if token else None
        if asker is None:
            raise Refusal(401, 'The request you have made requires authentication.')
        if not path.startswith(prefix + '/'):
            raise Refusal(404, 'The resource could not be found.')
        length = int(environ.get('CONTENT_LENGTH') or 0)
        body = environ['wsgi.input'].read(length) if length else b''
        return service.answer(Request(environ['REQUEST_METHOD'], path[len(prefix):], environ.get('QUERY_STRING', ''), body, asker, base), self.store)

    def answer(self, service, status, value):
        """Headers and body for a value."""
        headers = [('Content-Type', 'application/json')]
        if status == 401:
            headers.append(('WWW-Authenticate', 'Keystone uri="%s"' % self.keystone.url))
        if service is compute:
            headers.append(('OpenStack-API-Version', 'compute 2.1'))
        if status == 503:
            headers.append(('Retry-After', '1'))
        return status, headers, b'' if value is None else value.encode() if isinstance(value, str) else json.dumps(value).encode()


def main():
    """Serves until ended."""
    host, port, keystone, path = sys.argv[1:5]
    with open(path, 'a', buffering=1, encoding='utf-8') as log:
        wsgi.Server((host, int(port)), App(Keystone(keystone), log), numthreads=16, request_queue_size=128).start()


if __name__ == '__main__':
    main()
