"""confluent-kafka, which is librdkafka."""

import time

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicPartition,
    TopicCollection,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from lines import BOOTSTRAP, LOGIN, batches, decoded, emit, emit_record, headers_in, input_ended, main, steps


def connection():
    """Where the broker is, and how to log in there."""
    settings = {"bootstrap.servers": BOOTSTRAP}
    if LOGIN is None:
        return settings
    settings["security.protocol"] = "SASL_SSL" if "ca" in LOGIN else "SASL_PLAINTEXT"
    settings["sasl.mechanism"] = LOGIN["mechanism"]
    if "ca" in LOGIN:
        settings["ssl.ca.location"] = LOGIN["ca"]
    if "token" in LOGIN:
        settings["oauth_cb"] = lambda _: (LOGIN["token"], time.time() + 3600)
    else:
        settings["sasl.username"] = LOGIN["user"]
        settings["sasl.password"] = LOGIN["password"]
    return settings


def produce(options):
    settings = connection()
    if "compression" in options:
        settings["compression.type"] = options["compression"]
    if options.get("idempotent"):
        settings["enable.idempotence"] = True
    if "maxBytes" in options:
        settings["message.max.bytes"] = options["maxBytes"]
    producer = Producer(settings)
    for batch in batches():
        reports = [None] * len(batch)
        for index, record in enumerate(batch):
            where = {name: record[name] for name in ("partition", "timestamp") if name in record}

            def report(error, message, index=index):
                reports[index] = (error, message)

            producer.produce(
                options["topic"],
                key=decoded(record["key"]),
                value=decoded(record["value"]),
                headers=headers_in(record),
                on_delivery=report,
                **where,
            )
        producer.flush()
        for error, message in reports:
            if error is not None:
                raise KafkaException(error)
            emit({"partition": message.partition(), "offset": message.offset()})


def consume(options):
    ended = input_ended()
    settings = {
        **connection(),
        "group.id": options.get("group", "nobody"),
        "auto.offset.reset": "earliest",
    }
    if "maxBytes" in options:
        settings["max.partition.fetch.bytes"] = options["maxBytes"]
    consumer = Consumer(settings)
    if "group" in options:
        consumer.subscribe([options["topic"]])
    else:
        partitions = consumer.list_topics(options["topic"], timeout=30).topics[options["topic"]].partitions
        consumer.assign([TopicPartition(options["topic"], partition, 0) for partition in partitions])
    wanted = options.get("count")
    seen = 0
    last = {}
    while not ended.is_set() and seen != wanted:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        emit_record(
            message.partition(),
            message.offset(),
            message.timestamp()[1],
            message.key(),
            message.value(),
            message.headers(),
        )
        last[message.partition()] = message
        seen += 1
    if "group" in options and wanted is not None:
        for message in last.values():
            consumer.commit(message, asynchronous=False)
    consumer.close()


def admin(_options):
    client = AdminClient(connection())

    def answer(step):
        handler = OPS.get(step["op"])
        if handler is None:
            return None
        try:
            return {"ok": handler(client, step)}
        except KafkaException as error:
            return {"error": error.args[0].code()}

    steps(answer)


def only(futures):
    (future,) = futures.values()
    return future.result()


def create_topic(client, step):
    topic = NewTopic(step["topic"], step["partitions"], config=step.get("configs", {}))
    only(client.create_topics([topic]))


def describe_topic(client, step):
    return len(only(client.describe_topics(TopicCollection([step["topic"]]))).partitions)


def configs(client, step):
    described = only(client.describe_configs([ConfigResource(ResourceType.TOPIC, step["topic"])]))
    return {name: described[name].value for name in step["names"]}


def alter_configs(client, step):
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in step["configs"].items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, step["topic"], incremental_configs=entries)
    only(client.incremental_alter_configs([resource]))


def delete_records(client, step):
    partition = TopicPartition(step["topic"], step["partition"], step["before"])
    return only(client.delete_records([partition])).low_watermark


def offset(client, step):
    specs = {"earliest": OffsetSpec.earliest, "latest": OffsetSpec.latest}
    spec = specs[step["at"]]() if step["at"] in specs else OffsetSpec.for_timestamp(step["at"])
    return only(client.list_offsets({TopicPartition(step["topic"], step["partition"]): spec})).offset


def groups(client, _step):
    return sorted(group.group_id for group in client.list_consumer_groups().result().valid)


def describe_group(client, step):
    described = only(client.describe_consumer_groups([step["group"]]))
    return {"state": described.state.name.title(), "members": len(described.members)}


def group_offsets(client, step):
    committed = only(client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(step["group"])]))
    return {f"{each.topic}/{each.partition}": each.offset for each in committed.topic_partitions}


def set_group_offset(client, step):
    partition = TopicPartition(step["topic"], step["partition"], step["offset"])
    result = only(client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(step["group"], [partition])]))
    for each in result.topic_partitions:
        if each.error is not None:
            raise KafkaException(each.error)


OPS = {
    "createTopic": create_topic,
    "topics": lambda client, _step: sorted(client.list_topics().topics),
    "describeTopic": describe_topic,
    "configs": configs,
    "alterConfigs": alter_configs,
    "createPartitions": lambda client, step: only(
        client.create_partitions([NewPartitions(step["topic"], step["total"])])
    ),
    "deleteRecords": delete_records,
    "offset": offset,
    "groups": groups,
    "describeGroup": describe_group,
    "groupOffsets": group_offsets,
    "setGroupOffset": set_group_offset,
    "deleteGroup": lambda client, step: only(client.delete_consumer_groups([step["group"]])),
    "deleteTopic": lambda client, step: only(client.delete_topics([step["topic"]])),
}

main({"produce": produce, "consume": consume, "admin": admin})
