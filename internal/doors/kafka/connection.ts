import { type Refusal, userToTell } from '../../access/authenticator.ts';
import type { Identity } from '../../access/identity.ts';
import type { Logger } from '../../broker/broker.ts';
import { BrokerError, type ErrorCode, nameForLog, type RefusedThing } from '../../errors.ts';
import { kafkaMaxBytesBeforeLogin } from '../../limits/kafka.ts';
import type { ConnectionFacts, OpenConnection } from '../../observe/connections.ts';
import { FirstBytes, type Protocol } from '../../protocol/first-bytes.ts';
import { peekRequest } from '../../protocol/kafka/exchange.ts';
import { KafkaProtocolError } from '../../protocol/kafka/protocol-error.ts';
import { RequestFrames } from '../../protocol/kafka/request-frame.ts';
import type { Connection, ConnectionHandler, HostAndPort } from '../../transport/connection.ts';
import { type Admission, peerOf } from '../clients/admission.ts';
import { connectionFacts } from '../clients/connection-facts.ts';
import type { ForeignProtocols } from '../foreign-protocol.ts';
import { Answers } from './answers.ts';
import { Authentication } from './authentication.ts';
import { hostOf, reachable } from './client-address.ts';
import type { Handler, KafkaClient } from './handler.ts';
import { handlerOf } from './handlers/all.ts';
import { Requests, type ServingParts } from './requests.ts';
import { Throttle } from './throttle.ts';

/** The services that all connections of the door share. */
export interface ConnectionParts extends ServingParts {
  readonly admission: Admission;
  /** The address that clients get for the broker; the one that they dialled, unless it is set. */
  readonly advertised: HostAndPort | undefined;
  readonly logger: Logger;
  readonly foreign: ForeignProtocols;
  readonly closed: () => void;
}

/**
 * One connection of the Kafka door. Requests begin in the order in which they came: those that may run side by side do
 * (while one batch is on its way to the disk the next ones join it there), all others wait until everything before
 * them is answered. Answers go out in the order of the requests.
 */
export class KafkaConnection implements ConnectionHandler, OpenConnection {
  readonly door = 'kafka';
  /** When it was accepted. */
  openedAt: number;
  lastHeardAt: number;
  readonly #connection: Connection;
  readonly #parts: ConnectionParts;
  readonly #requests: Requests;
  readonly #answers: Answers;
  readonly #frames: RequestFrames;
  readonly #authentication: Authentication;
  readonly #throttle: Throttle;
  readonly #gone = new AbortController();
  /** A whole request that has to wait for those before it. */
  #held: Uint8Array | undefined;
  /** The first bytes, until they are known to be Kafka's; undefined afterwards. */
  #firstBytes: FirstBytes | undefined = new FirstBytes();
  /** Whether it is being found out who the client is before anything of it is looked at. */
  #isAdmitting = false;
  #isReadingPaused = false;
  /** Requests have taken enough time of this turn; they go on in a later one. */
  #isGivingWay = false;
  /** Nothing new begins; what has begun is answered. */
  #isFinishing = false;

  constructor(connection: Connection, parts: ConnectionParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#frames = new RequestFrames(kafkaMaxBytesBeforeLogin);
    const peer = peerOf(connection, 'kafka', '');
    this.#authentication = new Authentication(parts.admission, peer, connection.clock, () => {
      this.#frames.maxRequestBytes = parts.kafka.settings.maxRequestBytes;
    });
    const goOn = () => this.#goOn();
    this.#throttle = new Throttle(connection.clock, goOn);
    this.#answers = new Answers(connection);
    this.openedAt = connection.openedAt;
    this.lastHeardAt = this.openedAt;
    const client: KafkaClient = {
      host: hostOf(connection.remote),
      advertised: parts.advertised ?? reachable(connection),
      closed: this.#gone.signal,
      authentication: this.#authentication,
      throttle: this.#throttle,
      messages: { received: 0, sent: 0 },
      checking: undefined,
    };
    this.#requests = new Requests({
      ...{ shared: parts, client, answers: this.#answers, remote: connection.remote, goOn },
      end: () => this.#end(),
    });
    connection.handler = this;
    this.#admit();
  }

  /** Whether the client has asked for something, and has said who it is as far as it has to. */
  get isIn(): boolean {
    return this.#requests.begun > 0 && this.#authentication.access !== undefined;
  }

  /** Whether a request waits for its answer. */
  get isWaiting(): boolean {
    return this.#answers.waiting > 0;
  }

  facts(): ConnectionFacts {
    const { waiting } = this.#answers;
    const { clientId, begun, messages } = this.#requests;
    return {
      ...connectionFacts(this.#connection, this.#authentication.access?.identity),
      ...{ ...messages, clientId, requests: begun, waiting },
    };
  }

  get identity(): Identity | undefined {
    return this.#authentication.access?.identity;
  }

  end(reason: BrokerError): void {
    this.refuse(reason.code, reason.message, undefined, reason.about);
  }

  holdToLimits(): void {
    this.#throttle.holdToLimits();
  }

  recheckAccess(): void {
    const reason = this.#authentication.access?.connectRefusal;
    if (reason !== undefined) this.refuse('not-authorized', reason);
  }

  bytes(chunk: Uint8Array): void {
    if (this.#isFinishing) return;
    this.lastHeardAt = this.#connection.clock.elapsedMs();
    if (this.#firstBytes !== undefined) this.#takeFirst(this.#firstBytes, chunk);
    else this.#frames.push(chunk);
    this.#goOn();
  }

  drained(): void {
    this.#answers.drained();
    this.#goOn();
  }

  ended(): void {
    this.finish();
  }

  closed(): void {
    this.#answers.close();
    this.#throttle.leave();
    this.#gone.abort();
    this.#parts.closed();
  }

  /** Answers what has begun, without waiting for anything that is to happen first, and closes. */
  finish(): void {
    this.#isFinishing = true;
    this.#gone.abort();
    this.#goOn();
  }

  /** Closes and says why, in the log: the protocol has no words for it. */
  refuse(code: ErrorCode, reason: string, details?: object, about?: RefusedThing): void {
    if (this.#isEnded) return;
    const { remote, listener } = this.#connection;
    this.#parts.fates.tell({
      outcome: 'disconnected',
      code,
      who: { remote, listener },
      affected: this.#requests.affected,
      about,
      reason,
      details,
      line: 'a Kafka connection is closed',
      level: 'warn',
    });
    this.#end();
  }

  cut(): void {
    this.destroy();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #takeFirst(first: FirstBytes, chunk: Uint8Array): void {
    const protocol = first.push(chunk);
    if (protocol === 'undecided') return;
    this.#firstBytes = undefined;
    // Bytes of no known protocol may be a broken request, whose fault is named.
    if (protocol === 'Kafka' || protocol === undefined) this.#frames.push(first.bytes);
    else this.#refuseForeign(protocol, first.bytes);
  }

  #refuseForeign(protocol: Protocol, first: Uint8Array): void {
    this.#answers.close();
    this.#isFinishing = true;
    this.#gone.abort();
    this.#parts.foreign.refuse(this.#connection, protocol, first, () => this.#parts.closed());
  }

  get #isEnded(): boolean {
    return this.#answers.isClosed;
  }

  /** Begins what may begin, writes what is answered, and reads on or not. */
  #goOn(): void {
    if (this.#isEnded) return;
    try {
      this.#beginNext();
    } catch (error) {
      if (error instanceof BrokerError) {
        this.refuse(error.code, error.message, undefined, error.about);
        return;
      }
      if (!(error instanceof KafkaProtocolError)) throw error;
      this.refuse(
        error.code === 'unsupported-version' ? 'unsupported-kafka-request' : 'malformed-kafka-request',
        error.message,
      );
      return;
    }
    if (this.isWaiting) return;
    const { failure } = this.#authentication;
    if (failure !== undefined) this.#refuseLogin(failure);
    else if (this.#isFinishing) this.#end();
  }

  #beginNext(): void {
    const { slices } = this.#parts.kafka;
    while (this.#mayGoOn) {
      const request = this.#held ?? this.#nextRequest();
      if (request === undefined) break;
      const handler = this.#authentication.takesBareToken ? undefined : handlerFor(request);
      this.#held = this.#mayBegin(handler) ? undefined : request;
      if (this.#held !== undefined) break;
      slices.start();
      if (handler === undefined) void this.#requests.takeBareToken(request);
      else this.#requests.begin(handler, request);
      if (slices.isOver) {
        this.#giveWay();
        break;
      }
    }
    const isHeldUp = this.#answers.isBlocked || this.#isGivingWay || this.#throttle.isMuted;
    this.#readOnUnless(isHeldUp || this.#held !== undefined);
  }

  /** A bare token has no handler. */
  #mayBegin(handler: Handler | undefined): boolean {
    if (!this.#answers.mayBegin(handler?.isConcurrent ?? false)) return false;
    return handler === undefined || this.#throttle.settle(handler.meters) === 0;
  }

  get #mayGoOn(): boolean {
    const isHeldUp =
      this.#answers.isBlocked || this.#isGivingWay || this.#isAdmitting || this.#throttle.isMuted;
    return !this.#isEnded && !isHeldUp && this.#authentication.failure === undefined;
  }

  #refuseLogin(refusal: Refusal): void {
    const { code = 'bad-credentials', reason, cause } = refusal;
    const user = userToTell(refusal);
    const fields = { ...(user !== undefined && { user: nameForLog(user) }), cause };
    this.refuse(code, reason, fields, { user, cause });
  }

  /** The requests behind this one are begun in a later turn. */
  #giveWay(): void {
    this.#isGivingWay = true;
    this.#parts.kafka.slices.later(() => {
      this.#isGivingWay = false;
      this.#goOn();
    });
  }

  /** Lets the client in as whoever its connection says; one that has to say more is served little until it has. */
  #admit(): void {
    try {
      const later = this.#authentication.admit();
      if (later !== undefined) void this.#admitLater(later);
    } catch (error) {
      this.#logUnadmitted(error);
    }
  }

  async #admitLater(later: Promise<void>): Promise<void> {
    this.#isAdmitting = true;
    this.#connection.pause();
    try {
      await later;
    } catch (error) {
      this.#logUnadmitted(error);
    }
    this.#isAdmitting = false;
    this.#connection.resume();
    this.#goOn();
  }

  #logUnadmitted(error: unknown): void {
    const { remote } = this.#connection;
    this.#parts.logger.debug(
      { remote, reason: (error as Error).message },
      'a Kafka client is not let in yet',
    );
  }

  #nextRequest(): Uint8Array | undefined {
    return this.#isFinishing ? undefined : this.#frames.next();
  }

  #readOnUnless(isFull: boolean): void {
    if (isFull === this.#isReadingPaused) return;
    this.#isReadingPaused = isFull;
    if (isFull) this.#connection.pause();
    else this.#connection.resume();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#answers.close();
    this.#isFinishing = true;
    this.#gone.abort();
    this.#readOnUnless(false);
    this.#answers.flush();
    this.#connection.end();
  }
}

/** @throws KafkaProtocolError for an API that is not served. */
function handlerFor(request: Uint8Array): Handler {
  const { apiKey } = peekRequest(request);
  const handler = handlerOf(apiKey);
  if (handler !== undefined) return handler;
  throw new KafkaProtocolError('unsupported-version', `API ${apiKey} is not served`, 0);
}
