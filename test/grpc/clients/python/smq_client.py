"""Runs what SMQ's users do with pysmq, and prints what came of each step as a line of JSON."""

import json
import os
import sys
import threading

from pysmq.client import Client
from pysmq.config import ClientTLSConfig
from pysmq.exceptions import SMQConsumeError, SMQException, SMQProduceError, SMQTopicCreationError
from pysmq.proto import smq_pb2, smq_pb2_grpc


def say(step, value):
    print(json.dumps([step, value]), flush=True)


def refusal(action, *arguments):
    """The kind and the text of the error that an action ends with."""
    try:
        action(*arguments)
    except SMQException as error:
        return [type(error).__name__, str(error)]
    return None


def publish(client):
    client.connect()
    client.create_topic("example-topic")
    client.create_topic("example-topic")
    offsets = []
    for number in range(12):
        offsets.append(client.produce("example-topic", json.dumps({"id": number}).encode()))
    say("publish", offsets)


def subscribe(client):
    say("latest", client.consume_latest("example-topic")[1])
    say("earliest", client.consume_earliest("example-topic")[1])
    message, offset = client.consume("example-topic", 5)
    say("consume", [json.loads(message)["id"], offset])
    found = []
    for message, offset in client.stream_consume("example-topic", start_offset=0):
        found.append([json.loads(message)["id"], offset])
        if offset >= 10:
            break
    say("stream", found)


def follow(client):
    """A stream goes on at the end of the topic, also past an empty message."""
    client.create_topic("my-topic")
    found = []
    stream = client.stream_consume("my-topic", 0)

    def produce():
        for message in [b"a", b"", b"b"]:
            client.produce("my-topic", message)

    producer = threading.Timer(0.2, produce)
    producer.start()
    for message, offset in stream:
        found.append([message.decode(), offset])
        if offset == 3:
            break
    producer.join()
    say("follow", found)


def stream_produce(client):
    requests = (smq_pb2.ProduceRequest(topic="my-topic", message=str(n).encode()) for n in range(1000))
    say("stream-produce", client._stub.StreamProduce(requests).offset)


def bulk(client):
    answer = client.bulk_retrieve("example-topic", 2, 3)
    say("bulk", [[m.offset for m in answer.messages], answer.count, answer.next_offset])
    client.delete_until_offset("example-topic", 4)
    say("after-delete", [client.get_earliest_offset("example-topic"), client.get_latest_offset("example-topic")])


def refusals(client):
    client.create_topic("empty-topic")
    say("refusals", [
        refusal(client.create_topic, "no such name"),
        refusal(client.produce, "none", b"x"),
        refusal(client.consume, "example-topic", 1),
        refusal(client.consume, "example-topic", 99),
        refusal(client.consume_latest, "empty-topic"),
        refusal(client.bulk_retrieve, "none", 0, 1),
    ])


def large(client):
    client.create_topic("large")
    size = int(os.environ.get("LARGE_BYTES", "0"))
    block = os.urandom(1 << 20)
    message = block * (size >> 20)
    offset = client.produce("large", message)
    say("large", [offset, client.consume("large", offset)[0] == message])
    client.produce("large", message)
    answer = client.bulk_retrieve("large", 0, 0)
    say("large-bulk", [answer.count, all(found.message == message for found in answer.messages)])


def rights(client):
    """What a user may do with a topic of its own, and what it is told of another's."""
    client.create_topic("own")
    say("own", [client.produce("own", b"x"), client.consume("own", 1)[0].decode()])
    say("others", [
        refusal(client.create_topic, "others-new"),
        refusal(client.produce, "others", b"x"),
        refusal(client.consume, "others", 1),
        refusal(client.bulk_retrieve, "others", 0, 1),
        refusal(client.delete_until_offset, "others", 1),
        refusal(lambda: next(client.stream_consume("others", 0))),
    ])


STEPS = {
    "all": [publish, subscribe, follow, stream_produce, bulk, refusals],
    "secure": [publish, subscribe],
    "rights": [rights],
    "large": [large],
    "connect": [lambda client: say("connect", refusal(client.connect))],
}

port, steps = int(sys.argv[1]), STEPS[sys.argv[2]]
tls = None
if len(sys.argv) > 3:
    ca, cert, key = sys.argv[3:6]
    tls = ClientTLSConfig(cert_file=cert, key_file=key, ca_file=ca)
with Client(host="localhost", port=port, tls_config=tls) as client:
    for step in steps:
        step(client)
