"""Connects with paho: port version user password. Prints how the broker answered."""
import sys
import threading

import paho.mqtt.client as mqtt

port, version, user, password = sys.argv[1:5]
VERSIONS = {"3": mqtt.MQTTv31, "4": mqtt.MQTTv311, "5": mqtt.MQTTv5}
done = threading.Event()


def on_connect(client, userdata, flags, reason, properties):
    print(reason)
    done.set()


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=VERSIONS[version])
client.username_pw_set(user, password)
client.on_connect = on_connect
client.connect("localhost", int(port))
client.loop_start()
done.wait(20)
client.loop_stop()
