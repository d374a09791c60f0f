"""Reads notifications as services of the cloud do, by oslo.messaging, and prints each as a line of JSON.

Usage: listen.py URL; ends when its standard input closes.
"""

import json
import sys
import threading

import oslo_messaging
from oslo_config import cfg


WRITING = threading.Lock()


class Endpoint:
    def _show(self, priority, context, publisher_id, event_type, payload, metadata):
        line = {"priority": priority, "publisher_id": publisher_id, "event_type": event_type, "payload": payload,
                "metadata": metadata, "context": context}
        # Events come by several threads.
        with WRITING:
            print(json.dumps(line, default=str), flush=True)

    def info(self, *arguments):
        self._show("INFO", *arguments)

    def error(self, *arguments):
        self._show("ERROR", *arguments)


conf = cfg.ConfigOpts()
conf([])
transport = oslo_messaging.get_notification_transport(conf, url=sys.argv[1])
conf.set_override("amqp_durable_queues", True, group="oslo_messaging_rabbit")
target = oslo_messaging.Target(topic="notifications", exchange="openstack")
listener = oslo_messaging.get_notification_listener(transport, [target], [Endpoint()], executor="threading")
listener.start()
sys.stdin.read()
listener.stop()
listener.wait()
