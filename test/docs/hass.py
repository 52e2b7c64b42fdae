"""Speaks MQTT as Home Assistant does with its defaults: 3.1.1, paho-mqtt, QoS 0, birth and will at homeassistant/status.

It subscribes to the topics of discovery, then to the topics of each entity that it finds there. When it ends it closes its
connection without DISCONNECT, so that the broker publishes its will.
"""

import json
import signal
import sys

import paho.mqtt.client as mqtt

STATUS = "homeassistant/status"
DISCOVERY = ["homeassistant/+/+/config", "homeassistant/+/+/+/config", "homeassistant/device/+/config"]


def connected(client, _userdata, _flags, reason, _properties):
    if reason.is_failure:
        sys.exit(f"refused: {reason}")
    client.subscribe([(topic, 0) for topic in DISCOVERY])
    client.publish(STATUS, "online", qos=0, retain=False)
    print("Home Assistant is connected", flush=True)


def message(client, _userdata, found):
    if not found.topic.endswith("/config") or found.payload == b"":
        return
    entity = json.loads(found.payload)
    topics = [entity["state_topic"], entity.get("availability_topic")]
    client.subscribe([(topic, entity.get("qos", 0)) for topic in topics if topic])


def leave(*_):
    client.socket().close()
    sys.exit(0)


port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="home-assistant", protocol=mqtt.MQTTv311, reconnect_on_failure=False)
client.username_pw_set(user, password)
client.will_set(STATUS, "offline", qos=0, retain=False)
client.on_connect = connected
client.on_message = message
signal.signal(signal.SIGINT, leave)
signal.signal(signal.SIGTERM, leave)
client.connect("localhost", port, 60)
client.loop_forever()
