import { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import { Producer } from '../../../internal/clients/kafka/producer.ts';
import { Reader } from '../../../internal/clients/kafka/reader.ts';
import { demand } from '../../../internal/clients/kafka/refusal.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { createTopics } from '../../../internal/protocol/kafka/apis/19-create-topics.ts';
import { deleteTopics } from '../../../internal/protocol/kafka/apis/20-delete-topics.ts';
import { ZERO_UUID } from '../../../internal/protocol/kafka/schema.ts';
import { addressOf, KAFKA } from '../connection-flags.ts';
import type { Acks } from '../kafka-flags.ts';
import { workWith } from '../work-with.ts';
import { CONNECT_TIMEOUT_MS, type Meeting, type Speech } from './parties.ts';

/** What is sent at once, at most; a batch is what came while the one before was on its way. */
const MAX_BATCH_BYTES = 1024 * 1024;
const ONE_COPY = 1;

/** How a log is written and read. */
export interface LogPlan {
  readonly acks: Acks;
  readonly partitions: number;
}

/**
 * By the protocol of Kafka, through a log that is there only meanwhile. Publishers take its partitions in turn, one each;
 * subscribers read all of them.
 */
export function kafkaSpeech({ acks, partitions }: LogPlan): Speech {
  return {
    prepare: (meeting) => makeTopic(meeting, partitions),
    async publisher(name, index, meeting, onAcknowledged) {
      const client = await connectKafka(name, meeting, meeting.stop);
      const ended = Promise.withResolvers<never>();
      const producer = await Producer.open(client, meeting.topic, {
        ...{ acks, compression: 'none', partition: index % partitions, maxBatchBytes: MAX_BATCH_BYTES },
        ...{ timeoutMs: CONNECT_TIMEOUT_MS, onNote: (text) => ended.reject(new Failure(text)) },
        onStored: (_partition, _offset, count) => onAcknowledged(count),
      });
      producer.failed.catch(ended.reject);
      return {
        publish: (payload) => producer.add(Date.now(), null, payload, []),
        isAcknowledged: acks !== 0,
        ended: ended.promise,
        close: () => client.close(),
      };
    },
    async subscriber(name, meeting, take) {
      const client = await connectKafka(name, meeting, meeting.stop);
      const ended = Promise.withResolvers<never>();
      const positions = new Map(Array.from({ length: partitions }, (_, partition) => [partition, 0]));
      const reader = new Reader(client, meeting.topic, positions, {
        isolationLevel: 0,
        onRecord({ value }) {
          take(value!);
          return true;
        },
        onNote: (text) => ended.reject(new Failure(text)),
        onEnd() {},
        room: () => undefined,
      });
      const reading = reader.run().catch(ended.reject);
      const close = () => {
        reader.stop();
        client.close();
        return reading;
      };
      return { ended: ended.promise, close };
    },
  };
}

/** Makes the topic; disposing of it deletes it, even after somebody has stopped the rest. @throws KafkaRefusal */
async function makeTopic(meeting: Meeting, numPartitions: number): Promise<AsyncDisposable> {
  const name = meeting.topic;
  const topic = { name, numPartitions, replicationFactor: ONE_COPY, assignments: [], configs: [] };
  await administer(meeting.stop, async (client) => {
    const request = { topics: [topic], timeoutMs: CONNECT_TIMEOUT_MS };
    const { topics } = await client.sendToController(createTopics, request);
    for (const { errorCode, errorMessage } of topics) demand(`topic '${name}'`, errorCode, errorMessage);
  });
  return {
    [Symbol.asyncDispose]: () =>
      administer(AbortSignal.timeout(CONNECT_TIMEOUT_MS), async (client) => {
        const request = { topics: [{ name, topicId: ZERO_UUID }], topicNames: [name] };
        await client.sendToController(deleteTopics, { ...request, timeoutMs: CONNECT_TIMEOUT_MS });
      }),
  };

  async function administer(stop: AbortSignal, work: (client: KafkaClient) => Promise<void>): Promise<void> {
    await workWith(await connectKafka('tinymq-bench', meeting, stop), stop, work);
  }
}

function connectKafka(
  clientId: string,
  { url, credentials, ca, version }: Meeting,
  stop: AbortSignal,
): Promise<KafkaClient> {
  const { host, port, isSecure } = addressOf(url, KAFKA);
  return KafkaClient.connect([{ host, port }], {
    ...{ clientId, softwareVersion: version, credentials, stop },
    tls: isSecure ? { ca } : undefined,
    ...{ connectTimeoutMs: CONNECT_TIMEOUT_MS, requestTimeoutMs: CONNECT_TIMEOUT_MS },
  });
}
