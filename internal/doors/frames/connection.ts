import type { Access } from '../../access/access.ts';
import { NO_CREDENTIALS } from '../../access/authenticator.ts';
import type { Identity } from '../../access/identity.ts';
import type { Source } from '../../broker/delivery/channel.ts';
import { lentChunk } from '../../broker/delivery/lent-chunk.ts';
import { BrokerError } from '../../errors.ts';
import type { ConnectionFacts } from '../../observe/connections.ts';
import type { Affected } from '../../observe/fates.ts';
import type { Credit } from '../../protocol/frame/acknowledgements.ts';
import { parseCredentials } from '../../protocol/frame/credentials.ts';
import { FrameCursor } from '../../protocol/frame/cursor.ts';
import { CONNECT_PAYLOAD_BYTES, encodeFrame, type Frame, FrameType } from '../../protocol/frame/frame.ts';
import { RestOfFrame } from '../../protocol/frame/rest-of-frame.ts';
import type { Connection, ConnectionHandler } from '../../transport/connection.ts';
import { peerOf, whenAdmitted, whenBack } from '../clients/admission.ts';
import type { ClientConnection } from '../clients/client-connections.ts';
import type { ClientServices } from '../clients/client-door.ts';
import { connectionFacts } from '../clients/connection-facts.ts';
import { clientFields, logClientDisconnect, tellDisconnected, tellLost } from '../clients/connection-log.ts';
import { HeldWrites } from '../clients/held-writes.ts';
import { Intake, type Taker } from '../clients/intake.ts';
import { LimitedConnection } from '../clients/limited-connection.ts';
import { type Agreement, agreementOf } from './agreement.ts';
import { ConnectedClient, type FrameClientHost } from './connected.ts';
import { CreditGate } from './credit-gate.ts';
import { refusalOf } from './refusals.ts';

/** The services of a connection, the same for all of the door. */
export interface FrameConnectionParts extends ClientServices {
  closed(connection: FrameConnection): void;
}

/**
 * One client of the frames' door: finds the frames in what arrives, and has each taken by what serves the client. It is longer
 * than other classes because every way in which a connection begins or ends is here, and all ask the same few fields.
 */
export class FrameConnection implements ConnectionHandler, ClientConnection, FrameClientHost, Taker {
  readonly door = 'frames';
  readonly intake: Intake;
  readonly #connection: Connection;
  readonly #parts: FrameConnectionParts;
  readonly #cursor: FrameCursor;
  #connected: ConnectedClient | undefined;
  #clientId = '';
  /** What is left of a message that was too large and refused. */
  #restOfRefused: RestOfFrame | undefined;
  /** What is sent once the client's will is stored. */
  #held: HeldWrites | undefined;
  /** Messages that the client published and got, once it is gone. */
  #publishedBefore = 0;
  #sentBefore = 0;
  /** Whether this connection had its last word. */
  #isEnding = false;
  #isSendScheduled = false;
  /** There where the client gives credit for messages. */
  #gate: CreditGate | undefined;

  constructor(connection: Connection, parts: FrameConnectionParts) {
    this.#connection = connection;
    this.#parts = parts;
    // Nobody sends more before it is known who that is.
    this.#cursor = new FrameCursor(CONNECT_PAYLOAD_BYTES);
    // Runs that short are copied by everybody who gets them (limits/broker.ts, copiedSliceBytes).
    this.intake = new Intake(connection, this, { cursor: this.#cursor, reusesBuffer: true });
    connection.handler = this;
  }

  get isConnected(): boolean {
    return this.#connected !== undefined || this.#isEnding;
  }

  get access(): Access | undefined {
    return this.#connected?.client.access;
  }

  get hasSubscriptions(): boolean {
    return this.#connected?.hasSubscriptions === true;
  }

  get isDrained(): boolean {
    return this.#connected === undefined || this.#connected.isDrained;
  }

  facts(): ConnectionFacts {
    const connected = this.#connected;
    return {
      ...connectionFacts(this.#connection, connected?.client.identity),
      received: connected?.published ?? this.#publishedBefore,
      sent: connected?.sent ?? this.#sentBefore,
      waiting: (connected?.waiting ?? 0) + (this.#gate?.waiting ?? 0),
      requests: 0,
    };
  }

  get identity(): Identity | undefined {
    return this.#connected?.client.identity;
  }

  end(reason: BrokerError): void {
    this.refuse(reason);
  }

  holdToLimits(): void {
    const { access } = this;
    if (access !== undefined) LimitedConnection.holdOpen(this.#connection, access, this.facts());
  }

  bytes(chunk: Uint8Array): void {
    this.intake.bytes(chunk);
  }

  borrow(chunk: Uint8Array): boolean {
    return lentChunk.lend(chunk, this.#takeLent);
  }

  readonly #takeLent = (chunk: Uint8Array): void => {
    this.intake.bytes(chunk);
    if (this.intake.hasPostponed) lentChunk.keepAll();
  };

  /** Whether the system has all that was written to the client. What waits for its will or for credit is not there. */
  get isWritten(): boolean {
    return this.#gate === undefined && this.#held === undefined && this.#connection.isWritten;
  }

  drained(): void {
    const channel = this.#connected?.client.channel;
    if (this.#gate?.drained() === false) channel?.flush();
    else channel?.ready();
    this.sendMore();
  }

  get wantsWhole(): boolean {
    return this.#gate !== undefined;
  }

  get takesAnswers(): boolean {
    return this.#gate?.takesAnswers === true && this.#held === undefined;
  }

  get creditSource(): Source | undefined {
    return this.#gate && this.intake;
  }

  credit(given: Credit): void {
    if (this.#gate?.give(given) === true) this.drained();
  }

  ended(): void {
    const connected = this.#connected;
    // The client said its last, and may still want the answers.
    if (connected?.awaitAnswers(() => this.ended()) === true) return;
    if (connected !== undefined && !this.#isEnding)
      tellLost(this.#parts.fates, this.#who(), this.#affected, undefined);
    this.#release();
    connected?.client.channel.finish();
    this.#leave(true);
    this.#isEnding = true;
    this.#connection.end();
  }

  closed(error?: Error): void {
    this.intake.close();
    if (this.#connected !== undefined) tellLost(this.#parts.fates, this.#who(), this.#affected, error);
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
    this.#connection.meter?.sending(this.#connected?.sent ?? 0);
    const hasRoom = (this.#gate ?? this.#connection).write(buffers);
    if (hasRoom && this.#connected?.hasSession) this.sendMore();
    return hasRoom;
  }

  refuse(reason: BrokerError): void {
    if (this.#isEnding) return;
    this.intake.discardInput();
    tellDisconnected(this.#parts.fates, this.#who(), this.#affected, reason);
    this.#release();
    this.#connected?.client.channel.finish();
    this.#leave(true);
    this.#lastWord(reason);
  }

  dismiss(reason: BrokerError): void {
    if (this.#connected === undefined) this.refuse(reason);
    else if (!this.#isEnding) {
      tellDisconnected(this.#parts.fates, this.#who(), this.#affected, reason);
      this.#release();
      this.#lastWord(reason);
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
    if (this.#restOfRefused !== undefined) at = this.#passRest(this.#restOfRefused, bytes, at);
    try {
      while (at < stop && intake.isOpen) {
        const connected = this.#connected;
        // Said before the frame is whole: what begins like this may never become one.
        if (connected === undefined && bytes[at] !== FrameType.connect) throw notConnected(bytes[at]);
        if (!cursor.read(bytes, at, limit)) break;
        const next = cursor.end;
        if (cursor.isTooLarge) {
          lentChunk.keepAll();
          at = this.#refuseTooLarge(bytes, next);
        } else if (cursor.type === FrameType.publish && connected !== undefined) {
          at = connected.publishes.take(cursor, bytes, view, at, limit);
        } else if (connected?.isPublish(cursor.type) === true) {
          lentChunk.keepAll();
          at = connected.takeMarked(cursor, bytes, view, at, limit);
        } else {
          lentChunk.keepAll();
          this.#takeControl(connected, cursor.frame(bytes));
          at = next;
        }
        if (turnTime.isOver) intake.giveWay();
      }
    } finally {
      this.#connected?.chunkTaken();
      this.#connection.meter?.received(this.#connected?.published ?? this.#publishedBefore);
    }
    return at;
  }

  standingFilters(): Iterable<string> {
    return this.#connected?.filters() ?? [];
  }

  failed(error: unknown): void {
    this.refuse(refusalOf(error, this.#parts.logger));
  }

  goodbye(): void {
    logClientDisconnect(this.#parts.logger, this.#who());
    this.intake.discardInput();
    this.#release();
    this.#connected?.client.channel.finish();
    this.#leave(false);
    this.#isEnding = true;
    this.#connection.end();
  }

  sendMore(): void {
    const connected = this.#connected;
    if (connected === undefined || this.#isSendScheduled) return;
    if (!connected.mayFeed) {
      if (connected.hasSession) connected.feed();
      return;
    }
    this.#isSendScheduled = true;
    setImmediate(() => {
      this.#isSendScheduled = false;
      this.#connected?.feed();
    });
  }

  #takeControl(connected: ConnectedClient | undefined, frame: Frame): void {
    if (connected === undefined) {
      this.#connect(frame);
      return;
    }
    connected.publishRun();
    connected.takeRequest(frame);
    if (this.#connected !== undefined) this.intake.noteAnswered(connected.client.channel);
  }

  #connect({ clientId, payload }: Frame): void {
    if (clientId === '') throw new BrokerError('invalid-client-id', 'the client id is empty');
    if (clientId.includes('\0')) throw new BrokerError('invalid-client-id', 'the client id has a NUL byte');
    this.#clientId = clientId;
    // Read now: the payload's buffer is used again while the client is looked at.
    const agreement = agreementOf(payload);
    const shown = agreement.extensions.has('credentials') ? parseCredentials(payload) : undefined;
    const peer = peerOf(this.#connection, 'frames', clientId);
    const { admission, sessions } = this.#parts;
    whenAdmitted(
      this.intake,
      whenBack(admission.admit(peer, shown ?? NO_CREDENTIALS), sessions),
      (access) => this.#letIn(access, agreement),
      (error) => this.failed(error),
    );
  }

  #letIn(access: Access, agreement: Agreement): void {
    // It may have gone, or have been refused, while it was looked at.
    if (this.#isEnding) return;
    this.#cursor.maxPayloadBytes = this.#parts.maxMessageBytes;
    LimitedConnection.hold(this.#connection, access);
    const services = this.#parts;
    if (agreement.extensions.has('flow')) this.#gate = new CreditGate(this.#connection);
    const connected = new ConnectedClient({
      services,
      access,
      agreement,
      clientId: this.#clientId,
      host: this,
    });
    this.#connected = connected;
    this.#cursor.endsBeforeTooLarge = connected.refusesAlone;
    connected.begin((will) => {
      // It hears nothing, CONNACK first of all, until the store has its will.
      if (!will.isSettled) this.#held = new HeldWrites(will, () => this.#release());
    });
    this.#parts.logger.debug(this.#who(), 'a client connected');
  }

  /** Sends what was held. */
  #release(): void {
    const held = this.#held?.buffers;
    this.#held = undefined;
    if (held === undefined || this.#isEnding) return;
    if (held.length > 0) (this.#gate ?? this.#connection).write(held);
    this.drained();
  }

  /** The cursor is at the header of a frame that is too large, which ends at `next`. Returns where to read on. */
  #refuseTooLarge(bytes: Uint8Array, next: number): number {
    const { type, topicStart, topicEnd, tooLargeBytes } = this.#cursor;
    const error = this.#cursor.tooLarge(tooLargeBytes);
    if (this.#connected === undefined) throw error;
    this.#connected.refuseTooLarge(error, type, bytes.subarray(topicStart, topicEnd), tooLargeBytes);
    return this.#passRest(new RestOfFrame(tooLargeBytes), bytes, next);
  }

  #passRest(rest: RestOfFrame, bytes: Uint8Array, at: number): number {
    const next = rest.pass(bytes, at, bytes.length);
    this.#restOfRefused = rest.isPassed ? undefined : rest;
    return next;
  }

  #leave(isWillWanted: boolean): void {
    const connected = this.#connected;
    if (connected === undefined) return;
    this.#sentBefore = connected.sent;
    this.#publishedBefore = connected.published;
    this.#connected = undefined;
    connected.leave(isWillWanted);
  }

  #lastWord(reason: BrokerError): void {
    this.#isEnding = true;
    this.#connection.end(encodeFrame(FrameType.disconnect, '', reason.message, this.#clientId));
  }

  /** Whom fates are about; before a client was let in, whoever it says that it is. */
  get #affected(): Affected {
    const { remote } = this.#connection;
    return this.#connected?.client.identity ?? { clientId: this.#clientId, remote, door: 'frames' };
  }

  #who(): object {
    return clientFields(this.#connection, this.#connected?.client);
  }
}

function notConnected(type: number): BrokerError {
  return new BrokerError('not-connected', `the first frame has type ${type}, not CONNECT (0)`);
}
