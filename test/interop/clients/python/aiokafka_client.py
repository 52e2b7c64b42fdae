"""aiokafka, with asyncio."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from lines import BOOTSTRAP, batches, decoded, emit, emit_record, headers_in, input_ended, main


async def produce(options):
    settings = {}
    if "compression" in options:
        settings["compression_type"] = options["compression"]
    if options.get("idempotent"):
        settings["enable_idempotence"] = True
    if "maxBytes" in options:
        settings["max_request_size"] = options["maxBytes"]
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, **settings)
    await producer.start()
    lines = batches()
    while (batch := await asyncio.to_thread(next, lines, None)) is not None:
        futures = [
            await producer.send(
                options["topic"],
                key=decoded(record["key"]),
                value=decoded(record["value"]),
                headers=headers_in(record),
                partition=record.get("partition"),
                timestamp_ms=record.get("timestamp"),
            )
            for record in batch
        ]
        for future in futures:
            where = await future
            emit({"partition": where.partition, "offset": where.offset})
    await producer.stop()


async def consume(options):
    ended = input_ended()
    settings = {"group_id": options["group"]} if "group" in options else {}
    if "maxBytes" in options:
        settings["max_partition_fetch_bytes"] = options["maxBytes"]
    wanted = options.get("count")
    # Otherwise it would commit what was fetched and not yet asked for.
    if wanted is not None:
        settings["enable_auto_commit"] = False
    consumer = AIOKafkaConsumer(
        options["topic"], bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest", **settings
    )
    await consumer.start()
    seen = 0
    while not ended.is_set() and seen != wanted:
        try:
            message = await asyncio.wait_for(consumer.getone(), 0.2)
        except asyncio.TimeoutError:
            continue
        emit_record(
            message.partition, message.offset, message.timestamp, message.key, message.value, message.headers
        )
        seen += 1
    if "group" in options and wanted is not None:
        await consumer.commit()
    await consumer.stop()


async def admin(_options):
    client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await client.start()
    for step in next(batches()):
        handler = OPS.get(step["op"])
        if handler is None:
            emit({"lacks": step["op"]})
            continue
        try:
            emit({"ok": await handler(client, step)})
        except KafkaError as error:
            emit({"error": error.errno})
    await client.close()


def check(code):
    if code != 0:
        raise for_code(code)


async def create_topic(client, step):
    topic = NewTopic(step["topic"], step["partitions"], 1, topic_configs=step.get("configs", {}))
    response = await client.create_topics([topic])
    check(response.topic_errors[0][1])


async def topics(client, _step):
    return sorted(await client.list_topics())


async def describe_topic(client, step):
    (topic,) = await client.describe_topics([step["topic"]])
    return len(topic["partitions"])


async def configs(client, step):
    resource = ConfigResource(ConfigResourceType.TOPIC, step["topic"])
    (response,) = await client.describe_configs([resource])
    described = {entry[0]: entry[1] for entry in response.resources[0][4]}
    return {name: described[name] for name in step["names"]}


async def alter_configs(client, step):
    response = await client.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, step["topic"], configs=step["configs"])]
    )
    check(response[0].resources[0][0] if isinstance(response, list) else response.resources[0][0])


async def create_partitions(client, step):
    response = await client.create_partitions({step["topic"]: NewPartitions(step["total"])})
    check(response.topic_errors[0][1])


async def delete_records(client, step):
    partition = TopicPartition(step["topic"], step["partition"])
    response = await client.delete_records({partition: RecordsToDelete(step["before"])})
    return response[partition]


async def offset(_client, step):
    partition = TopicPartition(step["topic"], step["partition"])
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP)
    await consumer.start()
    try:
        if step["at"] == "earliest":
            return (await consumer.beginning_offsets([partition]))[partition]
        if step["at"] == "latest":
            return (await consumer.end_offsets([partition]))[partition]
        return (await consumer.offsets_for_times({partition: step["at"]}))[partition].offset
    finally:
        await consumer.stop()


async def groups(client, _step):
    return sorted(group for group, _protocol in await client.list_consumer_groups())


async def describe_group(client, step):
    (response,) = await client.describe_consumer_groups([step["group"]])
    code, _group, state, _type, _protocol, members = response.groups[0][:6]
    check(code)
    return {"state": state, "members": len(members)}


async def group_offsets(client, step):
    committed = await client.list_consumer_group_offsets(step["group"])
    return {f"{where.topic}/{where.partition}": each.offset for where, each in committed.items()}


async def delete_topic(client, step):
    response = await client.delete_topics([step["topic"]])
    check(response.topic_error_codes[0][1])


OPS = {
    "createTopic": create_topic,
    "topics": topics,
    "describeTopic": describe_topic,
    "configs": configs,
    "alterConfigs": alter_configs,
    "createPartitions": create_partitions,
    "deleteRecords": delete_records,
    "offset": offset,
    "groups": groups,
    "describeGroup": describe_group,
    "groupOffsets": group_offsets,
    "deleteTopic": delete_topic,
}

main({
    "produce": lambda options: asyncio.run(produce(options)),
    "consume": lambda options: asyncio.run(consume(options)),
    "admin": lambda options: asyncio.run(admin(options)),
})
