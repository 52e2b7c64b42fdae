import { Access } from '../../access/access.ts';
import type { Refusal } from '../../access/authenticator.ts';
import { anonymous, type Identity } from '../../access/identity.ts';
import { closedPolicy } from '../../access/policy.ts';
import type { Logger } from '../../broker/broker.ts';
import { BrokerError, type ErrorCode, nameForLog, type RefusedThing } from '../../errors.ts';
import { atOnceBytes, kafkaMaxBytesBeforeLogin, kafkaRequestElements } from '../../limits/kafka.ts';
import type { ConnectionFacts, OpenConnection } from '../../observe/connections.ts';
import type { Affected, Fates } from '../../observe/fates.ts';
import type { Counter } from '../../observe/metrics.ts';
import { FirstBytes, type Protocol } from '../../protocol/first-bytes.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { decodeRequest, encodeResponse, peekRequest, withSizeBefore } from '../../protocol/kafka/exchange.ts';
import { API_VERSIONS_KEY } from '../../protocol/kafka/headers.ts';
import { KafkaProtocolError } from '../../protocol/kafka/protocol-error.ts';
import { RequestFrames } from '../../protocol/kafka/request-frame.ts';
import { type Api, includes, type RequestOf } from '../../protocol/kafka/schema.ts';
import type { Connection, ConnectionHandler, HostAndPort } from '../../transport/connection.ts';
import { type Admission, peerOf } from '../clients/admission.ts';
import { connectionFacts } from '../clients/connection-facts.ts';
import { RefusalLog } from '../clients/refusal-log.ts';
import type { ForeignProtocols } from '../foreign-protocol.ts';
import { Authentication } from './authentication.ts';
import {
  type Answer,
  CloseConnection,
  type Handler,
  type KafkaClient,
  type KafkaParts,
  type RequestContext,
} from './handler.ts';
import { unsupportedApiVersions } from './handlers/18-api-versions.ts';
import { handlerOf } from './handlers/all.ts';
import { type Pending, PendingAnswers } from './pending-answers.ts';
import { RequestAccess } from './request-access.ts';
import { Throttle } from './throttle.ts';

/** The services that all connections of the door share. */
export interface ConnectionParts {
  readonly kafka: KafkaParts;
  readonly admission: Admission;
  /** The address that clients get for the broker; the one that they dialled, unless it is set. */
  readonly advertised: HostAndPort | undefined;
  readonly requests: Counter;
  readonly fates: Fates;
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
  readonly #client: KafkaClient;
  readonly #frames: RequestFrames;
  readonly #authentication: Authentication;
  readonly #throttle: Throttle;
  readonly #gone = new AbortController();
  readonly #pending = new PendingAnswers();
  /** A whole request that has to wait for those before it. */
  #held: Uint8Array | undefined;
  #unwritten: Uint8Array[] = [];
  /** The first bytes, until they are known to be Kafka's; undefined afterwards. */
  #firstBytes: FirstBytes | undefined = new FirstBytes();
  #hasAsked = false;
  /** Requests that have begun. */
  #requests = 0;
  /** As the last request said. */
  #clientId = '';
  /** Whether it is being found out who the client is before anything of it is looked at. */
  #isAdmitting = false;
  #refusals: RefusalLog | undefined;
  #isReadingPaused = false;
  /** The socket takes no more answers for the moment. */
  #isBlocked = false;
  /** Requests have taken enough time of this turn; they go on in a later one. */
  #isGivingWay = false;
  /** Nothing new begins; what has begun is answered. */
  #isFinishing = false;
  #isEnded = false;

  constructor(connection: Connection, parts: ConnectionParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#frames = new RequestFrames(kafkaMaxBytesBeforeLogin);
    const peer = peerOf(connection, 'kafka', '');
    this.#authentication = new Authentication(parts.admission, peer, connection.clock, () => {
      this.#frames.maxRequestBytes = parts.kafka.settings.maxRequestBytes;
    });
    this.#throttle = new Throttle(connection.clock, () => this.#goOn());
    this.openedAt = connection.openedAt;
    this.lastHeardAt = this.openedAt;
    this.#client = {
      host: hostOf(connection.remote),
      advertised: parts.advertised ?? reachable(connection),
      closed: this.#gone.signal,
      authentication: this.#authentication,
      throttle: this.#throttle,
      checking: undefined,
    };
    connection.handler = this;
    this.#admit();
  }

  /** Whether the client has asked for something, and has said who it is as far as it has to. */
  get isIn(): boolean {
    return this.#hasAsked && this.#authentication.access !== undefined;
  }

  /** Whether a request waits for its answer. */
  get isWaiting(): boolean {
    return this.#pending.size > 0;
  }

  facts(): ConnectionFacts {
    const waiting = this.#pending.size;
    return {
      ...connectionFacts(this.#connection, this.#authentication.access?.identity),
      ...{ clientId: this.#clientId, received: this.#requests, sent: this.#requests - waiting, waiting },
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
    this.#isBlocked = false;
    this.#goOn();
  }

  ended(): void {
    this.finish();
  }

  closed(): void {
    this.#isEnded = true;
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
      affected: this.#affected,
      about,
      reason,
      details,
      line: 'a Kafka connection is closed',
      level: 'warn',
    });
    this.#end();
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
    this.#isEnded = true;
    this.#isFinishing = true;
    this.#gone.abort();
    this.#parts.foreign.refuse(this.#connection, protocol, first, () => this.#parts.closed());
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
      if (handler === undefined) void this.#takeBareToken(request);
      else this.#begin(handler, request);
      if (slices.isOver) {
        this.#giveWay();
        break;
      }
    }
    const isHeldUp = this.#isBlocked || this.#isGivingWay || this.#throttle.isMuted;
    this.#readOnUnless(isHeldUp || this.#held !== undefined);
  }

  /** A bare token has no handler. */
  #mayBegin(handler: Handler | undefined): boolean {
    if (!this.#pending.mayBegin(handler?.isConcurrent ?? false)) return false;
    return handler === undefined || this.#throttle.settle(handler.meters) === 0;
  }

  get #mayGoOn(): boolean {
    const isHeldUp = this.#isBlocked || this.#isGivingWay || this.#isAdmitting || this.#throttle.isMuted;
    return !this.#isEnded && !isHeldUp && this.#authentication.failure === undefined;
  }

  #refuseLogin({ code = 'bad-credentials', reason, user, cause }: Refusal): void {
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

  /**
   * The permissions of a request. Before its client has said who it is, after that is over, and when it may no longer be
   * connected, hardly anything is served.
   *
   * @throws BrokerError `not-authorized`, `credentials-expired`, which close the connection: outside, nobody has a place for
   * an error.
   */
  #accessFor({ api, needs, isBeforeAuthentication }: Handler): RequestAccess {
    const { access, isExpired } = this.#authentication;
    if (!isExpired && access !== undefined && access.connectRefusal === undefined)
      return new RequestAccess(access, needs, this.#tellRefusal);
    if (isBeforeAuthentication) return NO_ACCESS;
    if (isExpired) throw new BrokerError('credentials-expired', `${api.name} came after the login was over`);
    throw new BrokerError('not-authorized', `${api.name} is not served to a client that was not let in`);
  }

  #nextRequest(): Uint8Array | undefined {
    return this.#isFinishing ? undefined : this.#frames.next();
  }

  #begin(handler: Handler, request: Uint8Array): void {
    this.#parts.requests.value++;
    this.#requests++;
    this.#hasAsked = true;
    const { api } = handler;
    const { apiVersion: version, correlationId } = peekRequest(request);
    if (!includes(api.validVersions, version)) {
      if (api.key !== API_VERSIONS_KEY) {
        throw new KafkaProtocolError('unsupported-version', `${api.name} has no version ${version} here`, 2);
      }
      this.#write(encodeResponse(api, 0, correlationId, unsupportedApiVersions()));
      return;
    }
    const access = this.#accessFor(handler);
    const { header, body } = decodeRequest(api, request, kafkaRequestElements);
    this.#clientId = header.clientId ?? '';
    this.#enter();
    const begun: Begun = {
      handler,
      version,
      correlationId,
      pending: this.#pending.begin(handler.isConcurrent, request.length),
    };
    const context = {
      parts: this.#parts.kafka,
      version,
      clientId: this.#clientId,
      client: this.#client,
      access,
      refused: this.#tellRefusal,
    };
    this.#inTime(begun, () => this.#handle(begun, body, context));
  }

  /**
   * Limits hold for whoever the client is by now. Kafka's clients say their client id with each request; the first one of a
   * client that is in is the one that it has.
   *
   * @throws BrokerError `too-many-connections`.
   */
  #enter(): void {
    const { access } = this.#authentication;
    if (access === undefined) return;
    const { identity } = access;
    if (identity.clientId === '' && this.#clientId !== '') {
      access.renew({ ...identity, clientId: this.#clientId });
    }
    this.#throttle.enter(access);
  }

  /** A token of a login that came bare is answered bare; a failure has no words, and the connection ends. */
  async #takeBareToken(token: Uint8Array): Promise<void> {
    const pending = this.#pending.begin(false, token.length);
    try {
      const { errorCode, bytes } = await this.#authentication.take(token);
      this.#settle(pending, errorCode === KafkaErrorCode.none ? withSizeBefore(bytes) : []);
    } catch (error) {
      this.#fail('a bare token', error);
    }
    this.#goOn();
  }

  /** Reading a long request, handling it and writing its answer may each take long: they share no turn that is over. */
  #inTime(begun: Begun, step: () => void): void {
    if (this.#isOverFor(begun)) this.#parts.kafka.slices.later(step);
    else step();
  }

  #isOverFor({ pending }: Begun): boolean {
    return pending.bytes > atOnceBytes && this.#parts.kafka.slices.isOver;
  }

  #handle(begun: Begun, body: RequestOf<Api>, context: RequestContext): void {
    const { handler } = begun;
    try {
      const answer = handler.handle(body, context);
      if (answer instanceof Promise) {
        answer.then(
          (late) => this.#inTime(begun, () => this.#answerLate(begun, late)),
          (error) => this.#fail(handler.api.name, error),
        );
      } else if (this.#isOverFor(begun)) {
        this.#parts.kafka.slices.later(() => this.#answerLate(begun, answer));
      } else {
        this.#answer(begun, answer);
      }
    } catch (error) {
      this.#fail(handler.api.name, error);
    }
  }

  #answerLate(begun: Begun, answer: Answer<Handler['api']>): void {
    if (this.#isEnded) return;
    try {
      this.#answer(begun, answer);
    } catch (error) {
      this.#fail(begun.handler.api.name, error);
      return;
    }
    this.#goOn();
  }

  #answer(begun: Begun, answer: Answer<Handler['api']>): void {
    const { handler, version, correlationId, pending } = begun;
    this.#settle(
      pending,
      answer === undefined ? [] : encodeResponse(handler.api, version, correlationId, answer),
    );
  }

  /** Who the client is, as far as it has said so. */
  get #affected(): Affected {
    const identity = this.#authentication.access?.identity;
    const { remote } = this.#connection;
    return { clientId: this.#clientId, user: identity?.user, remote, door: 'kafka' };
  }

  readonly #tellRefusal = (refusal: BrokerError): void => {
    this.#refusals ??= new RefusalLog(this.#parts.fates, () => this.#affected);
    this.#refusals.add(refusal, 'a request was refused');
  };

  /** Keeps an answer until those before it are there, and writes what is. */
  #settle(pending: Pending, chunks: readonly Uint8Array[]): void {
    this.#write(this.#pending.settle(pending, chunks));
  }

  /** Writes at the end of the turn: one commit of the disk answers many requests. */
  #write(chunks: readonly Uint8Array[]): void {
    if (chunks.length === 0 || this.#isEnded) return;
    if (this.#unwritten.length === 0) queueMicrotask(() => this.#flush());
    this.#unwritten.push(...chunks);
  }

  #flush(): void {
    const chunks = this.#unwritten;
    this.#unwritten = [];
    if (chunks.length > 0 && !this.#connection.write(chunks)) this.#isBlocked = true;
  }

  /** A handler answers every error that it knows; anything else is a bug, or asks for the connection to be closed. */
  #fail(what: string, error: unknown): void {
    if (this.#isEnded) return;
    if (!(error instanceof CloseConnection)) {
      this.#parts.fates.tell({
        outcome: 'disconnected',
        code: 'internal-error',
        affected: this.#affected,
        details: { api: what, error },
        line: 'a Kafka request could not be answered',
        level: 'error',
      });
    }
    this.#end();
  }

  #readOnUnless(isFull: boolean): void {
    if (isFull === this.#isReadingPaused) return;
    this.#isReadingPaused = isFull;
    if (isFull) this.#connection.pause();
    else this.#connection.resume();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isFinishing = true;
    this.#gone.abort();
    this.#readOnUnless(false);
    this.#flush();
    this.#connection.end();
  }
}

/** A request that a handler has. */
interface Begun {
  readonly handler: Handler;
  readonly version: number;
  readonly correlationId: number;
  readonly pending: Pending;
}

/** @throws KafkaProtocolError for an API that is not served. */
function handlerFor(request: Uint8Array): Handler {
  const { apiKey } = peekRequest(request);
  const handler = handlerOf(apiKey);
  if (handler !== undefined) return handler;
  throw new KafkaProtocolError('unsupported-version', `API ${apiKey} is not served`, 0);
}

/** Of a client that was not let in. */
const NO_ACCESS = new RequestAccess(
  new Access(
    anonymous({ clientId: '', door: 'kafka', listener: '', remote: '', certificateName: undefined }),
    closedPolicy,
  ),
  [],
);

/** `127.0.0.1:50123` and `[::1]:50123` without the port. */
function hostOf(remote: string): string {
  return remote.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/**
 * The address at which a client reaches the broker again. Not every client can take an IPv6 address in a list of brokers, so it
 * gets the name of this machine, except where only `[::1]` listens: the name is 127.0.0.1 first.
 */
function reachable({ dialled, listener }: Connection): HostAndPort {
  if (dialled === undefined) return { host: 'localhost', port: 0 };
  const isNamed = dialled.host === '::1' && !listener.includes('[::1]');
  return isNamed ? { host: 'localhost', port: dialled.port } : dialled;
}
