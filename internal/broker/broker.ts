import type { Access } from '../access/access.ts';
import type { Identity } from '../access/identity.ts';
import { BrokerError, quoted } from '../errors.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { Schedule } from '../lib/schedule.ts';
import { channelTotalBytes, maxFilterLevels } from '../limits/broker.ts';
import { Fates } from '../observe/fates.ts';
import type { Counter, Metrics } from '../observe/metrics.ts';
import { RecentFates } from '../observe/recent-fates.ts';
import { Spans } from '../observe/spans.ts';
import { Tracing } from '../observe/tracing.ts';
import { filterProblem } from '../topic.ts';
import type { Client, ClientSpec } from './client.ts';
import { Clients, type ClientsSettings } from './clients.ts';
import { type Channel, type Source, unpausable } from './delivery/channel.ts';
import { ChannelTotal } from './delivery/channel-total.ts';
import { type Message, type Numbered, Publication, type ValuesParts } from './delivery/publication.ts';
import type { Receipt } from './delivery/receipt.ts';
import { Turn } from './delivery/turn.ts';
import { TurnTime } from './delivery/turn-time.ts';
import { beginPublishSpan, endWhenSettled } from './publish-span.ts';
import { Retained, type RetainedBounds, type RetainedStore } from './retained/retained.ts';
import type { InterestListener } from './routing/interest.ts';
import { Routes } from './routing/routes.ts';
import type { Member, ShareGroup, TargetSet } from './routing/targets.ts';
import type { TopicEntry } from './routing/topic-table.ts';
import { traceMember, tracePublication } from './trace-publication.ts';

export type { Logger } from '../lib/logger.ts';

export interface BrokerSettings extends ClientsSettings {
  /** Bytes that wait for all subscribers together. */
  channelTotalBytes?: number;
}

/** Who looks at everything that is published, before anybody has it. */
export interface PublicationWatcher {
  published(publication: Publication): void;
}

/** What a publisher knows of a message that is there as values. */
export interface PublishParts extends ValuesParts {
  /** Where its topic leads. */
  targets?: TargetSet;
  /** Pauses while a subscriber is full. */
  source?: Source;
  /** Whose bytes they are, if the message is retained. Default: the client's of its id. */
  publisher?: Identity | undefined;
}

export interface BrokerParts {
  settings: BrokerSettings;
  metrics: Metrics;
  logger: Logger;
  /** What time it is. Default: the machine's clock. */
  clock?: Clock;
  /** Where retained messages last. Default: in memory only. */
  retainedStore?: RetainedStore;
  /** What a publisher may have retained. Default: as much as all may. */
  retainedBounds?: RetainedBounds;
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
  /** Everything that is due at a time of day. */
  readonly schedule: Schedule;
  /** Where everybody tells what became of a message or a connection. */
  readonly fates: Fates;
  /** Who looks at messages on their way. */
  readonly tracing: Tracing;
  /** What messages that belong to a trace meet, for those who look at whole traces. */
  readonly spans: Spans;
  /** When publishers give way to others. */
  readonly turnTime: TurnTime;
  readonly routes: Routes;
  readonly #clients: Clients;
  #watchers: readonly PublicationWatcher[] | undefined;
  readonly #received: Counter;
  readonly #receivedBytes: Counter;
  readonly #delivered: Counter;
  readonly #deliveredBytes: Counter;

  constructor(parts: BrokerParts) {
    const { settings, metrics, logger, clock = systemClock, afterReads } = parts;
    this.clock = clock;
    this.turnTime = new TurnTime(undefined, afterReads);
    this.routes = new Routes(this.turnTime);
    this.schedule = new Schedule(clock);
    this.retained = new Retained(metrics, this.schedule, parts.retainedStore, parts.retainedBounds);
    const total = new ChannelTotal(settings.channelTotalBytes ?? channelTotalBytes);
    this.fates = new Fates(metrics, logger, new RecentFates(clock));
    const { fates } = this;
    this.tracing = new Tracing(clock);
    this.spans = new Spans(clock);
    fates.onFate(this.tracing.tellFate);
    this.#clients = new Clients({ settings, metrics, fates, logger, turn: new Turn(afterReads), total });
    metrics.gauge('channel_bytes_waiting', () => total.bytes);
    metrics.gauge('shared_subscriptions', () => this.routes.memberships);
    metrics.gauge('subscribed_filters', () => this.routes.interest.size);
    metrics.gauge('traces', () => this.tracing.count);
    metrics.gauge('topics_remembered', () => this.routes.topicsRemembered);
    metrics.countedElsewhere('retained_refused_total', () => this.#refusedRetained());
    this.#received = metrics.counter('messages_received_total');
    this.#receivedBytes = metrics.counter('message_bytes_received_total');
    this.#delivered = metrics.counter('messages_delivered_total');
    this.#deliveredBytes = metrics.counter('message_bytes_delivered_total');
  }

  get clientCount(): number {
    return this.#clients.count;
  }

  /** The client of this id that is connected. */
  readonly clientOf = (clientId: string): Client | undefined => this.#clients.get(clientId);

  /** Everybody who is connected. */
  clients(): Iterable<Client> {
    return this.#clients.all();
  }

  /** Calls `listener` for each client that is let in: {@link Clients.onConnected}. */
  onConnected(listener: (client: Client) => void): () => void {
    return this.#clients.onConnected(listener);
  }

  /** Lets in a client: {@link Clients.connect}. @throws BrokerError `not-authorized`, `too-many-clients`. */
  connect(spec: ClientSpec): Client {
    return this.#clients.connect(spec);
  }

  /** Forgets a client whose connection has ended: {@link Clients.disconnect}. */
  disconnect(client: Client): void {
    this.#clients.disconnect(client);
  }

  /** Ends the connection of a client, if it is there: {@link Clients.end}. */
  endClient(clientId: string, reason: BrokerError): void {
    this.#clients.end(clientId, reason);
  }

  /** Asks again what everybody who is connected may do: {@link Clients.recheckAccess}. */
  recheckAccess(clients?: Iterable<Client>): void {
    this.#clients.recheckAccess(clients);
  }

  /** Gives every message of a well-formed filter to a receiver: {@link Routes.attach}. */
  attach(filter: string, receiver: Member): void {
    this.routes.attach(filter, receiver);
  }

  /** Ends what {@link attach} began. */
  detach(filter: string, receiver: Member): void {
    this.routes.detach(filter, receiver);
  }

  /** The entry of the topic that lies in these bytes: {@link Routes.topic}. @throws BrokerError. */
  topic(bytes: DataView, start: number, end: number): TopicEntry {
    return this.routes.topic(bytes, start, end);
  }

  /** Counts messages that were published to a topic. */
  count(entry: TopicEntry, messages: number): void {
    entry.count(messages, this.routes.nowS);
  }

  /** Where an entry leads now, for one that was kept since it was found. */
  targetsOf(entry: TopicEntry): TargetSet {
    return this.routes.targetsOf(entry);
  }

  /** The group of a shared filter, while it has members. */
  groupOf(filter: string): ShareGroup | undefined {
    return this.routes.groupOf(filter);
  }

  /** Calls `listener` for each filter that gets its first subscriber or loses its last one; see {@link Interest}. */
  onInterest(listener: InterestListener): () => void {
    return this.routes.interest.onChange(listener);
  }

  /** Whether somebody looks at everything, what is read from logs too. */
  get isWatched(): boolean {
    return this.#watchers !== undefined;
  }

  /** Shows everything that clients, logs and apps publish from now on to a watcher, but not what the broker tells of itself. */
  watch(watcher: PublicationWatcher): void {
    this.#watchers = [...(this.#watchers ?? []), watcher];
  }

  /** Sends a run to all its targets; `source` pauses if one of them is full. */
  publish(publication: Publication, targets: TargetSet, source: Source): void {
    this.#received.value += publication.count;
    this.#receivedBytes.value += publication.end - publication.start;
    if (this.#watchers !== undefined) for (const watcher of this.#watchers) watcher.published(publication);
    this.#spread(publication, targets, source);
  }

  /** Sends to its targets here what another node has sent: its logs and its groups have it. */
  publishRouted(publication: Publication, targets: TargetSet, source: Source): void {
    this.#spread(publication, targets, source);
  }

  /** Gives to a member of a group here what another node has sent because it is this node's turn. */
  publishRoutedToGroup(publication: Publication, filter: string): void {
    const group = this.routes.groupOf(filter);
    const member = group && this.routes.pick(group, publication);
    member?.deliver(publication);
  }

  #spread(publication: Publication, targets: TargetSet, source: Source): void {
    if (this.tracing.isOn) tracePublication(this.tracing, publication, targets, this.clientOf);
    const { channels, receivers, groups } = targets;
    const isCostly = channels.length > MANY_CHANNELS || receivers.length > 0 || groups.length > 0;
    if (isCostly) this.turnTime.begin();
    for (let index = 0; index < channels.length; index++) {
      const channel = channels[index]!;
      channel.deliver(publication);
      if (channel.isFull) channel.holdBack(source);
    }
    for (let index = 0; index < receivers.length; index++) {
      const receiver = receivers[index]!;
      receiver.deliver(publication);
      if (receiver.isFull) receiver.holdBack(source, publication);
    }
    this.#countDelivered(publication, channels.length);
    if (groups.length > 0 && !publication.isRouted) this.#publishToGroups(publication, targets, source);
    if (isCostly) this.turnTime.look();
  }

  /**
   * Publishes a message that is there as values: one that is more than topic and payload, a will, or one of the
   * broker's own.
   */
  publishMessage(message: Message, parts: PublishParts = {}): void {
    const { targets = this.routes.use(message.topic), source = unpausable, receipt } = parts;
    const span = this.spans.isOn ? beginPublishSpan(this.spans, message, parts.publisher) : undefined;
    if (message.retain) {
      this.retained.set(message, receipt, parts.publisher);
      this.#awaitRetainedStore(message, source);
    }
    this.publish(Publication.ofMessages([message], parts), targets, source);
    if (span !== undefined) endWhenSettled(span, receipt);
  }

  /** A publisher that asked for nothing waits only for what others like it brought, not for what sessions keep. */
  #awaitRetainedStore({ qos = 0 }: Message, source: Source): void {
    const { store } = this.retained;
    if (qos > 0 ? store.isBehind : store.isBehindWithRetained) store.holdBack(source);
  }

  /** Gives a message that came again, because it was not safe, to those who keep it. Its subscribers have it. */
  redeliverToDurable(
    message: Message,
    { receivers }: TargetSet,
    source: Source,
    receipt: Receipt,
    numbered?: Numbered,
  ): void {
    const publication = Publication.ofMessages([message], { receipt, numbered });
    for (const receiver of receivers) {
      if (!receiver.isDurable) continue;
      receiver.deliver(publication);
      if (receiver.isFull) receiver.holdBack(source, publication);
    }
  }

  /** Publishes what the broker tells about itself under a topic of its own; for later subscribers too. */
  publishOwn(topic: string, text: string): void {
    const message: Message = { topic, payload: Buffer.from(text), clientId: '', retain: true };
    this.retained.restore(message);
    this.#spread(Publication.ofMessages([message]), this.routes.match(topic), unpausable);
  }

  /** Gives a message to a member of a group again, where the one that had it did not keep it. */
  publishToGroup(message: Message, filter: string): void {
    const group = this.routes.groupOf(filter);
    const publication = Publication.ofMessages([message]);
    if (group !== undefined) this.routes.pick(group, publication)?.deliver(publication);
  }

  /**
   * Whether a filter is well formed, and a client may subscribe to it.
   *
   * @throws BrokerError `invalid-filter`, `not-authorized`.
   */
  checkMaySubscribe(access: Access, filter: string): void {
    const problem = filterProblem(filter) ?? tooDeep(filter);
    if (problem !== undefined)
      throw new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${problem}`, { topic: filter });
    access.checkSubscribe(filter);
  }

  /** Who publishes such a message is told, and where that is a will nobody is. */
  #refusedRetained(): number {
    const { fates } = this;
    return (
      fates.counter('refused', 'too-many-retained').value +
      fates.counter('dropped', 'too-many-retained').value
    );
  }

  #countDelivered({ count, start, end }: Publication, receivers: number): void {
    this.#delivered.value += count * receivers;
    this.#deliveredBytes.value += (end - start) * receivers;
  }

  /** A client that gets each message once may have it by a filter of its own, or by another group, and has taken its turn. */
  #publishToGroups(publication: Publication, { channels, groups }: TargetSet, source: Source): void {
    const served: Channel[] = [];
    for (const group of groups) {
      const member = this.routes.pick(group, publication);
      if (member === undefined) continue;
      const { onceBy } = member;
      if (onceBy !== undefined) {
        if (channels.includes(onceBy) || served.includes(onceBy)) continue;
        served.push(onceBy);
      }
      if (this.tracing.isOn) traceMember(this.tracing, publication, member);
      member.deliver(publication);
      if (member.isFull) member.holdBack(source, publication);
    }
  }
}

/** Channels for which a run is worth a look at the clock. */
const MANY_CHANNELS = 64;

function tooDeep(filter: string): string | undefined {
  if (!/[+#]/.test(filter)) return undefined;
  const levels = filter.split('/').length;
  return levels > maxFilterLevels
    ? `${levels} levels; with wildcards at most ${maxFilterLevels} are accepted`
    : undefined;
}
