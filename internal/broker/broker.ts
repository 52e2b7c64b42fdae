import type { Access } from '../access/access.ts';
import type { Identity } from '../access/identity.ts';
import { BrokerError, nameForLog, quoted } from '../errors.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { channelTotalBytes, maxFilterLevels, maxSubscriptionsPerClient } from '../limits/broker.ts';
import { Fates } from '../observe/fates.ts';
import type { Counter, Metrics } from '../observe/metrics.ts';
import { filterProblem, parseShared, reservedTopicProblem, topicNameProblem } from '../topic.ts';
import { Client, type ClientEvents, type ClientSpec } from './client.ts';
import { Channel, type ChannelLimits, type Receiver, type Source, unpausable } from './delivery/channel.ts';
import { ChannelTotal } from './delivery/channel-total.ts';
import { type Message, Publication, valuesEncoding } from './delivery/publication.ts';
import type { Receipt } from './delivery/receipt.ts';
import { Turn } from './delivery/turn.ts';
import { TurnTime } from './delivery/turn-time.ts';
import { Retained, type RetainedStore } from './retained/retained.ts';
import {
  type Member,
  ShareGroup,
  Tap,
  type Target,
  TargetInterner,
  type TargetSet,
} from './routing/targets.ts';
import { type TopicEntry, TopicTable } from './routing/topic-table.ts';
import { TopicTrie } from './routing/topic-trie.ts';

export interface BrokerSettings extends ChannelLimits {
  maxClients: number;
  /** Bytes that wait for all subscribers together. */
  channelTotalBytes?: number;
}

/** The part of a logger that the broker uses. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface BrokerParts {
  settings: BrokerSettings;
  metrics: Metrics;
  logger: Logger;
  /** What time it is. Default: the machine's clock. */
  clock?: Clock;
  /** Where retained messages last. Default: in memory only. */
  retainedStore?: RetainedStore;
  /** Calls back after the reads of this turn of the event loop. Default: `setImmediate`. */
  afterReads?: (callback: () => void) => void;
}

/**
 * The heart: who is connected, who subscribed to what, and where a run of messages goes. It never parses bytes
 * and does no input or output; doors bring both.
 */
export class Broker {
  /** Retained messages of topics, for later subscribers. */
  readonly retained: Retained;
  /** The time that everything goes by which the broker's doors keep for their clients. */
  readonly clock: Clock;
  /** When publishers give way to others. */
  readonly turnTime: TurnTime;
  readonly #settings: BrokerSettings;
  readonly #logger: Logger;
  readonly #turn: Turn;
  /** The bytes waiting for all subscribers together. */
  readonly #waiting: ChannelTotal;
  readonly #clients = new Map<string, Client>();
  readonly #trie = new TopicTrie<Target>();
  readonly #groups = new Map<string, ShareGroup>();
  readonly #taps = new Map<Receiver, Tap>();
  readonly #topics = new TopicTable(publishableTopic);
  readonly #interner = new TargetInterner();
  #epoch = 0;
  #subscriptions = 0;
  #sharedSubscriptions = 0;

  readonly #received: Counter;
  readonly #receivedBytes: Counter;
  readonly #delivered: Counter;
  readonly #deliveredBytes: Counter;
  readonly #connects: Counter;
  readonly #dropped: Counter;
  readonly #slowEpisodes: Counter;
  readonly #clientEvents: ClientEvents = {
    slow: (client) => this.#becameSlow(client),
    recovered: (client, dropped) => this.#recovered(client, dropped),
    dropped: (count) => {
      this.#dropped.value += count;
    },
  };

  constructor(parts: BrokerParts) {
    this.#turn = new Turn(parts.afterReads);
    this.turnTime = new TurnTime(undefined, parts.afterReads);
    this.#settings = parts.settings;
    this.#logger = parts.logger;
    const { metrics } = parts;
    const fates = new Fates(metrics, parts.logger);
    this.clock = parts.clock ?? systemClock;
    this.retained = new Retained(metrics, this.clock, parts.retainedStore);
    this.#waiting = new ChannelTotal(parts.settings.channelTotalBytes ?? channelTotalBytes);
    metrics.gauge('channel_bytes_waiting', () => this.#waiting.bytes);
    this.#received = metrics.counter('messages_received_total');
    this.#receivedBytes = metrics.counter('message_bytes_received_total');
    this.#delivered = metrics.counter('messages_delivered_total');
    this.#deliveredBytes = metrics.counter('message_bytes_delivered_total');
    this.#connects = metrics.counter('clients_connected_total');
    this.#dropped = fates.counter('dropped', 'slow-consumer');
    this.#slowEpisodes = metrics.counter('slow_consumer_episodes_total');
    metrics.countedElsewhere(
      'clients_taken_over_total',
      () => fates.counter('disconnected', 'taken-over').value,
    );
    metrics.gauge('clients', () => this.#clients.size);
    metrics.gauge('subscriptions', () => this.#subscriptions);
    metrics.gauge('shared_subscriptions', () => this.#sharedSubscriptions);
    metrics.gauge('topics_remembered', () => this.#topics.size);
  }

  /**
   * Lets in a client that was admitted. A client of the same id that is still there is told and loses its connection,
   * unless it is another user's: an id alone takes nothing over.
   *
   * @throws BrokerError `not-authorized`, `too-many-clients`.
   */
  connect(spec: ClientSpec): Client {
    const { identity } = spec.access;
    const { clientId } = identity;
    const older = this.#clients.get(clientId);
    if (older !== undefined) checkOwner(older.identity.user, identity);
    if (older === undefined && this.#clients.size >= this.#settings.maxClients) {
      throw new BrokerError('too-many-clients', `${this.#settings.maxClients} clients are connected`);
    }
    if (older !== undefined) this.#takeOver(older, identity);
    const client = new Client(spec, this.#settings, this.#turn, this.#clientEvents, this.#waiting);
    this.#clients.set(clientId, client);
    this.#connects.value++;
    return client;
  }

  /** Forgets a client whose connection has ended. Idempotent; a takeover has already done it. */
  disconnect(client: Client): void {
    if (this.#clients.get(client.identity.clientId) === client)
      this.#clients.delete(client.identity.clientId);
    for (const filter of [...client.filters]) this.unsubscribe(client, filter);
    client.channel.close();
  }

  /**
   * Begins a subscription; whether the client did not have it already.
   *
   * @throws BrokerError `invalid-filter`, `not-authorized`, `too-many-subscriptions`.
   */
  subscribe(client: Client, filter: string): boolean {
    this.checkMaySubscribe(client.access, filter);
    if (client.filters.has(filter)) return false;
    if (client.filters.size >= maxSubscriptionsPerClient) {
      throw new BrokerError('too-many-subscriptions', `${client.filters.size} filters are held`);
    }
    client.addFilter(filter);
    this.#subscriptions++;
    const shared = parseShared(filter);
    if (shared === undefined) this.#trie.insert(filter, client.channel);
    else this.#joinGroup(client.channel, filter, shared.filter);
    this.#subscriptionsChanged();
    return true;
  }

  /** Ends a subscription; whether there was one. */
  unsubscribe(client: Client, filter: string): boolean {
    if (!client.removeFilter(filter)) return false;
    this.#subscriptions--;
    const shared = parseShared(filter);
    if (shared === undefined) this.#trie.remove(filter, client.channel);
    else this.#leaveGroup(client.channel, filter, shared.filter);
    this.#subscriptionsChanged();
    return true;
  }

  /**
   * The entry of the topic that lies in these bytes, with its present targets.
   *
   * @throws BrokerError `invalid-topic`, `reserved-topic`.
   */
  topic(bytes: DataView, start: number, end: number): TopicEntry {
    const entry = this.#topics.find(bytes, start, end);
    if (entry.epoch !== this.#epoch) this.#resolve(entry);
    return entry;
  }

  /** Where an entry leads now, for one that was kept since it was found. */
  targetsOf(entry: TopicEntry): TargetSet {
    if (entry.epoch !== this.#epoch) this.#resolve(entry);
    return entry.targets;
  }

  /** Sends a run to all its targets; `source` pauses if one of them is full. */
  publish(publication: Publication, targets: TargetSet, source: Source): void {
    this.#received.value += publication.count;
    this.#receivedBytes.value += publication.end - publication.start;
    this.#spread(publication, targets, source);
  }

  #spread(publication: Publication, targets: TargetSet, source: Source): void {
    const { channels, taps, groups } = targets;
    const isCostly = channels.length > MANY_CHANNELS || taps.length > 0 || groups.length > 0;
    if (isCostly) this.turnTime.begin();
    for (let index = 0; index < channels.length; index++) {
      const channel = channels[index];
      channel.deliver(publication);
      if (channel.isFull) channel.holdBack(source);
    }
    for (let index = 0; index < taps.length; index++) {
      const { receiver } = taps[index];
      receiver.deliver(publication);
      if (receiver.isFull) receiver.holdBack(source, publication);
    }
    this.#countDelivered(publication, channels.length);
    if (groups.length > 0) this.#publishToGroups(publication, targets, source);
    if (isCostly) this.turnTime.look();
  }

  /**
   * Publishes a message that is there as values: one that is more than topic and payload, a will, or one of the
   * broker's own. `bytes` are what it came as.
   *
   * @param targets where its topic leads, if the caller knows it.
   * @param receipt what the publisher waits for, if it wants to know that the message is safe.
   */
  publishMessage(
    message: Message,
    targets?: TargetSet,
    source: Source = unpausable,
    bytes: Uint8Array = NO_BYTES,
    receipt?: Receipt,
  ): void {
    if (message.retain) {
      this.retained.set(message, receipt);
      this.#awaitRetainedStore(message, source);
    }
    const publication = new Publication(valuesEncoding).setMessages([message], bytes);
    publication.receipt = receipt;
    this.publish(publication, targets ?? this.#interner.intern(this.#trie.match(message.topic)), source);
  }

  /** A publisher that asked for nothing waits only for what others like it brought, not for what sessions keep. */
  #awaitRetainedStore({ qos = 0 }: Message, source: Source): void {
    const { store } = this.retained;
    if (qos > 0 ? store.isBehind : store.isBehindWithRetained) store.holdBack(source);
  }

  /** Gives a message that came again, because it was not safe, to those who keep it. Its subscribers have it. */
  redeliverToDurable(message: Message, { taps }: TargetSet, source: Source, receipt: Receipt): void {
    const publication = new Publication(valuesEncoding).setMessages([message], NO_BYTES);
    publication.receipt = receipt;
    for (const { receiver } of taps) {
      if (!receiver.isDurable) continue;
      receiver.deliver(publication);
      if (receiver.isFull) receiver.holdBack(source, publication);
    }
  }

  /** Publishes what the broker tells about itself under a topic of its own; for later subscribers too. */
  publishOwn(topic: string, text: string): void {
    const message: Message = { topic, payload: Buffer.from(text), clientId: '', retain: true };
    this.retained.restore(message);
    const publication = new Publication(valuesEncoding).setMessages([message], NO_BYTES);
    this.#spread(publication, this.#interner.intern(this.#trie.match(topic)), unpausable);
  }

  /**
   * Gives every message of a well-formed filter to a receiver that is no client, from now on; once, however many of its
   * filters match.
   */
  tap(filter: string, receiver: Receiver): void {
    let tap = this.#taps.get(receiver);
    if (tap === undefined) {
      tap = new Tap(receiver);
      this.#taps.set(receiver, tap);
    }
    if (this.#trie.insert(filter, tap)) tap.filters++;
    this.#subscriptionsChanged();
  }

  /** Ends what {@link tap} began. */
  untap(filter: string, receiver: Receiver): void {
    const tap = this.#taps.get(receiver);
    if (tap === undefined || !this.#trie.remove(filter, tap)) return;
    if (--tap.filters === 0) this.#taps.delete(receiver);
    this.#subscriptionsChanged();
  }

  /** Subscribes a receiver that outlasts connections to a well-formed filter, which may be shared. */
  attach(filter: string, receiver: Member): void {
    this.#subscriptions++;
    const shared = parseShared(filter);
    if (shared === undefined) {
      this.tap(filter, receiver);
    } else {
      this.#joinGroup(receiver, filter, shared.filter);
      this.#subscriptionsChanged();
    }
  }

  /** Ends what {@link attach} began. */
  detach(filter: string, receiver: Member): void {
    this.#subscriptions--;
    const shared = parseShared(filter);
    if (shared === undefined) {
      this.untap(filter, receiver);
    } else {
      this.#leaveGroup(receiver, filter, shared.filter);
      this.#subscriptionsChanged();
    }
  }

  /** Gives a message to a member of a group again, where the one that had it did not keep it. */
  publishToGroup(message: Message, filter: string): void {
    this.#groups
      .get(filter)
      ?.pick()
      .deliver(new Publication(valuesEncoding).setMessages([message], NO_BYTES));
  }

  /** The group of a shared filter, while it has members. */
  groupOf(filter: string): ShareGroup | undefined {
    return this.#groups.get(filter);
  }

  /**
   * Whether a filter is well formed, and a client may subscribe to it.
   *
   * @throws BrokerError `invalid-filter`, `not-authorized`.
   */
  checkMaySubscribe(access: Access, filter: string): void {
    const problem = filterProblem(filter) ?? tooDeep(filter);
    if (problem !== undefined)
      throw new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${problem}`);
    access.checkSubscribe(filter);
  }

  /**
   * Asks again what everybody who is connected may do, after the rules have changed: whoever may no longer be connected, or
   * has a filter that is no longer allowed, is disconnected with the reason. No protocol of ours could end one
   * subscription alone.
   */
  recheckAccess(): void {
    for (const client of [...this.#clients.values()]) {
      const reason = noLongerAllowed(client);
      if (reason === undefined) continue;
      this.disconnect(client);
      client.disconnect(reason);
    }
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  #countDelivered({ count, start, end }: Publication, receivers: number): void {
    this.#delivered.value += count * receivers;
    this.#deliveredBytes.value += (end - start) * receivers;
  }

  /** A client whose own filter, or another group of it, matches too gets the message once and has taken its turn. */
  #publishToGroups(publication: Publication, { channels, groups }: TargetSet, source: Source): void {
    const picked: Member[] = [];
    for (const group of groups) {
      const member = group.pick();
      if (channels.includes(member as Channel) || picked.includes(member)) continue;
      picked.push(member);
      member.deliver(publication);
      if (member.isFull) member.holdBack(source, publication);
      // A session counts for itself.
      if (member instanceof Channel) this.#countDelivered(publication, 1);
    }
  }

  #takeOver(older: Client, newer: Identity): void {
    this.disconnect(older);
    older.disconnect(
      new BrokerError('taken-over', `client ${quoted(newer.clientId)} connected again from ${newer.remote}`),
    );
  }

  #becameSlow(client: Client): void {
    this.#slowEpisodes.value++;
    const { channel, identity } = client;
    this.#logger.warn(
      {
        code: 'slow-consumer',
        client: nameForLog(identity.clientId),
        door: client.identity.door,
        remote: identity.remote,
        waitingMessages: channel.waitingMessages,
        waitingBytes: channel.waitingBytes,
        policy: this.#settings.slowConsumer,
      },
      'a subscriber does not take its messages',
    );
    if (this.#settings.slowConsumer !== 'disconnect') return;
    this.disconnect(client);
    client.disconnect(new BrokerError('slow-consumer'));
  }

  #recovered(client: Client, dropped: number): void {
    const { clientId, remote } = client.identity;
    this.#logger.info(
      { code: 'slow-consumer', client: nameForLog(clientId), door: client.identity.door, remote, dropped },
      'a slow subscriber takes messages again',
    );
  }

  #resolve(entry: TopicEntry): void {
    this.turnTime.begin();
    entry.targets = this.#interner.intern(this.#trie.match(entry.topic));
    entry.epoch = this.#epoch;
    this.turnTime.look();
  }

  #subscriptionsChanged(): void {
    this.turnTime.look();
    this.#epoch++;
    this.#interner.clear();
  }

  #joinGroup(member: Member, name: string, filter: string): void {
    this.#sharedSubscriptions++;
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new ShareGroup();
      this.#groups.set(name, group);
      this.#trie.insert(filter, group);
    }
    group.add(member);
  }

  #leaveGroup(member: Member, name: string, filter: string): void {
    this.#sharedSubscriptions--;
    const group = this.#groups.get(name)!;
    group.remove(member);
    if (!group.isEmpty) return;
    this.#groups.delete(name);
    this.#trie.remove(filter, group);
  }
}

const NO_BYTES = new Uint8Array(0);
/** Channels for which a run is worth a look at the clock. */
const MANY_CHANNELS = 64;
// ignoreBOM keeps a leading U+FEFF, which is a character of a name like any other (MQTT 5, section 1.5.4).
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Why a client may not stay as it is, if it may not. */
function noLongerAllowed(client: Client): BrokerError | undefined {
  const { access } = client;
  try {
    access.checkConnect();
    for (const filter of client.allFilters()) access.checkSubscribe(filter);
    return undefined;
  } catch (error) {
    return error as BrokerError;
  }
}

/**
 * A client id alone takes nothing over that belongs to a user. What an anonymous client left may be taken by anybody.
 *
 * @throws BrokerError `not-authorized`.
 */
export function checkOwner(owner: string | undefined, { user, clientId }: Identity): void {
  if (owner === undefined || owner === user) return;
  throw new BrokerError('not-authorized', `client id ${quoted(clientId)} belongs to another user`);
}

function publishableTopic(bytes: Uint8Array): string {
  let topic: string;
  try {
    topic = strictUtf8.decode(bytes);
  } catch {
    throw new BrokerError('invalid-topic', 'the topic is not UTF-8');
  }
  const problem = topicNameProblem(topic);
  if (problem !== undefined) throw new BrokerError('invalid-topic', `topic ${quoted(topic)}: ${problem}`);
  const reserved = reservedTopicProblem(topic);
  if (reserved !== undefined) throw new BrokerError('reserved-topic', `topic ${quoted(topic)}: ${reserved}`);
  return topic;
}

function tooDeep(filter: string): string | undefined {
  if (!/[+#]/.test(filter)) return undefined;
  const levels = filter.split('/').length;
  return levels > maxFilterLevels
    ? `${levels} levels; with wildcards at most ${maxFilterLevels} are accepted`
    : undefined;
}
