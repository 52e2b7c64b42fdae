"""Connects with paho: port version user password [method]. Prints how the broker answered."""
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

port, version, user, password = sys.argv[1:5]
VERSIONS = {"3": mqtt.MQTTv31, "4": mqtt.MQTTv311, "5": mqtt.MQTTv5}
done = threading.Event()


def on_connect(client, userdata, flags, reason, properties):
    print(reason)
    done.set()


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=VERSIONS[version])
client.on_connect = on_connect
properties = None
if len(sys.argv) > 5:
    # paho knows no AUTH packets, so the method is one that CONNECT is enough for.
    properties = Properties(PacketTypes.CONNECT)
    properties.AuthenticationMethod = sys.argv[5]
    properties.AuthenticationData = f"\0{user}\0{password}".encode()
else:
    client.username_pw_set(user, password)
client.connect("localhost", int(port), properties=properties)
client.loop_start()
done.wait(20)
client.loop_stop()
