"""kafka-python, new and old."""

import os
import signal
import threading
from itertools import islice

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from lines import BOOTSTRAP, LOGIN, batches, decoded, emit, emit_record, headers_in, input_ended, main, steps

IS_OLD = kafka.__version__ < "3"


def connection():
    """Where the broker is, and how to log in there."""
    settings = {"bootstrap_servers": BOOTSTRAP}
    if LOGIN is None:
        return settings
    settings["security_protocol"] = "SASL_SSL" if "ca" in LOGIN else "SASL_PLAINTEXT"
    settings["sasl_mechanism"] = LOGIN["mechanism"]
    if "ca" in LOGIN:
        settings["ssl_cafile"] = LOGIN["ca"]
    if "token" in LOGIN:
        settings["sasl_oauth_token_provider"] = token_provider(LOGIN["token"])
    else:
        settings["sasl_plain_username"] = LOGIN["user"]
        settings["sasl_plain_password"] = LOGIN["password"]
    return settings


def token_provider(token):
    from kafka.net.sasl.oauth import AbstractTokenProvider

    class Provider(AbstractTokenProvider):
        def token(self):
            return token

    return Provider()


def produce(options):
    settings = connection()
    if "compression" in options:
        settings["compression_type"] = options["compression"]
    if options.get("idempotent"):
        settings["enable_idempotence"] = True
    if "maxBytes" in options:
        settings["max_request_size"] = options["maxBytes"]
    producer = KafkaProducer(**settings)
    for batch in batches():
        futures = [
            producer.send(
                options["topic"],
                key=decoded(record["key"]),
                value=decoded(record["value"]),
                headers=headers_in(record),
                partition=record.get("partition"),
                timestamp_ms=record.get("timestamp"),
            )
            for record in batch
        ]
        producer.flush()
        for future in futures:
            where = future.get(timeout=30)
            emit({"partition": where.partition, "offset": where.offset})
    producer.close()


def consume(options):
    settings = connection()
    if "group" in options:
        settings["group_id"] = options["group"]
    if "maxBytes" in options:
        settings["max_partition_fetch_bytes"] = options["maxBytes"]
    consumer = KafkaConsumer(
        options["topic"], auto_offset_reset="earliest", **settings
    )
    wanted = options.get("count")
    messages = interrupted(consumer, input_ended())
    for message in messages if wanted is None else islice(messages, wanted):
        emit_record(
            message.partition, message.offset, message.timestamp, message.key, message.value, message.headers
        )
    if "group" in options and wanted is not None:
        consumer.commit()
        consumer.close(autocommit=False)
    else:
        consumer.close()


def interrupted(consumer, ended):
    """What comes until the input ends, which is as if somebody presses Ctrl-C.

    To ask for messages with a short patience is no way: kafka-python 3.0.12 forgets an assignment that comes between
    two questions.
    """
    is_waiting = False

    def interrupt(_signal, _frame):
        if is_waiting:
            raise KeyboardInterrupt

    signal.signal(signal.SIGUSR1, interrupt)
    threading.Thread(target=lambda: ended.wait() and os.kill(os.getpid(), signal.SIGUSR1), daemon=True).start()
    while True:
        try:
            is_waiting = True
            if ended.is_set():
                return
            message = next(consumer)
        except KeyboardInterrupt:
            return
        finally:
            is_waiting = False
        yield message


def admin(_options):
    client = KafkaAdminClient(**connection())

    def answer(step):
        handler = OPS.get(step["op"])
        if handler is None or (IS_OLD and step["op"] not in OLD_OPS):
            return None
        try:
            return {"ok": handler(client, step)}
        except KafkaError as error:
            return {"error": error.errno}

    steps(answer)
    client.close()


def create_topic(client, step):
    configs = step.get("configs", {})
    client.create_topics([NewTopic(step["topic"], step["partitions"], 1, topic_configs=configs)])


def describe_topic(client, step):
    (topic,) = client.describe_topics([step["topic"]])
    check(topic["error_code"])
    return len(topic["partitions"])


def configs(client, step):
    names = {name: None for name in step["names"]}
    resource = ConfigResource(ConfigResourceType.TOPIC, step["topic"], configs=names)
    described = client.describe_configs([resource], config_filter="all")["topic"][step["topic"]]
    return {name: described[name]["value"] for name in step["names"]}


def alter_configs(client, step):
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, step["topic"], configs=step["configs"])])


def delete_records(client, step):
    partition = TopicPartition(step["topic"], step["partition"])
    return client.delete_records({partition: step["before"]})[partition]["low_watermark"]


def offset(client, step):
    partition = TopicPartition(step["topic"], step["partition"])
    at = {"earliest": -2, "latest": -1}.get(step["at"], step["at"])
    return client.list_partition_offsets({partition: at})[partition].offset


def groups(client, _step):
    return sorted(group["group_id"] for group in client.list_groups())


def describe_group(client, step):
    described = client.describe_groups([step["group"]])[step["group"]]
    return {"state": described["group_state"], "members": len(described["members"])}


def group_offsets(client, step):
    offsets = client.list_group_offsets({step["group"]: None})[step["group"]]
    return {f"{where.topic}/{where.partition}": committed.offset for where, committed in offsets.items()}


def set_group_offset(client, step):
    partition = TopicPartition(step["topic"], step["partition"])
    committed = OffsetAndMetadata(step["offset"], "", -1)
    check_class(client.alter_group_offsets(step["group"], {partition: committed})[partition])


def delete_group_offset(client, step):
    partition = TopicPartition(step["topic"], step["partition"])
    check_class(client.delete_group_offsets(step["group"], [partition])[partition])


def delete_group(client, step):
    result = client.delete_groups([step["group"]])
    check_class(result[step["group"]] if isinstance(result, dict) else result[0][1])


def check(code):
    if code != 0:
        raise kafka.errors.for_code(code)


def check_class(result):
    kind = kafka.errors.for_code({"OK": 0}.get(result, result)) if isinstance(result, (int, str)) else result
    if getattr(kind, "errno", 0) != 0:
        raise kind()


OPS = {
    "createTopic": create_topic,
    "topics": lambda client, _step: sorted(client.list_topics()),
    "describeTopic": describe_topic,
    "configs": configs,
    "alterConfigs": alter_configs,
    "createPartitions": lambda client, step: client.create_partitions({step["topic"]: NewPartitions(step["total"])})
    and None,
    "deleteRecords": delete_records,
    "offset": offset,
    "groups": groups,
    "describeGroup": describe_group,
    "groupOffsets": group_offsets,
    "setGroupOffset": set_group_offset,
    "deleteGroupOffset": delete_group_offset,
    "deleteGroup": delete_group,
    "deleteTopic": lambda client, step: client.delete_topics([step["topic"]]) and None,
}

OLD_OPS = ["createTopic", "topics", "createPartitions", "deleteTopic"]

main({"produce": produce, "consume": consume, "admin": admin})
