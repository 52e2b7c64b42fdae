import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Access } from '../../access/access.ts';
import { problemOf } from '../../admin/problems.ts';
import type { Client, ClientHost } from '../../broker/client.ts';
import type { Source } from '../../broker/delivery/channel.ts';
import { type Encoding, Publication } from '../../broker/delivery/publication.ts';
import type { Session } from '../../broker/sessions/session.ts';
import { join, type Subscription, simpleSubscription } from '../../broker/sessions/subscription.ts';
import { BrokerError, nameForLog } from '../../errors.ts';
import { type Reading, Replay, type ReplayedMessage, type ReplayTarget } from '../../live/replay.ts';
import type { ReadFrom, ReplayStart } from '../../live/replay-filter.ts';
import type { PartitionLog } from '../../log/partition-log.ts';
import type { Fates } from '../../observe/fates.ts';
import { parseShared } from '../../topic.ts';
import { clientFields, tellDisconnected } from '../clients/connection-log.ts';
import { PlainOutlet } from '../clients/plain-outlet.ts';
import { RetainedFeeds } from '../clients/retained-feeds.ts';
import type { DoorParts } from '../door.ts';
import { encodeRetained, eventOf } from './event-encoding.ts';
import { EventIds } from './event-ids.ts';
import type { HttpSocket, OpenAnswer } from './http-socket.ts';
import { OutgoingPace } from './request-limits.ts';

export interface StreamOptions {
  access: Access;
  /** The connection that becomes the stream. */
  socket: HttpSocket;
  fates: Fates;
  /** Of live messages; the same for all streams of the door, so that each message is written once for all of them. */
  encoding: Encoding;
  filter: string;
  start: ReplayStart | undefined;
  /** Where the client was before; undefined where this is its first stream. */
  positions: ReadonlyMap<PartitionLog, ReadFrom> | undefined;
  /** Whether topics that a log keeps are read there: not those of a group, which has no place in a log. */
  readsLogs: boolean;
  closed(): void;
}

/**
 * One answer that goes on: what a filter matches, as server-sent events. Topics that a log keeps are read there, so that
 * each event has a place and the stream can go on after it; all others come live.
 */
export class EventStream implements ClientHost, OpenAnswer, ReplayTarget {
  readonly #parts: DoorParts;
  readonly #response: ServerResponse;
  readonly #options: StreamOptions;
  readonly #ids = new EventIds();
  #client: Client | undefined;
  /** Messages that it sent before it ended. */
  #sentBefore = 0;
  #session: Session | undefined;
  readonly #pace: OutgoingPace;
  /** Messages that the pace has counted. */
  #paced = 0;
  #retainedFeeds: RetainedFeeds | undefined;
  #replay: Replay | undefined;

  constructor(parts: DoorParts, response: ServerResponse, options: StreamOptions) {
    this.#parts = parts;
    this.#response = response;
    this.#options = options;
    this.#pace = new OutgoingPace(options.access, () => this.#goOn());
  }

  get sent(): number {
    return this.#client?.channel.delivered ?? this.#sentBefore;
  }

  get waiting(): number {
    return this.#client?.channel.waitingMessages ?? 0;
  }

  /** Ends it where the credentials of its client have ended. */
  checkExpiry(nowMs: number): void {
    const expiry = this.#options.access.expiry(nowMs);
    if (expiry !== undefined) this.refuse(expiry);
  }

  /** Makes it a client of the broker. @throws BrokerError. */
  connect(): void {
    const { access, encoding } = this.#options;
    const { broker, sessions } = this.#parts;
    const client = broker.connect({ access, encoding, host: this });
    this.#client = client;
    this.#session = sessions.passing(access.identity, new PlainOutlet(client.channel, encodeRetained));
  }

  begin(headers: OutgoingHttpHeaders): void {
    const response = this.#response;
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.on('drain', () => this.#goOn());
    response.on('close', () => this.#leave());
    // Proxies and clients see at once that it has begun.
    response.write(':\n\n');
    this.#beginReplay();
    const subscription = simpleSubscription(this.#options.filter);
    this.#session?.subscribe(subscription);
    if (this.#isFirst && parseShared(subscription.filter) === undefined) this.#feedRetained(subscription);
  }

  /** The filter that the broker looks at again after a change of the rules. */
  standingFilters(): Iterable<string> {
    return [this.#options.filter];
  }

  write(buffers: readonly Uint8Array[]): boolean {
    const response = this.#response;
    response.cork();
    let length = 0;
    for (const bytes of buffers) {
      response.write(bytes);
      length += bytes.length;
    }
    response.uncork();
    const messages = this.sent - this.#paced;
    this.#paced += messages;
    return this.#pace.sent(length, messages) && !response.writableNeedDrain;
  }

  #goOn(): void {
    if (!this.#pace.isHeld && !this.#response.writableNeedDrain) this.#client?.channel.ready();
  }

  /** Shows proxies and clients that nothing is broken where nothing comes. */
  showLife(): void {
    if (this.#client?.channel.isDrained) this.#response.write(':\n\n');
  }

  refuse(reason: BrokerError): void {
    if (this.#client === undefined) return;
    const { fates, socket } = this.#options;
    tellDisconnected(fates, clientFields(socket, this.#client), this.#client.identity, reason);
    this.#leave();
    this.#response.end(`event: problem\ndata: ${JSON.stringify(problemOf(reason))}\n\n`);
  }

  reads(reading: Reading): void {
    this.#ids.reads(reading);
  }

  deliver(messages: readonly ReplayedMessage[], reading: Reading): void {
    const place = { log: reading.topic.name, partition: reading.partition.number };
    const events = messages.map((message) =>
      eventOf(message, this.#ids.idOf(reading, message.offset), place),
    );
    const bytes = Buffer.from(events.join(''));
    this.#client?.channel.deliver(
      new Publication(this.#options.encoding).set(bytes, 0, bytes.length, messages.length),
    );
  }

  holdsBack(source: Source): boolean {
    const channel = this.#client?.channel;
    if (channel === undefined || channel.isDrained) return false;
    channel.holdBackAsker(source);
    return true;
  }

  damaged(error: Error): void {
    const filter = nameForLog(this.#options.filter);
    this.#parts.logger.error({ filter, error: error.message }, 'a stream passes over damage');
  }

  failed(error: Error): void {
    this.refuse(new BrokerError('log-unreadable', error.message));
  }

  /** Whether the client was never here before, and does not ask for what was before. */
  get #isFirst(): boolean {
    return this.#options.start === undefined && this.#options.positions === undefined;
  }

  #feedRetained(subscription: Subscription): void {
    const { broker } = this.#parts;
    const [session, client] = [this.#session, this.#client];
    if (session === undefined || client === undefined) return;
    const feeds = new RetainedFeeds({ broker, session, channel: client.channel }, () => feeds.send());
    this.#retainedFeeds = feeds;
    const messages = broker.retained.find(subscription.filter);
    session.beginFeed(subscription.filter, { messages, match: join([subscription])! });
    feeds.send();
  }

  #beginReplay(): void {
    const { kept } = this.#parts;
    const { access, filter, start = { kind: 'latest' }, positions, readsLogs } = this.#options;
    if (kept === undefined || !readsLogs) return;
    const goesOn = positions !== undefined;
    const mayGet = (topic: string) => access.mayGet(topic);
    this.#replay = new Replay(kept.logs, { start, filter, positions, goesOn, mayGet }, this);
    this.#replay.start();
  }

  #leave(): void {
    this.#pace.close();
    this.#replay?.stop();
    this.#retainedFeeds?.stop();
    const client = this.#client;
    if (client === undefined) return;
    this.#sentBefore = client.channel.delivered;
    this.#client = undefined;
    this.#session?.unsubscribeAll();
    this.#session = undefined;
    this.#parts.broker.disconnect(client);
    this.#options.closed();
  }
}
