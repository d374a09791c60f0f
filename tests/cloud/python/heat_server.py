"""Real heat-engine, heat-api and heat-api-cfn in one process, without a message broker.

Heat's engine runs on native threads, so the in-memory messaging driver (`transport_url = fake://`) carries the calls between
the APIs and the engine as long as all share a process. Arguments: configuration file, host, port, CloudFormation port,
access log.
"""
import os
import signal
import sys
import threading
import time

from oslo_service import backend

backend.init_backend(backend.BackendType.THREADING)

import oslo_i18n  # noqa: E402
import oslo_messaging._drivers.impl_fake as fake_driver  # noqa: E402
from cheroot import wsgi  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_log import log  # noqa: E402


class _Bell:
    """Rung by each message. The in-memory driver's listeners look every 50 ms; in place of sleeping they wait for the bell."""

    def __init__(self):
        self.rings, self.changed, self.heard = 0, threading.Condition(), threading.local()

    def __getattr__(self, name):
        return getattr(time, name)

    def ring(self):
        with self.changed:
            self.rings += 1
            self.changed.notify_all()

    def sleep(self, seconds):
        """Ends early when there was a message since this thread last came back from here, as it may not have seen that one."""
        with self.changed:
            self.changed.wait_for(lambda: self.rings != getattr(self.heard, 'rings', None), seconds)
            self.heard.rings = self.rings


def _ringing(deliver, bell):
    def deliver_message(*arguments, **named):
        deliver(*arguments, **named)
        bell.ring()
    return deliver_message


fake_driver.time = _Bell()
fake_driver.FakeExchange.deliver_message = _ringing(fake_driver.FakeExchange.deliver_message, fake_driver.time)

from heat import version  # noqa: E402
from heat.common import config, messaging, profiler  # noqa: E402
from heat.engine import template  # noqa: E402
from heat.rpc import api as rpc_api  # noqa: E402


def configure(path):
    """Reads the configuration as heat-engine does."""
    oslo_i18n.enable_lazy()
    log.register_options(cfg.CONF)
    cfg.CONF([], project='heat', prog='heat-engine', default_config_files=[path],
             version=version.version_info.version_string())
    log.setup(cfg.CONF, 'heat')
    config.set_config_defaults()
    messaging.setup()
    config.startup_sanity_check()
    template._get_template_extension_manager()
    profiler.setup('heat', cfg.CONF.host)


def logged(app, file, lock):
    """Writes one line per request: time, verb, path, status, milliseconds, user agent."""
    def inner(environ, start_response):
        begun, status = time.time(), ['-']

        def start(line, headers, *exc):
            status[0] = line.split()[0]
            return start_response(line, headers, *exc)
        try:
            return app(environ, start)
        finally:
            query = environ.get('QUERY_STRING')
            with lock:
                file.write('%.3f %s %s%s %s %.0fms "%s"\n' % (
                    begun, environ['REQUEST_METHOD'], environ.get('SCRIPT_NAME', '') + environ['PATH_INFO'],
                    '?' + query if query else '', status[0], (time.time() - begun) * 1000, environ.get('HTTP_USER_AGENT', '-')))
    return inner


def main():
    """Starts the engine and serves both APIs until a signal."""
    path, host, port, cfn_port, access_log = sys.argv[1:6]
    configure(path)
    from heat.engine import service
    engine = service.EngineService(cfg.CONF.host, rpc_api.ENGINE_TOPIC)
    engine.start()
    lock = threading.Lock()
    with open(access_log, 'a', buffering=1, encoding='utf-8') as file:
        for name, number, threads in (('heat-api', int(port), 16), ('heat-api-cfn', int(cfn_port), 4)):
            server = wsgi.Server((host, number), logged(config.load_paste_app(name), file, lock), numthreads=threads,
                                 request_queue_size=128)
            server.prepare()
            threading.Thread(target=server.serve, daemon=True).start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os._exit(0))
        while True:
            signal.pause()


if __name__ == '__main__':
    main()
