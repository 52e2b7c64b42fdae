import type { Access } from '../../access/access.ts';
import { NO_CREDENTIALS } from '../../access/authenticator.ts';
import type { Identity } from '../../access/identity.ts';
import type { Client, ClientHost } from '../../broker/client.ts';
import { BrokerError } from '../../errors.ts';
import type { ConnectionFacts } from '../../observe/connections.ts';
import type { Affected } from '../../observe/fates.ts';
import { parseCredentials } from '../../protocol/frame/credentials.ts';
import { FrameCursor } from '../../protocol/frame/cursor.ts';
import { type Extension, formatExtensions } from '../../protocol/frame/extensions.ts';
import {
  CONNECT_PAYLOAD_BYTES,
  encodeFrame,
  type Frame,
  FrameError,
  FrameType,
  isKnownType,
  RESERVED_TYPE_BITS,
} from '../../protocol/frame/frame.ts';
import { RestOfFrame } from '../../protocol/frame/rest-of-frame.ts';
import type { Connection, ConnectionHandler } from '../../transport/connection.ts';
import { peerOf, whenAdmitted } from '../clients/admission.ts';
import type { ClientConnection } from '../clients/client-connections.ts';
import type { ClientServices } from '../clients/client-door.ts';
import { connectionFacts } from '../clients/connection-facts.ts';
import { clientFields, logClientDisconnect, tellDisconnected, tellLost } from '../clients/connection-log.ts';
import { Intake, type Taker } from '../clients/intake.ts';
import { LimitedConnection } from '../clients/limited-connection.ts';
import { RefusalLog } from '../clients/refusal-log.ts';
import { Run } from '../clients/run.ts';
import { agreedOf } from './agreement.ts';
import { frameEncoding } from './encoding.ts';
import { PositionFrames } from './position-frames.ts';
import { Publishes, type PublishHost } from './publishes.ts';
import { RefusalFrames } from './refusal-frames.ts';
import { refusalOf } from './refusals.ts';
import { FrameSubscriber } from './subscriber.ts';

/** The services of a connection, the same for all of the door. */
export interface FrameConnectionParts extends ClientServices {
  closed(connection: FrameConnection): void;
}

const NO_BYTES = new Uint8Array(0);

/**
 * One client of the frames' door: finds the frames in what arrives, and answers those that are no messages. It is longer than
 * other classes because every way in which a connection begins or ends is here, and all ask the same few fields.
 */
export class FrameConnection implements ConnectionHandler, ClientConnection, ClientHost, PublishHost, Taker {
  readonly door = 'frames';
  readonly intake: Intake;
  readonly #connection: Connection;
  readonly #parts: FrameConnectionParts;
  readonly #cursor: FrameCursor;
  #client: Client | undefined;
  #clientId = '';
  // Made when they are needed first: most of many clients only wait for messages.
  #run: Run | undefined;
  #publishes: Publishes | undefined;
  #subscriber: FrameSubscriber | undefined;
  /** There where the client wants to stay connected when something is refused. */
  #refusals: RefusalFrames | undefined;
  /** There where the client wants to know where in the logs its replays are. */
  #positions: PositionFrames | undefined;
  /** What is left of a message that was too large and refused. */
  #restOfRefused: RestOfFrame | undefined;
  /** Messages that the client got, once it is gone. */
  #sentBefore = 0;
  /** Whether this connection had its last word. */
  #isEnding = false;

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
    return this.#client !== undefined || this.#isEnding;
  }

  get access(): Access | undefined {
    return this.#client?.access;
  }

  get hasSubscriptions(): boolean {
    return this.#subscriber?.isEmpty === false;
  }

  get isDrained(): boolean {
    return this.#client === undefined || this.#client.channel.isDrained;
  }

  facts(): ConnectionFacts {
    const client = this.#client;
    return {
      ...connectionFacts(this.#connection, client?.identity),
      received: this.#run?.published ?? 0,
      sent: client?.channel.delivered ?? this.#sentBefore,
      requests: 0,
      waiting: client?.channel.waitingMessages ?? 0,
    };
  }

  get identity(): Identity | undefined {
    return this.#client?.identity;
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

  drained(): void {
    this.#client?.channel.ready();
  }

  ended(): void {
    if (this.#client !== undefined && !this.#isEnding)
      tellLost(this.#parts.fates, this.#who(), this.#affected, undefined);
    this.#client?.channel.finish();
    this.#leave();
    this.#isEnding = true;
    this.#connection.end();
  }

  closed(error?: Error): void {
    this.intake.close();
    if (this.#client !== undefined) tellLost(this.#parts.fates, this.#who(), this.#affected, error);
    this.#leave();
    this.#isEnding = true;
    this.#parts.closed(this);
  }

  write(buffers: readonly Uint8Array[]): boolean {
    // Somebody who was dismissed may still ask something; the last word has been said.
    if (this.#isEnding) return true;
    this.#connection.meter?.sending(this.#client?.channel.delivered ?? 0);
    return this.#connection.write(buffers);
  }

  refuse(reason: BrokerError): void {
    if (this.#isEnding) return;
    this.intake.discardInput();
    tellDisconnected(this.#parts.fates, this.#who(), this.#affected, reason);
    this.#client?.channel.finish();
    this.#leave();
    this.#lastWord(reason);
  }

  dismiss(reason: BrokerError): void {
    if (this.#client === undefined) this.refuse(reason);
    else if (!this.#isEnding) {
      tellDisconnected(this.#parts.fates, this.#who(), this.#affected, reason);
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
        const client = this.#client;
        // Said before the frame is whole: what begins like this may never become one.
        if (client === undefined && bytes[at] !== FrameType.connect) throw notConnected(bytes[at]);
        if (!cursor.read(bytes, at, limit)) break;
        const next = cursor.end;
        if (cursor.isTooLarge) {
          at = this.#refuseTooLarge(bytes, next);
        } else if (cursor.type === FrameType.publish && client !== undefined) {
          this.#publishes ??= this.#newPublishes(client);
          at = this.#publishes.take(cursor, bytes, view, at, limit);
        } else {
          this.#run?.publish();
          this.#takeControl(cursor.frame(bytes));
          if (this.#client !== undefined) intake.noteAnswered(this.#client.channel);
          at = next;
        }
        if (turnTime.isOver) intake.giveWay();
      }
    } finally {
      this.#run?.publish();
      this.#connection.meter?.received(this.#run?.published ?? 0);
    }
    return at;
  }

  standingFilters(): Iterable<string> {
    return this.#subscriber?.filters() ?? [];
  }

  failed(error: unknown): void {
    this.refuse(refusalOf(error, this.#parts.logger));
  }

  #takeControl(frame: Frame): void {
    if (this.#client === undefined) {
      this.#connect(frame);
      return;
    }
    switch (frame.type) {
      case FrameType.subscribe:
        this.#subscriber ??= this.#newSubscriber(this.#client);
        this.#subscriber.subscribe(frame);
        return;
      case FrameType.unsubscribe:
        this.#subscriber?.unsubscribe(frame.topic);
        this.#answer(FrameType.unsuback, frame.topic);
        return;
      case FrameType.ping:
        this.#answer(FrameType.pong, '');
        return;
      case FrameType.disconnect:
        logClientDisconnect(this.#parts.logger, this.#who());
        this.intake.discardInput();
        this.#client.channel.finish();
        this.#leave();
        this.#isEnding = true;
        this.#connection.end();
        return;
      default:
        this.#takeUnexpected(frame);
    }
  }

  /** A later version may know more types; one that does not matter to this version is passed over. */
  #takeUnexpected(frame: Frame): void {
    const { type } = frame;
    if (type === FrameType.position && this.#positions !== undefined) {
      this.#positions.note(frame);
      return;
    }
    if (isKnownType(type))
      throw new BrokerError('unexpected-frame', `type ${type} came from a connected client`);
    if ((type & RESERVED_TYPE_BITS) !== 0) {
      throw new BrokerError('reserved-bits', `the type byte is 0x${type.toString(16)}`);
    }
    this.#parts.logger.debug({ ...this.#who(), type }, 'a frame of an unknown type was passed over');
  }

  #connect({ clientId, payload }: Frame): void {
    if (clientId === '') throw new BrokerError('invalid-client-id', 'the client id is empty');
    if (clientId.includes('\0')) throw new BrokerError('invalid-client-id', 'the client id has a NUL byte');
    this.#clientId = clientId;
    // Read now: the payload's buffer is used again while the client is looked at.
    const agreed = agreedOf(payload);
    const shown = agreed.has('credentials') ? parseCredentials(payload) : undefined;
    const peer = peerOf(this.#connection, 'frames', clientId);
    const answer = this.#parts.admission.admit(peer, shown ?? NO_CREDENTIALS);
    whenAdmitted(
      this.intake,
      answer,
      (access) => this.#letIn(access, agreed),
      (error) => this.failed(error),
    );
  }

  #letIn(access: Access, agreed: ReadonlySet<Extension>): void {
    // It may have gone, or have been refused, while it was looked at.
    if (this.#isEnding) return;
    this.#cursor.maxPayloadBytes = this.#parts.maxMessageBytes;
    LimitedConnection.hold(this.#connection, access);
    this.#client = this.#parts.broker.connect({
      access,
      encoding: frameEncoding,
      host: this,
    });
    if (agreed.has('refusals')) this.#agreeOnRefusals(this.#client);
    if (agreed.has('positions')) {
      const { channel } = this.#client;
      this.#positions = new PositionFrames({ logs: this.#parts.logs, channel, clientId: this.#clientId });
    }
    this.#answer(FrameType.connack, '', formatExtensions(agreed));
    this.#parts.logger.debug(this.#who(), 'a client connected');
  }

  #newSubscriber(client: Client): FrameSubscriber {
    return new FrameSubscriber({
      ...{ services: this.#parts, client, clientId: this.#clientId },
      ...{ positions: this.#positions, refusals: this.#refusals },
    });
  }

  #newPublishes({ access, origin }: Client): Publishes {
    const { broker } = this.#parts;
    const { intake } = this;
    const run = new Run(broker, intake, frameEncoding, origin);
    this.#run = run;
    return new Publishes({ broker, access, clientId: this.#clientId, intake, run, host: this });
  }

  #agreeOnRefusals({ channel, identity }: Client): void {
    this.#cursor.endsBeforeTooLarge = true;
    this.#refusals = new RefusalFrames({
      channel,
      clientId: this.#clientId,
      log: new RefusalLog(this.#parts.fates, identity),
    });
  }

  refusePublish(error: unknown, topic: Uint8Array, payloadBytes: number): void {
    const client = this.#client;
    const isRefusal = error instanceof BrokerError || error instanceof FrameError;
    if (!isRefusal || this.#refusals === undefined || client === undefined) throw error;
    // Earlier messages are on their way before the client learns of this one.
    this.#run?.publish();
    this.#refusals.publish(refusalOf(error, this.#parts.logger), topic, payloadBytes);
    this.intake.noteAnswered(client.channel);
  }

  /** The cursor is at the header of a frame that is too large, which ends at `next`. Returns where to read on. */
  #refuseTooLarge(bytes: Uint8Array, next: number): number {
    const { type, topicStart, topicEnd, tooLargeBytes } = this.#cursor;
    const error = this.#cursor.tooLarge(tooLargeBytes);
    if (type !== FrameType.publish) throw error;
    this.refusePublish(error, bytes.subarray(topicStart, topicEnd), tooLargeBytes);
    return this.#passRest(new RestOfFrame(tooLargeBytes), bytes, next);
  }

  #passRest(rest: RestOfFrame, bytes: Uint8Array, at: number): number {
    const next = rest.pass(bytes, at, bytes.length);
    this.#restOfRefused = rest.isPassed ? undefined : rest;
    return next;
  }

  #answer(type: FrameType, topic: string, payload: string | Uint8Array = NO_BYTES): void {
    this.#client!.channel.control(encodeFrame(type, topic, payload, this.#clientId));
  }

  #leave(): void {
    const client = this.#client;
    if (client === undefined) return;
    this.#sentBefore = client.channel.delivered;
    this.#client = undefined;
    this.#publishes = undefined;
    this.#subscriber?.stop();
    this.#subscriber = undefined;
    this.#parts.broker.disconnect(client);
  }

  #lastWord(reason: BrokerError): void {
    this.#isEnding = true;
    this.#connection.end(encodeFrame(FrameType.disconnect, '', reason.message, this.#clientId));
  }

  /** Whom fates are about; before a client was let in, whoever it says that it is. */
  get #affected(): Affected {
    const { remote } = this.#connection;
    return this.#client?.identity ?? { clientId: this.#clientId, remote, door: 'frames' };
  }

  #who(): object {
    return clientFields(this.#connection, this.#client);
  }
}

function notConnected(type: number): BrokerError {
  return new BrokerError('not-connected', `the first frame has type ${type}, not CONNECT (0)`);
}
