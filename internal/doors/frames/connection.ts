import type { Broker, Logger } from '../../broker/broker.ts';
import type { Sink, Source } from '../../broker/channel.ts';
import type { Client } from '../../broker/client.ts';
import { Publication } from '../../broker/publication.ts';
import type { TargetSet } from '../../broker/targets.ts';
import type { TopicEntry } from '../../broker/topic-table.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { bytesPerTurn, controlFramesPerTurn, maxWaitingControlBytes } from '../../limits.ts';
import { isReplay } from '../../live/replay-filter.ts';
import type { Logs } from '../../log/logs.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { FrameCursor, isAt } from '../../protocol/frame/cursor.ts';
import {
  encodeFrame,
  type Frame,
  FrameError,
  FrameType,
  frameSize,
  isKnownType,
  RESERVED_TYPE_BITS,
  writeFrame,
} from '../../protocol/frame/frame.ts';
import { PartialFrame } from '../../protocol/frame/partial.ts';
import { countRepeats } from '../../protocol/frame/repeats.ts';
import { parseShared } from '../../topic.ts';
import type { Connection, ConnectionHandler } from '../../transport/connection.ts';
import { frameEncoding } from './encoding.ts';
import { Replays } from './replays.ts';
import { RetainedFeeds } from './retained-feeds.ts';

export interface FrameConnectionParts {
  broker: Broker;
  /** What the broker keeps, where it keeps anything. */
  logs?: Logs;
  metrics: Metrics;
  log: Logger;
  maxMessageBytes: number;
  closed(): void;
}

const NO_BYTES = new Uint8Array(0);
const utf8 = new TextEncoder();
/** Room for frames that are written anew with the real client id. */
const REWRITTEN_SLAB_BYTES = 64 * 1024;

/**
 * One client of the frames' door: finds the frames in what arrives, cuts the PUBLISHes among them into runs, and
 * answers the rest.
 */
export class FrameConnection implements ConnectionHandler, Sink, Source {
  /** When something last arrived, by `performance.now()`. */
  lastHeardAt: number;

  readonly #connection: Connection;
  readonly #broker: Broker;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #closed: () => void;
  readonly #logs: Logs | undefined;
  /** Made when the first is asked for: few clients have any. */
  #retainedFeeds: RetainedFeeds | undefined;
  #replays: Replays | undefined;
  readonly #cursor: FrameCursor;
  // Reused: runs this short are copied by everybody who gets them (limits.ts, copiedSliceBytes).
  readonly #partial = new PartialFrame(true);
  readonly #publication = new Publication(frameEncoding);

  #client: Client | undefined;
  #clientId = NO_BYTES;
  /** Topics that this client may publish to; kept only where somebody decides about that. */
  readonly #permitted: WeakSet<TopicEntry> | undefined;
  /** Whether what arrives is no longer looked at. */
  #isDeaf = false;
  /** Whether this connection had its last word. */
  #isEnding = false;
  #pauses = 0;
  #controlFramesInARow = 0;
  /** While this client gives way to others: what is left of the chunk in hand, and what came after it. */
  #postponed: Uint8Array[] | undefined;

  // The run in hand: messages with the same targets that lie one behind the other.
  #runBytes: Uint8Array = NO_BYTES;
  #runStart = 0;
  #runEnd = 0;
  #runCount = 0;
  #runTargets: TargetSet | undefined;

  #rewritten = NO_BYTES;
  #rewrittenEnd = 0;

  constructor(connection: Connection, parts: FrameConnectionParts) {
    this.#connection = connection;
    this.#broker = parts.broker;
    this.#metrics = parts.metrics;
    this.#log = parts.log;
    this.#closed = parts.closed;
    this.#logs = parts.logs;
    this.#cursor = new FrameCursor(parts.maxMessageBytes);
    this.#permitted = parts.broker.everybodyMayPublish ? undefined : new WeakSet();
    this.lastHeardAt = connection.openedAt;
    connection.handler = this;
  }

  get openedAt(): number {
    return this.#connection.openedAt;
  }

  get isConnected(): boolean {
    return this.#client !== undefined || this.#isEnding;
  }

  /** Whether the broker itself keeps this client from being heard. */
  get isHeldBack(): boolean {
    return this.#pauses > 0 || this.#postponed !== undefined;
  }

  /** Whether something that has arrived waits for its turn. */
  get hasPostponed(): boolean {
    return this.#postponed !== undefined;
  }

  get hasSubscriptions(): boolean {
    const hasReplays = this.#replays !== undefined && !this.#replays.isEmpty;
    return this.#client !== undefined && (this.#client.filters.size > 0 || hasReplays);
  }

  /** Whether nothing waits to be sent to this client. */
  get isDrained(): boolean {
    return this.#client === undefined || this.#client.channel.isDrained;
  }

  bytes(chunk: Uint8Array): void {
    if (this.#isDeaf) return;
    this.lastHeardAt = performance.now();
    try {
      this.#takeChunk(chunk);
    } catch (error) {
      this.refuse(refusalOf(error, this.#log));
    }
  }

  drained(): void {
    this.#client?.channel.ready();
  }

  ended(): void {
    this.#client?.channel.flush();
    this.#leave();
    this.#isEnding = true;
    this.#connection.end();
  }

  closed(error?: Error): void {
    this.#isDeaf = true;
    if (this.#client !== undefined) {
      const fields = { ...this.#who(), code: 'connection-lost', error: error?.message };
      this.#log.debug(fields, 'a client is gone without DISCONNECT');
    }
    this.#leave();
    this.#isEnding = true;
    this.#closed();
  }

  write(buffers: readonly Uint8Array[]): boolean {
    // Somebody who was dismissed may still ask something; the last word has been said.
    if (this.#isEnding) return true;
    return this.#connection.write(buffers);
  }

  pause(): void {
    if (this.#isDeaf) return;
    this.#pauses++;
    this.#connection.pause();
  }

  resume(): void {
    // Nobody holds back a client that is not listened to any more, though some still believe they do.
    if (this.#pauses === 0) return;
    this.#pauses--;
    // The time in which the client could not be heard does not count against it.
    this.lastHeardAt = performance.now();
    this.#connection.resume();
    if (this.#postponed !== undefined) setImmediate(() => this.#goOn());
  }

  allow(ms: number): void {
    this.#connection.openedAt += ms;
    this.lastHeardAt += ms;
  }

  /** Tells the client why and closes. */
  refuse(reason: BrokerError): void {
    if (this.#isEnding) return;
    this.#goDeaf();
    this.#logEnd(reason);
    this.#client?.channel.flush();
    this.#leave();
    this.#lastWord(reason);
  }

  /** Tells the client to go, and still takes what it had already sent. */
  dismiss(reason: BrokerError): void {
    if (this.#client === undefined) {
      this.refuse(reason);
    } else if (!this.#isEnding) {
      this.#lastWord(reason);
    }
  }

  /** Looks at nothing more that arrives. */
  stopReading(): void {
    this.#goDeaf();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #takeChunk(chunk: Uint8Array): void {
    let at = 0;
    if (!this.#partial.isEmpty) {
      at = this.#partial.fill(chunk, this.#cursor);
      const whole = this.#partial.takeWhole(this.#cursor);
      if (whole === undefined) return;
      this.#takeFrames(whole, 0);
    }
    at = this.#takeFrames(chunk, at);
    if (at === chunk.length || this.#isDeaf) return;
    // While something is postponed nothing is taken from what comes after it.
    if (this.#postponed === undefined) this.#partial.keep(chunk, at, chunk.length);
    else this.#postponed.push(chunk.subarray(at));
  }

  /** Takes the whole frames from `at` on, as many as one turn may, and returns where the last of them ends. */
  #takeFrames(bytes: Uint8Array, at: number): number {
    const cursor = this.#cursor;
    const limit = bytes.length;
    const stop = Math.min(limit, at + bytesPerTurn);
    const view = new DataView(bytes.buffer, bytes.byteOffset, limit);
    try {
      while (at < stop && !this.#isDeaf && this.#postponed === undefined) {
        // Said before the frame is whole: what begins like this may never become one.
        if (this.#client === undefined && bytes[at] !== FrameType.connect) throw notConnected(bytes[at]!);
        if (!cursor.read(bytes, at, limit)) break;
        const next = cursor.end;
        if (cursor.type === FrameType.publish && this.#client !== undefined) {
          at = this.#takePublish(bytes, view, at, limit);
        } else {
          this.#publishRun();
          this.#takeControl(cursor.frame(bytes));
          if (++this.#controlFramesInARow === controlFramesPerTurn) this.#giveWay();
          at = next;
        }
      }
    } finally {
      this.#publishRun();
    }
    if (at >= stop && at < limit) this.#giveWay();
    return at;
  }

  /**
   * Adds the PUBLISH under the cursor to the run in hand, and all that follow it with the same topic, sender and
   * size: they need no second look, and a stream of equal messages is the most usual of all. Returns where the
   * last one ends.
   */
  #takePublish(bytes: Uint8Array, view: DataView, at: number, limit: number): number {
    const cursor = this.#cursor;
    const { topicStart, topicEnd, payloadStart, payloadEnd, clientIdStart, end } = cursor;
    const topic = this.#topicAt(view, topicStart, topicEnd);
    const { targets } = topic;
    if (!isAt(this.#clientId, bytes, clientIdStart, end)) {
      this.#takeRewritten(bytes, topic);
      return end;
    }
    if (this.#runTargets !== targets || this.#runBytes !== bytes || this.#runEnd !== at) {
      this.#publishRun();
      this.#runTargets = targets;
      this.#runBytes = bytes;
      this.#runStart = at;
    }
    let count = 1;
    let next = end;
    if (targets.groups.length === 0) {
      const size = end - at;
      count += countRepeats(view, next, limit, size, payloadStart - at, payloadEnd - at);
      next += (count - 1) * size;
    }
    this.#runEnd = next;
    this.#runCount += count;
    if (targets.groups.length > 0) this.#publishRun();
    return next;
  }

  /** A delivered frame carries the id that its sender gave at CONNECT, whatever it wrote into the message. */
  #takeRewritten(bytes: Uint8Array, topic: TopicEntry): void {
    const { payloadStart, payloadEnd } = this.#cursor;
    const size = frameSize(topic.bytes.length, payloadEnd - payloadStart, this.#clientId.length);
    if (this.#rewritten.length - this.#rewrittenEnd < size) {
      this.#publishRun();
      // A frame without an id may become 6,000 times as long: no more than a slab of them in one turn.
      if (this.#rewrittenEnd > 0) this.#giveWay();
      this.#rewritten = new Uint8Array(Math.max(size, REWRITTEN_SLAB_BYTES));
      this.#rewrittenEnd = 0;
    }
    const start = this.#rewrittenEnd;
    const { targets } = topic;
    if (this.#runTargets !== targets || this.#runBytes !== this.#rewritten || this.#runEnd !== start) {
      this.#publishRun();
      this.#runTargets = targets;
      this.#runBytes = this.#rewritten;
      this.#runStart = start;
    }
    const payload = bytes.subarray(payloadStart, payloadEnd);
    this.#rewrittenEnd = writeFrame(
      this.#rewritten,
      start,
      FrameType.publish,
      topic.bytes,
      payload,
      this.#clientId,
    );
    this.#runEnd = this.#rewrittenEnd;
    this.#runCount++;
    if (targets.groups.length > 0) this.#publishRun();
  }

  #publishRun(): void {
    if (this.#runCount === 0) return;
    const count = this.#runCount;
    this.#runCount = 0;
    this.#publication.set(this.#runBytes, this.#runStart, this.#runEnd, count);
    this.#broker.publish(this.#publication, this.#runTargets!, this);
    this.#runTargets = undefined;
    this.#runBytes = NO_BYTES;
  }

  #topicAt(bytes: DataView, start: number, end: number): TopicEntry {
    const topic = this.#broker.topic(bytes, start, end);
    if (this.#permitted !== undefined && !this.#permitted.has(topic)) {
      this.#broker.checkMayPublish(this.#client!.identity, topic);
      this.#permitted.add(topic);
    }
    return topic;
  }

  /**
   * Lets the others have their turn after the frame in hand, in the middle of a chunk too: a client that subscribes
   * to 100,000 filters at once must not stop them, and what one chunk makes of itself must have a bound.
   */
  #giveWay(): void {
    if (this.#postponed !== undefined || this.#isDeaf) return;
    this.#postponed = [];
    this.#connection.pause();
    setImmediate(() => this.#goOn());
  }

  /** Takes what was postponed, once nobody holds this client back. */
  #goOn(): void {
    const postponed = this.#postponed;
    if (postponed === undefined || this.#pauses > 0) return;
    this.#postponed = undefined;
    this.#controlFramesInARow = 0;
    for (const chunk of postponed) this.bytes(chunk);
    this.#connection.resume();
  }

  /** From now on what arrives is read and thrown away, so that the last word finds its way to the client. */
  #goDeaf(): void {
    this.#isDeaf = true;
    if (this.#postponed !== undefined) {
      this.#postponed = undefined;
      this.#connection.resume();
    }
    for (; this.#pauses > 0; this.#pauses--) this.#connection.resume();
  }

  #takeControl(frame: Frame): void {
    if (this.#client === undefined) {
      this.#connect(frame);
      return;
    }
    switch (frame.type) {
      case FrameType.subscribe:
        this.#subscribe(this.#client, frame.topic);
        return;
      case FrameType.unsubscribe:
        this.#broker.unsubscribe(this.#client, frame.topic);
        this.#replays?.end(frame.topic);
        this.#answer(FrameType.unsuback, frame.topic);
        return;
      case FrameType.ping:
        this.#answer(FrameType.pong, '');
        return;
      case FrameType.disconnect:
        this.#goDeaf();
        this.#client.channel.flush();
        this.#leave();
        this.#isEnding = true;
        this.#connection.end();
        return;
      default:
        this.#takeUnexpected(frame);
    }
  }

  /** A later version may know more types; one that does not matter to this version is passed over. */
  #takeUnexpected({ type }: Frame): void {
    if (isKnownType(type))
      throw new BrokerError('unexpected-frame', `type ${type} came from a connected client`);
    if ((type & RESERVED_TYPE_BITS) !== 0) {
      throw new BrokerError('reserved-bits', `the type byte is 0x${type.toString(16)}`);
    }
    this.#log.debug({ ...this.#who(), type }, 'a frame of an unknown type was passed over');
  }

  #subscribe(client: Client, filter: string): void {
    if (isReplay(filter)) {
      this.#broker.checkMaySubscribe(client.identity, filter);
      this.#replays ??= new Replays(this.#logs, this.#metrics, this.#log);
      this.#replays.begin(filter, client);
    } else if (this.#broker.subscribe(client, filter)) {
      this.#answer(FrameType.suback, filter);
      if (parseShared(filter) === undefined && this.#broker.retained.count > 0) {
        this.#retainedFeeds ??= new RetainedFeeds(client);
        this.#retainedFeeds.add(filter, this.#broker.retained.find(filter));
      }
      return;
    }
    this.#answer(FrameType.suback, filter);
  }

  #connect({ clientId }: Frame): void {
    if (clientId === '') throw new BrokerError('invalid-client-id', 'the client id is empty');
    if (clientId.includes('\0')) throw new BrokerError('invalid-client-id', 'the client id has a NUL byte');
    const { remote, certificateName } = this.#connection;
    this.#clientId = utf8.encode(clientId);
    this.#client = this.#broker.connect({
      identity: { clientId, remote, certificateName },
      encoding: frameEncoding,
      sink: this,
      source: this,
      disconnect: (reason) => this.refuse(reason),
    });
    this.#answer(FrameType.connack, '');
    this.#log.debug(this.#who(), 'a client connected');
  }

  #answer(type: FrameType, topic: string): void {
    const { channel } = this.#client!;
    channel.control(encodeFrame(type, topic, NO_BYTES, this.#clientId));
    if (channel.waitingControlBytes <= maxWaitingControlBytes) return;
    channel.holdBackAsker(this);
    this.#giveWay();
  }

  #leave(): void {
    const client = this.#client;
    if (client === undefined) return;
    this.#client = undefined;
    this.#replays?.endAll();
    this.#broker.disconnect(client);
  }

  #lastWord(reason: BrokerError): void {
    this.#isEnding = true;
    const label = { name: 'code', value: reason.code };
    this.#metrics.counter('disconnects_total', 'Clients that the broker disconnected.', label).value++;
    this.#connection.end(encodeFrame(FrameType.disconnect, '', reason.message, this.#clientId));
  }

  #logEnd(reason: BrokerError): void {
    const fields = { ...this.#who(), code: reason.code, reason: reason.message };
    if (reason.code === 'server-shutdown') this.#log.debug(fields, 'a client was disconnected');
    else this.#log.info(fields, 'a client was disconnected');
  }

  #who(): object {
    const { remote, listener } = this.#connection;
    const clientId = this.#client?.identity.clientId;
    return clientId === undefined ? { remote, listener } : { client: quoted(clientId), remote };
  }
}

function notConnected(type: number): BrokerError {
  return new BrokerError('not-connected', `the first frame has type ${type}, not CONNECT (0)`);
}

function refusalOf(error: unknown, log: Logger): BrokerError {
  if (error instanceof BrokerError) return error;
  if (error instanceof FrameError) {
    if (error.code === 'payload-too-large') return new BrokerError('message-too-large', error.message);
    return new BrokerError(
      error.message.startsWith('client id') ? 'invalid-client-id' : 'invalid-topic',
      error.message,
    );
  }
  log.error({ code: 'internal-error', error: (error as Error).stack }, 'a bug of the broker');
  return new BrokerError('internal-error');
}
