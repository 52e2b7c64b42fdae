"""Publishes and receives with paho: URL transport version count. Prints what came, one line each."""
import sys
import threading

import paho.mqtt.client as mqtt

host, port, transport, version, count = sys.argv[1:6]
count = int(count)
VERSIONS = {"3": mqtt.MQTTv31, "4": mqtt.MQTTv311, "5": mqtt.MQTTv5}
topic = f"paho/{transport}/{version}"
done = threading.Event()
lines = []


def on_message(client, userdata, message):
    lines.append(f"{message.topic} {message.payload.decode()} {message.qos}")
    if len(lines) == count:
        done.set()


def on_subscribe(client, *_):
    for index in range(count):
        client.publish(f"{topic}/{index % 3}", str(index), qos=index % 3)


client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2,
    client_id=f"paho-{transport}-{version}",
    protocol=VERSIONS[version],
    transport=transport,
)
if transport == "websockets":
    client.ws_set_options(path="/mqtt")
client.on_message = on_message
client.on_subscribe = on_subscribe
client.on_connect = lambda connected, *_: connected.subscribe(f"{topic}/#", 2)
client.connect(host, int(port))
client.loop_start()
done.wait(20)
client.disconnect()
client.loop_stop()
print("\n".join(lines))
