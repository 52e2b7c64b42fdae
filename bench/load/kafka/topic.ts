import { setTimeout as sleep } from 'node:timers/promises';
import { metadata } from '../../../internal/protocol/kafka/apis/03-metadata.ts';
import { createTopics } from '../../../internal/protocol/kafka/apis/19-create-topics.ts';
import { KafkaConnection } from './connection.ts';
import { Producer } from './producer.ts';
import type { RecordShape } from './requests.ts';

const CREATE_TOPICS_VERSION = 5;
const METADATA_VERSION = 4;
const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 5;
/** As a Java producer sends them. */
const FILL_IN_FLIGHT = 5;
const TOPIC_ALREADY_EXISTS = 36;

/** Creates a topic, and waits until its first partition has a leader. */
export async function createTopic(port: number, name: string, numPartitions = 1): Promise<void> {
  const connection = await KafkaConnection.open(port);
  try {
    const topics = [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }];
    const created = await connection.ask(createTopics, CREATE_TOPICS_VERSION, { topics });
    const { errorCode, errorMessage } = created.topics[0];
    if (errorCode !== 0 && errorCode !== TOPIC_ALREADY_EXISTS) {
      throw new Error(`the topic was not created: error ${errorCode} ${errorMessage ?? ''}`);
    }
    const deadlineMs = Date.now() + READY_TIMEOUT_MS;
    while (!(await hasLeader(connection, name))) {
      if (Date.now() > deadlineMs) throw new Error('the topic has no leader after 30 seconds');
      await sleep(POLL_MS);
    }
  } finally {
    connection.close();
  }
}

async function hasLeader(connection: KafkaConnection, name: string): Promise<boolean> {
  const answer = await connection.ask(metadata, METADATA_VERSION, {
    topics: [{ name }],
    allowAutoTopicCreation: false,
  });
  const [topic] = answer.topics;
  return topic.errorCode === 0 && topic.partitions[0]?.leaderId >= 0;
}

/** What lies in a topic whose batches are all alike. */
export interface Filled {
  batchBytes: number;
  recordsPerBatch: number;
  /** The offset after the last record. */
  endOffset: number;
}

/** Creates a topic and produces about so many bytes to it. */
export async function fillTopic(
  port: number,
  topic: string,
  shape: RecordShape,
  logBytes: number,
): Promise<Filled> {
  await createTopic(port, topic);
  const producer = await Producer.open(port, topic, shape, FILL_IN_FLIGHT);
  try {
    await producer.produce(Math.ceil(logBytes / producer.batchBytes));
  } finally {
    producer.close();
  }
  return {
    batchBytes: producer.batchBytes,
    recordsPerBatch: producer.recordsPerRequest,
    endOffset: producer.acknowledgedRecords,
  };
}

/** Waits for the first answer to Metadata. */
export async function untilAnswersMetadata(port: number): Promise<void> {
  const connection = await KafkaConnection.open(port);
  try {
    await connection.ask(metadata, METADATA_VERSION, { topics: null, allowAutoTopicCreation: false });
  } finally {
    connection.close();
  }
}
