import type { Sink, Source } from '../../broker/channel.ts';
import type { Outbox, OutboxStep } from '../../broker/outbox.ts';
import { Publication } from '../../broker/publication.ts';
import type { Sessions } from '../../broker/sessions.ts';
import type { TargetSet } from '../../broker/targets.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { bytesPerTurn, controlFramesPerTurn, maxWaitingControlBytes } from '../../limits.ts';
import { PacketCursor } from '../../protocol/mqtt/cursor.ts';
import { decodePacket } from '../../protocol/mqtt/decode.ts';
import { encodePacket } from '../../protocol/mqtt/encode.ts';
import {
  type Connect,
  type Disconnect,
  PACKET_NAMES,
  type Packet,
  PacketType,
  type PublishAnswer,
  type Version,
} from '../../protocol/mqtt/packet.ts';
import { PartialPacket } from '../../protocol/mqtt/partial.ts';
import { NO_PROPERTIES } from '../../protocol/mqtt/properties.ts';
import { PublishFields } from '../../protocol/mqtt/publish-fields.ts';
import { FIRST_FAILURE, ReasonCode } from '../../protocol/mqtt/reason-codes.ts';
import { countRepeats } from '../../protocol/mqtt/repeats.ts';
import type { Connection, ConnectionHandler } from '../../transport/connection.ts';
import { encodeWithReason } from './answers.ts';
import { connectAnswer } from './connect-answer.ts';
import { type Connected, connectedOf, type MqttConnectionParts } from './connected.ts';
import { encodingOf } from './encoding.ts';
import { type Agreement, negotiate, secondsToMs } from './negotiate.ts';
import { reasonCodeOf, refusalOf } from './refusals.ts';

const NO_BYTES = new Uint8Array(0);
const PINGRESP = Uint8Array.of(PacketType.pingresp << 4, 0);
/** The first byte of a PUBLISH with QoS 0, without DUP and RETAIN. */
const PLAIN_PUBLISH = PacketType.publish << 4;
/** What only a server sends, and what a client sends but once. */
const NEVER_FROM_CLIENTS: ReadonlySet<number> = new Set([
  PacketType.connect,
  PacketType.connack,
  PacketType.suback,
  PacketType.unsuback,
  PacketType.pingresp,
]);

/**
 * One client of the MQTT door: finds the packets in what arrives, cuts plain PUBLISHes among them into runs, and
 * answers the rest.
 */
export class MqttConnection implements ConnectionHandler, Sink, Source {
  /** When something last arrived, by `performance.now()`. */
  lastHeardAt: number;

  readonly #connection: Connection;
  readonly #parts: MqttConnectionParts;
  readonly #cursor: PacketCursor;
  readonly #partial = new PartialPacket();
  readonly #fields = new PublishFields();
  #connected: Connected | undefined;
  #version: Version = 4;
  /** Whether what arrives is no longer looked at. */
  #isDeaf = false;
  /** Whether this connection had its last word. */
  #isEnding = false;
  #pauses = 0;
  #controlPacketsInARow = 0;
  /** While this client gives way to others: what is left of the chunk in hand, and what came after it. */
  #postponed: Uint8Array[] | undefined;
  #isSendScheduled = false;
  /** What is to be sent once the store has the will of the client. */
  #held: Uint8Array[] | undefined;

  // The run in hand: plain messages with the same targets that lie one behind the other.
  #publication: Publication | undefined;
  #runBytes: Uint8Array = NO_BYTES;
  #runStart = 0;
  #runEnd = 0;
  #runCount = 0;
  #runTargets: TargetSet | undefined;

  constructor(connection: Connection, parts: MqttConnectionParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#cursor = new PacketCursor(parts.offer.maxPacketBytes);
    this.lastHeardAt = connection.openedAt;
    connection.handler = this;
  }

  get openedAt(): number {
    return this.#connection.openedAt;
  }

  get isConnected(): boolean {
    return this.#connected !== undefined || this.#isEnding;
  }

  /** How long the client may say nothing; 0: for ever. */
  get keepAliveMs(): number {
    return this.#connected?.agreement.keepAliveMs ?? 0;
  }

  /** Whether the broker itself keeps this client from being heard. */
  get isHeldBack(): boolean {
    return this.#pauses > 0 || this.#postponed !== undefined;
  }

  get hasPostponed(): boolean {
    return this.#postponed !== undefined;
  }

  get hasSubscriptions(): boolean {
    const connected = this.#connected;
    return connected !== undefined && (connected.session.subscriptionCount > 0 || !connected.replays.isEmpty);
  }

  /** Whether nothing waits to be sent to this client. */
  get isDrained(): boolean {
    const connected = this.#connected;
    return connected === undefined || (connected.answers.waiting === 0 && connected.client.channel.isDrained);
  }

  bytes(chunk: Uint8Array): void {
    if (this.#isDeaf) return;
    this.lastHeardAt = performance.now();
    try {
      this.#takeChunk(chunk);
    } catch (error) {
      this.refuse(refusalOf(error, this.#parts.log));
    }
  }

  drained(): void {
    this.#connected?.client.channel.ready();
    this.#sendMore();
  }

  ended(): void {
    this.#release();
    this.#connected?.client.channel.flush();
    this.#leave(true);
    this.#isEnding = true;
    this.#connection.end();
  }

  closed(error?: Error): void {
    this.#isDeaf = true;
    if (this.#connected !== undefined) {
      const fields = { ...this.#who(), code: 'connection-lost', error: error?.message };
      this.#parts.log.debug(fields, 'a client is gone without DISCONNECT');
    }
    this.#leave(true);
    this.#isEnding = true;
    this.#parts.closed();
  }

  write(buffers: readonly Uint8Array[]): boolean {
    // Somebody who was dismissed may still ask something; the last word has been said.
    if (this.#isEnding) return true;
    if (this.#held !== undefined) {
      this.#held.push(...buffers);
      return false;
    }
    const hasRoom = this.#connection.write(buffers);
    if (hasRoom) this.#sendMore();
    return hasRoom;
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

  /** Tells the client why, as far as its version can, and closes. */
  refuse(reason: BrokerError): void {
    if (this.#isEnding) return;
    this.#goDeaf();
    this.#logEnd(reason);
    this.#release();
    const connected = this.#connected;
    connected?.client.channel.flush();
    this.#leave(true);
    this.#lastWord(reason, connected);
  }

  /** Tells the client to go, and still takes what it had already sent. */
  dismiss(reason: BrokerError): void {
    if (this.#connected === undefined) this.refuse(reason);
    else if (!this.#isEnding) {
      this.#release();
      this.#lastWord(reason, this.#connected);
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
      this.#takePackets(whole, 0);
    }
    if (this.#postponed === undefined) at = this.#takePackets(chunk, at);
    if (at === chunk.length || this.#isDeaf) return;
    // While something is postponed nothing is taken from what comes after it.
    if (this.#postponed === undefined) this.#partial.keep(chunk, at, chunk.length);
    else this.#postponed.push(chunk.subarray(at));
  }

  /** Takes the whole packets from `at` on, as many as one turn may, and returns where the last of them ends. */
  #takePackets(bytes: Uint8Array, at: number): number {
    const cursor = this.#cursor;
    const limit = bytes.length;
    const stop = Math.min(limit, at + bytesPerTurn);
    const view = new DataView(bytes.buffer, bytes.byteOffset, limit);
    try {
      while (at < stop && !this.#isDeaf && this.#postponed === undefined) {
        // Said before the packet is whole: what begins like this may never become one.
        if (this.#connected === undefined && bytes[at]! >>> 4 !== PacketType.connect) {
          throw notConnected(bytes[at]! >>> 4);
        }
        if (!cursor.read(bytes, at, limit)) break;
        const next = cursor.end;
        if (cursor.type === PacketType.publish && this.#connected !== undefined) {
          at = this.#takePublish(this.#connected, bytes, view, at, limit);
        } else {
          this.#publishRun();
          this.#takeControl(bytes);
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
   * Adds a plain PUBLISH under the cursor to the run in hand, and all that follow it with the same topic and size: they
   * need no second look, and a stream of equal messages is the most usual of all. Any other goes the complete way.
   * Returns where the last one ends.
   */
  #takePublish(connected: Connected, bytes: Uint8Array, view: DataView, at: number, limit: number): number {
    const { flags, bodyStart, end } = this.#cursor;
    const fields = this.#fields;
    fields.read(bytes, flags, bodyStart, end, connected.version);
    const payloadBytes = end - fields.payloadStart;
    if (payloadBytes > this.#parts.maxMessageBytes) throw this.#tooLarge(payloadBytes);
    if (bytes[at] !== PLAIN_PUBLISH || fields.properties !== NO_PROPERTIES) {
      this.#publishRun();
      connected.inbox.take(view, bytes, fields, end, at);
      this.#noteControl(connected);
      return end;
    }
    const topic = connected.inbox.plainTopic(view, bytes, fields);
    if (topic === undefined) return end;
    const { targets } = topic;
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
      count += countRepeats(view, next, limit, size, fields.payloadStart - at);
      next += (count - 1) * size;
    }
    this.#runEnd = next;
    this.#runCount += count;
    if (targets.groups.length > 0) this.#publishRun();
    return next;
  }

  #publishRun(): void {
    if (this.#runCount === 0) return;
    const count = this.#runCount;
    this.#runCount = 0;
    const publication = this.#publication!.set(this.#runBytes, this.#runStart, this.#runEnd, count);
    this.#parts.broker.publish(publication, this.#runTargets!, this);
    this.#runTargets = undefined;
    this.#runBytes = NO_BYTES;
  }

  #tooLarge(payloadBytes: number): BrokerError {
    const most = this.#parts.maxMessageBytes;
    return new BrokerError(
      'message-too-large',
      `payload of ${payloadBytes} bytes; at most ${most} are accepted`,
    );
  }

  #takeControl(bytes: Uint8Array): void {
    const connected = this.#connected;
    if (connected === undefined) {
      this.#takeConnect(bytes);
      return;
    }
    // [MQTT-3.1.0-2] whatever else it says.
    if (NEVER_FROM_CLIENTS.has(this.#cursor.type)) throw unexpected(this.#cursor.type);
    this.#answer(connected, decodePacket(bytes, this.#cursor, connected.version));
    this.#noteControl(connected);
  }

  #answer(connected: Connected, packet: Packet): void {
    const { session, answers } = connected;
    switch (packet.type) {
      case PacketType.puback:
        checkStep(session.outbox, packet, 'acknowledge');
        if (session.outbox.acknowledge(packet.packetId)) this.#sendMore();
        return;
      case PacketType.pubrec:
        checkStep(session.outbox, packet, 'receive');
        this.#takeReceived(connected, packet.packetId, packet.reasonCode);
        return;
      case PacketType.pubrel:
        connected.inbox.release(packet.packetId);
        return;
      case PacketType.pubcomp:
        checkStep(session.outbox, packet, 'complete');
        if (session.outbox.complete(packet.packetId)) this.#sendMore();
        return;
      case PacketType.subscribe:
        connected.subscriber.subscribe(packet);
        return;
      case PacketType.unsubscribe:
        connected.subscriber.unsubscribe(packet);
        return;
      case PacketType.pingreq:
        answers.now(PINGRESP);
        return;
      case PacketType.disconnect:
        this.#takeDisconnect(connected, packet);
        return;
      case PacketType.auth:
        throw new BrokerError('protocol-error', 'AUTH without an authentication method in CONNECT');
      default:
        throw unexpected(packet.type);
    }
  }

  #takeReceived({ session, answers }: Connected, packetId: number, reasonCode: number): void {
    if (reasonCode >= FIRST_FAILURE) {
      if (session.outbox.refused(packetId)) this.#sendMore();
      return;
    }
    if (session.outbox.received(packetId)) return;
    answers.now(
      answers.encode({
        type: PacketType.pubrel,
        packetId,
        reasonCode: ReasonCode.packetIdNotFound,
        properties: NO_PROPERTIES,
      }),
    );
  }

  #takeDisconnect(connected: Connected, { reasonCode, properties }: Disconnect): void {
    const { session, client } = connected;
    const { sessionExpiryIntervalS } = properties;
    if (sessionExpiryIntervalS !== undefined) {
      // A session that was to end here cannot be prolonged (section 3.14.2.2.2).
      if (session.expiryMs === 0 && sessionExpiryIntervalS > 0) {
        throw new BrokerError('protocol-error', 'DISCONNECT: the session was to end with its connection');
      }
      session.expiryMs = secondsToMs(sessionExpiryIntervalS);
    }
    this.#goDeaf();
    this.#release();
    client.channel.flush();
    // [MQTT-3.14.4-3]
    this.#leave(reasonCode !== ReasonCode.success);
    this.#isEnding = true;
    this.#connection.end();
  }

  #takeConnect(bytes: Uint8Array): void {
    let connect: Connect;
    try {
      connect = decodePacket(bytes, this.#cursor, 4) as Connect;
    } catch (error) {
      const reason = refusalOf(error, this.#parts.log);
      this.#refuseConnect(reason, connectAnswer(reason, bytes.subarray(this.#cursor.bodyStart)));
      return;
    }
    this.#version = connect.version;
    try {
      this.#connect(connect, negotiate(connect, this.#parts.offer));
    } catch (error) {
      const reason = refusalOf(error, this.#parts.log);
      const body = bytes.subarray(this.#cursor.bodyStart);
      this.#refuseConnect(reason, connectAnswer(reason, body, connect.properties));
    }
  }

  #connect(connect: Connect, agreement: Agreement): void {
    const { broker, sessions, log } = this.#parts;
    const { remote, certificateName } = this.#connection;
    const { clientId } = agreement;
    const { version, cleanStart } = connect;
    const encoding = encodingOf(version);
    const identity = { clientId, remote, certificateName };
    if (agreement.will !== undefined) broker.checkMayPublish(identity, agreement.will.message);
    const client = broker.connect({
      identity,
      encoding,
      sink: this,
      source: this,
      disconnect: (reason) => this.refuse(reason),
    });
    let opened: ReturnType<Sessions['open']>;
    try {
      opened = sessions.open(clientId, cleanStart, agreement.sessionExpiryMs);
    } catch (error) {
      broker.disconnect(client);
      throw error;
    }
    const { session, isPresent } = opened;
    const refuse = (reason: BrokerError) => this.refuse(reason);
    this.#publication = new Publication(encoding);
    this.#publication.publisher = clientId;
    this.#connected = connectedOf({
      ...this.#parts,
      client,
      session,
      agreement,
      version,
      source: this,
      refuse,
    });
    const { answers, outlet } = this.#connected;
    const writesBefore = sessions.store.writes;
    const connack = {
      type: PacketType.connack,
      // Version 3.1 has no such flag.
      sessionPresent: isPresent && version !== 3,
      reasonCode: ReasonCode.success,
      properties: agreement.connack,
    };
    answers.now(encodePacket(connack, version));
    sessions.enter(session, outlet, agreement.will);
    this.#sendMore();
    if (agreement.will !== undefined && sessions.store.writes !== writesBefore) this.#holdAnswers();
    log.debug(this.#who(), 'a client connected');
  }

  /**
   * Sends nothing, CONNACK first of all, until the store has the will: the client then knows that it will be published
   * whatever happens. A store that fails keeps nobody out: it gets the will when it can be written again.
   */
  #holdAnswers(): void {
    this.#held = [];
    this.#parts.sessions.store.whenDurable(() => this.#release());
  }

  #release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    if (this.#isEnding) return;
    if (held.length > 0) this.#connection.write(held);
    this.drained();
  }

  /** Lets others have their turn after many packets in a row, and reads no more while too many answers wait. */
  #noteControl({ client }: Connected): void {
    if (++this.#controlPacketsInARow >= controlFramesPerTurn) this.#giveWay();
    if (client.channel.waitingControlBytes <= maxWaitingControlBytes) return;
    client.channel.holdBackAsker(this);
    this.#giveWay();
  }

  /** Has what waits in the session sent, at the end of this turn. */
  #sendMore(): void {
    const connected = this.#connected;
    if (connected === undefined || this.#isSendScheduled) return;
    if (connected.session.outbox.waiting === 0 && !connected.subscriber.isFeeding) {
      connected.session.pump();
      return;
    }
    this.#isSendScheduled = true;
    setImmediate(() => {
      this.#isSendScheduled = false;
      this.#connected?.subscriber.feed();
    });
  }

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
    this.#controlPacketsInARow = 0;
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

  #leave(isWillWanted: boolean): void {
    const connected = this.#connected;
    if (connected === undefined) return;
    this.#connected = undefined;
    connected.answers.close();
    connected.subscriber.stop();
    this.#parts.sessions.leave(connected.session, isWillWanted);
    this.#parts.broker.disconnect(connected.client);
  }

  #refuseConnect(reason: BrokerError, answer: Uint8Array | undefined): void {
    this.#goDeaf();
    this.#logEnd(reason);
    this.#isEnding = true;
    this.#count(reason);
    this.#connection.end(answer);
  }

  #lastWord(reason: BrokerError, connected: Connected | undefined): void {
    this.#isEnding = true;
    this.#count(reason);
    // Before version 5 a server has no DISCONNECT.
    if (connected === undefined || this.#version !== 5) {
      this.#connection.end();
      return;
    }
    const disconnect = {
      type: PacketType.disconnect,
      reasonCode: reasonCodeOf(reason, 'disconnect'),
      properties: NO_PROPERTIES,
    };
    this.#connection.end(encodeWithReason(disconnect, reason.message, connected.agreement));
  }

  #count(reason: BrokerError): void {
    const label = { name: 'code', value: reason.code };
    this.#parts.metrics.counter('disconnects_total', 'Clients that the broker disconnected.', label).value++;
  }

  #logEnd(reason: BrokerError): void {
    const fields = { ...this.#who(), code: reason.code, reason: reason.message };
    if (reason.code === 'server-shutdown') this.#parts.log.debug(fields, 'a client was disconnected');
    else this.#parts.log.info(fields, 'a client was disconnected');
  }

  #who(): object {
    const { remote, listener } = this.#connection;
    const clientId = this.#connected?.client.identity.clientId;
    return clientId === undefined ? { remote, listener } : { client: quoted(clientId), remote };
  }
}

/** A second CONNECT, or what only a server sends. */
function unexpected(type: number): BrokerError {
  return new BrokerError('protocol-error', `${PACKET_NAMES[type]} does not come from a connected client`);
}

/** A message is acknowledged as its QoS asks, one step after the other [MQTT-4.3.2-5] [MQTT-4.3.3-8] [MQTT-4.3.3-11]. */
function checkStep(outbox: Outbox, { type, packetId }: PublishAnswer, step: OutboxStep): void {
  const awaited = outbox.awaited(packetId);
  // PUBREC may come again.
  if (awaited === undefined || awaited === step || (awaited === 'complete' && step === 'receive')) return;
  throw new BrokerError(
    'protocol-error',
    `${PACKET_NAMES[type]} ${packetId} is not what its message waits for`,
  );
}

function notConnected(type: number): BrokerError {
  return new BrokerError('not-connected', `the first packet is ${PACKET_NAMES[type]}, not CONNECT`);
}
