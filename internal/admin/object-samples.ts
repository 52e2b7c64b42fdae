import { THE_BROKER } from '../access/policy.ts';
import { publishedAtMs } from '../broker/routing/topic-table.ts';
import { nameForLog } from '../errors.ts';
import { fateTextCharacters } from '../limits/observe.ts';
import { liveTopicOf } from '../log/names.ts';
import type { ObjectMetricName, ObjectSample } from '../observe/object-metrics.ts';
import type { BrokerParts, Caller } from './operation.ts';
import { maySee } from './operations/visible.ts';
import { eachInSlices } from './slices.ts';

/** What is measured of single clients, topics and groups, as far as somebody may see them; at most so many of each. */
export async function objectSamples(
  parts: BrokerParts,
  caller: Caller,
  most: number,
): Promise<ObjectSample[]> {
  const samples: ObjectSample[] = [];
  const add = (name: ObjectMetricName, labels: ObjectSample['labels'], value: number) =>
    void samples.push({ name, labels, value });
  await clientSamples(parts, caller, most, add);
  await topicSamples(parts, caller, most, add);
  await liveTopicSamples(parts, caller, most, add);
  await groupSamples(parts, caller, most, add);
  return samples;
}

type Add = (name: ObjectMetricName, labels: ObjectSample['labels'], value: number) => void;

async function clientSamples(
  { connections }: BrokerParts,
  caller: Caller,
  most: number,
  add: Add,
): Promise<void> {
  if (!caller.may('describe', THE_BROKER.kind, THE_BROKER.name)) return;
  let left = most;
  await eachInSlices(connections.entries(), ([id, connection]) => {
    if (left-- <= 0) return;
    const { clientId, user = '', ...facts } = connection.facts();
    const labels = { id: String(id), client: name(clientId), user: name(user), door: connection.door };
    add('client_bytes_received_total', labels, facts.receivedBytes);
    add('client_bytes_sent_total', labels, facts.sentBytes);
    add('client_messages_received_total', labels, facts.received);
    add('client_messages_sent_total', labels, facts.sent);
    add('client_requests_total', labels, facts.requests);
    add('client_messages_waiting', labels, facts.waiting);
  });
  addLeftOut('client', left, add);
}

async function topicSamples({ logs }: BrokerParts, caller: Caller, most: number, add: Add): Promise<void> {
  let left = most;
  await eachInSlices(logs?.topics() ?? [], ({ name: log, partitions }) => {
    if (!maySee(caller, liveTopicOf(log)) || left-- <= 0) return;
    const labels = { topic: name(log) };
    let [bytes, records] = [0, 0];
    for (const { sizeBytes, highWatermark } of partitions) {
      bytes += sizeBytes;
      records += highWatermark;
    }
    add('topic_bytes', labels, bytes);
    add('topic_partitions', labels, partitions.length);
    add('topic_records_total', labels, records);
  });
  addLeftOut('topic', left, add);
}

async function liveTopicSamples(
  { broker: { routes, clock } }: BrokerParts,
  caller: Caller,
  most: number,
  add: Add,
): Promise<void> {
  let left = most;
  await eachInSlices(routes.topics(), (entry) => {
    if (entry.published === 0 || !maySee(caller, entry.topic) || left-- <= 0) return;
    const labels = { topic: name(entry.topic) };
    add('live_topic_published_total', labels, entry.published);
    add('live_topic_published_timestamp_seconds', labels, publishedAtMs(entry, clock) / 1_000);
  });
  addLeftOut('live-topic', left, add);
}

async function groupSamples({ groups }: BrokerParts, caller: Caller, most: number, add: Add): Promise<void> {
  const seesAll = caller.may('describe', THE_BROKER.kind, THE_BROKER.name);
  let left = most;
  await eachInSlices(groups?.list() ?? [], ({ groupId }) => {
    if ((!seesAll && !caller.may('describe', 'group', groupId)) || left-- <= 0) return;
    const found = groups?.lagOf(groupId);
    if (found === undefined) return;
    const group = name(groupId);
    add('group_members', { group }, found.members.length);
    const lags = new Map<string, number>();
    for (const { topic, lag = 0 } of found.partitions) {
      if (maySee(caller, liveTopicOf(topic))) lags.set(topic, (lags.get(topic) ?? 0) + lag);
    }
    for (const [topic, lag] of lags) add('group_topic_lag', { group, topic: name(topic) }, lag);
  });
  addLeftOut('group', left, add);
}

function addLeftOut(kind: string, left: number, add: Add): void {
  add('objects_left_out', { kind }, Math.max(0, -left));
}

function name(text: string): string {
  return nameForLog(text, fateTextCharacters);
}
