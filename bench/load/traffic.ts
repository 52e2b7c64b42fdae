import type { Delivery, Wire } from '../peers/peer.ts';
import { seededRandom, zipf } from '../stats.ts';
import type { Subscribers, Topics, Workload } from '../workload.ts';

const BLOCK_BYTES = 64 * 1024;
/** Long enough to show the whole mix of topics, short enough to stay a few MiB. */
const DEEP_SEQUENCE_MESSAGES = 65_536;
const IN_TURN_CYCLES = 20;
const SEED = 20_240_229;

/** Whole messages, encoded, about 64 KiB of them. */
export interface Block {
  bytes: Uint8Array;
  messages: number;
  /** What the subscribers get for it, altogether. */
  deliveries: number;
  deliveredBytes: number;
}

/** What one case's publishers write, and its subscribers ask for. */
export interface Traffic {
  publisherIds: readonly string[];
  /** The filters of each subscriber, and the number that its first filter gets. */
  subscriptions: readonly (readonly string[])[];
  firstSubscriptionId: number;
  /** For each publisher, to be written again and again in this order. */
  blocks: readonly (readonly Block[])[];
  /** Averages over all blocks. */
  bytesPerDelivery: number;
  deliveriesPerMessage: number;
  deliveredBytesPerPublishedByte: number;
  /** One delivery, where all are alike. */
  delivery: Delivery;
}

/** Encodes a workload in a peer's protocol. The same workload gives the same messages each time. */
export function trafficOf(workload: Workload, wire: Wire): Traffic {
  const publisherIds = Array.from({ length: workload.publishers }, (_, index) => `pub-${index}`);
  const topics = topicsOf(workload.topics);
  const sequence = sequenceOf(workload.topics);
  const payload = new Uint8Array(workload.payloadBytes).fill(0x78);
  const { subscriptions, matches } = subscriptionsOf(workload.subscribers, topics);
  const firstSubscriptionId =
    10 ** (String(Math.max(...subscriptions.map(({ length }) => length))).length - 1);
  const deliveries = topics.map((topic) =>
    wire.delivery(topic, workload.payloadBytes, publisherIds[0], firstSubscriptionId),
  );
  const blocks = publisherIds.map((publisherId) => {
    const messages = topics.map((topic) => wire.publish(topic, payload, publisherId));
    return blocksOf(sequence, messages, (topic) => ({
      copies: matches(topic),
      bytes: matches(topic) * deliveries[topic].bytes,
    }));
  });
  const all = blocks.flat();
  const deliveredBytes = sum(all, (block) => block.deliveredBytes);
  return {
    publisherIds,
    subscriptions,
    firstSubscriptionId,
    blocks,
    bytesPerDelivery: deliveredBytes / sum(all, (block) => block.deliveries),
    deliveriesPerMessage: sum(all, (block) => block.deliveries) / sum(all, (block) => block.messages),
    deliveredBytesPerPublishedByte: deliveredBytes / sum(all, (block) => block.bytes.length),
    delivery: deliveries[0],
  };
}

function topicsOf(topics: Topics): string[] {
  if (topics.kind === 'one') return ['sensors/temp'];
  if (topics.kind === 'in-turn') {
    return Array.from({ length: topics.count }, (_, index) => `sensors/s${padded(index, 3)}/temp`);
  }
  return deepTopics(topics.count);
}

/** Topics of four to six levels. None is the beginning of another, for NATS' `>` does not match that one. */
export function deepTopics(count: number): string[] {
  const random = seededRandom(SEED);
  const topics = new Set<string>();
  const pick = (choices: number): number => Math.floor(random() * choices);
  while (topics.size < count) {
    const levels = [`site${pick(40)}`, `hall${pick(25)}`, `line${pick(20)}`];
    if (pick(2) === 0) levels.push(`cell${pick(10)}`);
    if (pick(2) === 0) levels.push(`unit${pick(10)}`);
    topics.add([...levels, `value${pick(30)}`].join('/'));
  }
  return [...topics];
}

/** The numbers of the topics in the order of publishing. */
function sequenceOf(topics: Topics): number[] {
  if (topics.kind === 'one') return [0];
  if (topics.kind === 'in-turn') {
    return Array.from({ length: topics.count * IN_TURN_CYCLES }, (_, index) => index % topics.count);
  }
  const next = zipf(topics.count, seededRandom(SEED));
  return Array.from({ length: DEEP_SEQUENCE_MESSAGES }, next);
}

interface Subscriptions {
  subscriptions: string[][];
  /** How many subscribers get a message of this topic. */
  matches(topic: number): number;
}

function subscriptionsOf(subscribers: Subscribers, topics: readonly string[]): Subscriptions {
  if (subscribers.kind === 'own') return { subscriptions: topics.map((topic) => [topic]), matches: () => 1 };
  if (subscribers.kind === 'filters') return deepFilters(topics, subscribers.filters, subscribers.count);
  const filter = subscribers.kind === 'topic' ? topics[0] : '#';
  return {
    subscriptions: Array.from({ length: subscribers.count }, () => [filter]),
    matches: () => subscribers.count,
  };
}

/** The kinds of filters: which levels become `+`, and after how many the rest becomes `#`. */
const filterShapes: readonly ((levels: readonly string[]) => string)[] = [
  (levels) => levels.join('/'),
  ([site, hall, line]) => `${site}/${hall}/${line}/#`,
  ([site, , line, ...rest]) => [site, '+', line, ...rest].join('/'),
  (levels) => ['+', ...levels.slice(1)].join('/'),
  (levels) => [...levels.slice(0, -1), '+'].join('/'),
];

/**
 * Filters made from random topics. Those of one shape do not overlap, and a subscriber has filters of one shape
 * only: a broker that sends a copy for each filter and one that sends a copy for each client do the same work.
 */
export function deepFilters(
  topics: readonly string[],
  filterCount: number,
  subscriberCount: number,
): Subscriptions {
  const random = seededRandom(SEED + 1);
  const levelsOf = topics.map((topic) => topic.split('/'));
  const subscriptions = Array.from({ length: subscriberCount }, (): string[] => []);
  const perShape = subscriberCount / filterShapes.length;
  if (!Number.isInteger(perShape)) {
    throw new Error(
      `the filters are of ${filterShapes.length} shapes: their subscribers are a multiple of that`,
    );
  }
  const chosen = filterShapes.map(() => new Set<string>());
  for (let made = 0; made < filterCount; ) {
    const shape = made % filterShapes.length;
    const filter = filterShapes[shape](levelsOf[Math.floor(random() * topics.length)]);
    if (chosen[shape].has(filter)) continue;
    subscriptions[shape * perShape + (chosen[shape].size % perShape)].push(filter);
    chosen[shape].add(filter);
    made++;
  }
  const copies = levelsOf.map(
    (levels) => filterShapes.filter((shape, index) => chosen[index].has(shape(levels))).length,
  );
  return { subscriptions, matches: (topic) => copies[topic] };
}

function blocksOf(
  sequence: readonly number[],
  messages: readonly Uint8Array[],
  delivered: (topic: number) => { copies: number; bytes: number },
): Block[] {
  const blocks: Block[] = [];
  let parts: Uint8Array[] = [];
  let size = 0;
  let deliveries = 0;
  let deliveredBytes = 0;
  const finish = (): void => {
    blocks.push({ bytes: Buffer.concat(parts), messages: parts.length, deliveries, deliveredBytes });
    parts = [];
    size = deliveries = deliveredBytes = 0;
  };
  // A short sequence is repeated until it fills a block.
  for (let at = 0; at < sequence.length || blocks.length === 0; at++) {
    const topic = sequence[at % sequence.length];
    const { copies, bytes } = delivered(topic);
    parts.push(messages[topic]);
    size += messages[topic].length;
    deliveries += copies;
    deliveredBytes += bytes;
    if (size + messages[topic].length > BLOCK_BYTES) finish();
  }
  if (parts.length > 0) finish();
  return blocks;
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}
