import type { Access } from '../../access/access.ts';
import type { Identity } from '../../access/identity.ts';
import type { Client, ClientHost } from '../../broker/client.ts';
import { Receipt } from '../../broker/delivery/receipt.ts';
import { BrokerError, nameForLog } from '../../errors.ts';
import type { ConnectionFacts } from '../../observe/connections.ts';
import type { Affected } from '../../observe/fates.ts';
import { PacketCursor } from '../../protocol/mqtt/cursor.ts';
import { encodePacket } from '../../protocol/mqtt/encode.ts';
import { type Auth, type Disconnect, PacketType } from '../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../protocol/mqtt/properties.ts';
import { ReasonCode } from '../../protocol/mqtt/reason-codes.ts';
import type { Connection, ConnectionHandler } from '../../transport/connection.ts';
import type { ClientConnection } from '../clients/client-connections.ts';
import { connectionFacts } from '../clients/connection-facts.ts';
import { clientFields, logClientDisconnect, tellDisconnected, tellLost } from '../clients/connection-log.ts';
import { HeldWrites } from '../clients/held-writes.ts';
import { Intake, type Taker } from '../clients/intake.ts';
import { LimitedConnection } from '../clients/limited-connection.ts';
import type { Run } from '../clients/run.ts';
import { type ConnectionServices, type MqttClient, openMqttClient } from './connected.ts';
import { type AuthOutcome, authPacket } from './enhanced-authentication.ts';
import { type Admitted, Newcomer, type NewcomerHost } from './incoming/newcomer.ts';
import { answerRequest, type RequestHost, takeAcknowledgedRun } from './incoming/requests.ts';
import { secondsToMs } from './negotiate.ts';
import { encodeWithReason } from './outgoing/answers.ts';
import { reasonCodeOf, refusalOf } from './refusals.ts';

/** The services of a connection, the same for all of a door. */
export interface MqttConnectionParts extends ConnectionServices {
  closed(connection: MqttConnection): void;
}

/**
 * One client of the MQTT door: finds the packets in what arrives, and has each taken by what serves the client. It is longer
 * than other classes because every way in which a connection begins or ends is here, and all ask the same few fields.
 */
export class MqttConnection
  implements ConnectionHandler, ClientConnection, ClientHost, Taker, RequestHost, NewcomerHost
{
  readonly door = 'mqtt';
  readonly intake: Intake;
  readonly #connection: Connection;
  readonly #parts: MqttConnectionParts;
  readonly #cursor: PacketCursor;
  /** There as long as the client. */
  #run: Run | undefined;
  #connected: MqttClient | undefined;
  /** There until the client is let in. */
  #newcomer: Newcomer | undefined;
  /** Messages that the client got, once it is gone. */
  #sentBefore = 0;
  /** Whether this connection had its last word. */
  #isEnding = false;
  #isSendScheduled = false;
  /** What is sent once the client's will is stored. */
  #held: HeldWrites | undefined;

  constructor(connection: Connection, parts: MqttConnectionParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#cursor = new PacketCursor(parts.offer.maxPacketBytes);
    this.intake = new Intake(connection, this, { cursor: this.#cursor, reusesBuffer: false });
    const { admission, offer, logger } = parts;
    this.#newcomer = new Newcomer({
      ...{ connection, intake: this.intake, admission, offer, logger, sessions: parts.sessions },
      host: this,
    });
    connection.handler = this;
  }

  get isConnected(): boolean {
    return this.#connected !== undefined || this.#isEnding;
  }

  get access(): Access | undefined {
    return this.#connected?.client.access;
  }

  /** How long the client may say nothing; 0: for ever. */
  get keepAliveMs(): number {
    return this.#connected?.agreement.keepAliveMs ?? 0;
  }

  get hasSubscriptions(): boolean {
    const connected = this.#connected;
    return (
      connected !== undefined && (connected.session.subscriptionCount > 0 || connected.subscriber.hasReplays)
    );
  }

  get isDrained(): boolean {
    const connected = this.#connected;
    return connected === undefined || (connected.answers.waiting === 0 && connected.client.channel.isDrained);
  }

  facts(): ConnectionFacts {
    const connected = this.#connected;
    const waiting =
      connected === undefined ? 0 : connected.client.channel.waitingMessages + connected.session.waiting;
    return {
      ...connectionFacts(this.#connection, connected?.client.identity),
      received: this.#run?.published ?? 0,
      sent: this.#sent,
      requests: 0,
      waiting,
    };
  }

  /** Messages so far. */
  get #sent(): number {
    const connected = this.#connected;
    if (connected === undefined) return this.#sentBefore;
    return connected.client.channel.delivered + connected.outlet.undroppable;
  }

  get identity(): Identity | undefined {
    return this.#connected?.client.identity;
  }

  end(reason: BrokerError): void {
    this.refuse(reason);
  }

  holdToLimits(): void {
    const access = this.#connected?.client.access;
    if (access !== undefined) LimitedConnection.holdOpen(this.#connection, access, this.facts());
  }

  bytes(chunk: Uint8Array): void {
    this.intake.bytes(chunk);
  }

  drained(): void {
    this.#connected?.client.channel.ready();
    this.sendMore();
  }

  ended(): void {
    const connected = this.#connected;
    // The client said its last, and may still want the answers.
    if (connected !== undefined && connected.answers.waiting > 0) {
      connected.answers.whenAllSent(() => this.ended());
      return;
    }
    if (connected !== undefined && !this.#isEnding)
      tellLost(this.#parts.fates, this.#who(), this.#affected(), undefined);
    this.#release();
    connected?.client.channel.finish();
    this.#leave(true);
    this.#isEnding = true;
    this.#connection.end();
  }

  closed(error?: Error): void {
    this.intake.close();
    if (this.#connected !== undefined) tellLost(this.#parts.fates, this.#who(), this.#affected(), error);
    this.#leave(true);
    this.#isEnding = true;
    this.#parts.closed(this);
  }

  write(buffers: readonly Uint8Array[]): boolean {
    // Somebody who was dismissed may still ask something; the last word has been said.
    if (this.#isEnding) return true;
    if (this.#held !== undefined) {
      this.#held.add(buffers);
      return false;
    }
    this.#connection.meter?.sending(this.#sent);
    const hasRoom = this.#connection.write(buffers);
    if (hasRoom) this.sendMore();
    return hasRoom;
  }

  /** Tells the client why, as far as its version can, and closes. */
  refuse(reason: BrokerError): void {
    if (this.#isEnding) return;
    this.intake.discardInput();
    tellDisconnected(this.#parts.fates, this.#who(), this.#affected(), reason);
    this.#release();
    const connected = this.#connected;
    connected?.client.channel.finish();
    this.#leave(true);
    this.#lastWord(reason, connected);
  }

  dismiss(reason: BrokerError): void {
    if (this.#connected === undefined) this.refuse(reason);
    else if (!this.#isEnding) {
      tellDisconnected(this.#parts.fates, this.#who(), this.#affected(), reason);
      this.#release();
      this.#lastWord(reason, this.#connected);
    }
  }

  cut(): void {
    this.intake.discardInput();
    this.destroy();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  takeUnits(bytes: Uint8Array, at: number, stop: number): number {
    const cursor = this.#cursor;
    const intake = this.intake;
    const { turnTime } = this.#parts.broker;
    const limit = bytes.length;
    const view = new DataView(bytes.buffer, bytes.byteOffset, limit);
    try {
      while (at < stop && intake.isOpen) {
        const connected = this.#connected;
        // Said before the packet is whole: what begins like this may never become one.
        this.#newcomer?.checkMayBegin(bytes[at]! >>> 4);
        if (!cursor.read(bytes, at, limit)) break;
        const next = cursor.end;
        if (cursor.type === PacketType.publish && connected !== undefined) {
          at = connected.publishes.take(cursor, bytes, view, at, limit);
        } else {
          this.#run?.publish();
          at = this.#takeAcknowledged(view, at, limit);
          if (at < next) {
            this.#takeControl(bytes);
            at = next;
          }
        }
        if (turnTime.isOver && mayBeCostly(cursor.type)) intake.giveWay();
      }
    } finally {
      this.#run?.publish();
      this.#connection.meter?.received(this.#run?.published ?? 0);
    }
    return at;
  }

  failed(error: unknown): void {
    if (this.#newcomer?.refuse(error) !== true) this.refuse(refusalOf(error, this.#parts.logger));
  }

  /** Takes PUBACKs of messages that went out in runs; returns where they end, `at` where there are none. */
  #takeAcknowledged(view: DataView, at: number, limit: number): number {
    const connected = this.#connected;
    if (this.#cursor.type !== PacketType.puback || connected === undefined) return at;
    const end = takeAcknowledgedRun(connected, view, at, limit, this);
    if (end > at) this.intake.noteAnswered(connected.client.channel);
    return end;
  }

  #takeControl(bytes: Uint8Array): void {
    const connected = this.#connected;
    if (connected === undefined) {
      this.#newcomer?.take(bytes, this.#cursor);
      return;
    }
    answerRequest(connected, bytes, this.#cursor, this);
    this.intake.noteAnswered(connected.client.channel);
  }

  disconnect(connected: MqttClient, { reasonCode, properties }: Disconnect): void {
    const { session, client } = connected;
    const { sessionExpiryIntervalS } = properties;
    if (sessionExpiryIntervalS !== undefined) {
      // A session that was to end here cannot be prolonged (section 3.14.2.2.2).
      if (session.expiryMs === 0 && sessionExpiryIntervalS > 0) {
        throw new BrokerError('protocol-error', 'DISCONNECT: the session was to end with its connection');
      }
      session.expiryMs = secondsToMs(sessionExpiryIntervalS);
    }
    logClientDisconnect(this.#parts.logger, this.#who());
    this.intake.discardInput();
    this.#release();
    client.channel.finish();
    // [MQTT-3.14.4-3]
    this.#leave(reasonCode !== ReasonCode.success);
    this.#isEnding = true;
    this.#connection.end();
  }

  /** The client's other packets go on as before, until it is known whether it has proved anew who it is. */
  authenticateAgain(connected: MqttClient, packet: Auth): void {
    const { authentication } = connected;
    if (authentication === undefined) {
      throw new BrokerError('protocol-error', 'AUTH without an authentication method in CONNECT');
    }
    authentication
      .take(packet, true)
      .then((outcome) => this.#proved(connected, outcome))
      .catch((error) => this.refuse(refusalOf(error, this.#parts.logger)));
  }

  #proved(connected: MqttClient, outcome: AuthOutcome): void {
    if (this.#connected !== connected || this.#isEnding) return;
    const { client, answers } = connected;
    if (outcome.access !== undefined) renewAccess(client, outcome.access);
    answers.now(answers.encode(authPacket(outcome)));
    if (outcome.access !== undefined) this.#parts.broker.recheckAccess([client]);
  }

  letIn(admitted: Admitted): void {
    // It may have gone, or have been refused, while it was looked at.
    if (this.#isEnding) return;
    LimitedConnection.hold(this.#connection, admitted.access);
    const { connected, run, isPresent } = openMqttClient(this.#parts, admitted, this);
    const { answers, outlet, session, version, agreement } = connected;
    this.#cursor.disregardsFlags = version === 3;
    this.#run = run;
    this.#newcomer = undefined;
    this.#connected = connected;
    const receipt = new Receipt();
    const connack = {
      type: PacketType.connack,
      // Version 3.1 has no such flag.
      sessionPresent: isPresent && version !== 3,
      reasonCode: ReasonCode.success,
      properties: agreement.connack,
    };
    answers.now(encodePacket(connack, version));
    this.#parts.sessions.enter(session, outlet, agreement.will, receipt);
    this.sendMore();
    if (!receipt.isSettled) this.#held = new HeldWrites(receipt, () => this.#release());
    this.#parts.logger.debug(this.#who(), 'a client connected');
  }

  #release(): void {
    const held = this.#held?.buffers;
    this.#held = undefined;
    if (held === undefined || this.#isEnding) return;
    if (held.length > 0) this.#connection.write(held);
    this.drained();
  }

  /** Has what waits in the session sent, at the end of this turn. */
  sendMore(): void {
    const connected = this.#connected;
    if (connected === undefined || this.#isSendScheduled) return;
    if (connected.session.waiting === 0 && !connected.subscriber.isFeeding) {
      connected.session.pump();
      return;
    }
    this.#isSendScheduled = true;
    setImmediate(() => {
      this.#isSendScheduled = false;
      this.#connected?.subscriber.feed();
    });
  }

  *standingFilters(): Iterable<string> {
    const connected = this.#connected;
    if (connected === undefined) return;
    for (const { filter } of connected.session.subscriptions) yield filter;
    yield* connected.subscriber.replayed();
  }

  #leave(isWillWanted: boolean): void {
    const connected = this.#connected;
    if (connected === undefined) return;
    this.#sentBefore = this.#sent;
    this.#connected = undefined;
    connected.answers.close();
    connected.inbox.close();
    connected.subscriber.stop();
    this.#parts.sessions.leave(connected.session, isWillWanted);
    this.#parts.broker.disconnect(connected.client);
  }

  ask(bytes: Uint8Array): void {
    if (!this.#isEnding) this.#connection.write([bytes]);
  }

  goneBeforeConnack(): void {
    this.intake.discardInput();
    this.#isEnding = true;
    this.#connection.end();
  }

  refuseConnect(reason: BrokerError, answer: Uint8Array | undefined, clientId: string | undefined): void {
    if (this.#isEnding) return;
    this.intake.discardInput();
    const client = clientId === undefined ? undefined : nameForLog(clientId);
    tellDisconnected(this.#parts.fates, { ...this.#who(), client }, this.#affected(clientId), reason);
    this.#isEnding = true;
    this.#connection.end(answer);
  }

  #lastWord(reason: BrokerError, connected: MqttClient | undefined): void {
    this.#isEnding = true;
    // Before version 5 a server has no DISCONNECT.
    if (connected?.version !== 5) {
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

  /** @param clientId what a client that was not let in calls itself. */
  #affected(clientId?: string): Affected {
    const { remote } = this.#connection;
    return this.#connected?.client.identity ?? { clientId, remote, door: 'mqtt' };
  }

  #who(): object {
    return clientFields(this.#connection, this.#connected?.client);
  }
}

/** Whether what a packet costs depends on what others have subscribed to; acknowledgements take no time, and free some. */
function mayBeCostly(type: number): boolean {
  return type === PacketType.publish || type === PacketType.subscribe || type === PacketType.unsubscribe;
}

/** @throws BrokerError `not-authorized`: whoever authenticates again stays the same user. */
function renewAccess({ identity, access }: Client, { identity: proved }: Access): void {
  if (proved.user !== identity.user) {
    throw new BrokerError('not-authorized', 'who authenticates again is the same user as before');
  }
  access.renew(proved);
}
