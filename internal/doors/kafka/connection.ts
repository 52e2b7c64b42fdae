import { Access } from '../../access/access.ts';
import { NO_CREDENTIALS } from '../../access/authenticator.ts';
import { anonymous } from '../../access/identity.ts';
import { closedPolicy } from '../../access/policy.ts';
import type { Logger } from '../../broker/broker.ts';
import { BrokerError, type ErrorCode } from '../../errors.ts';
import {
  atOnceBytes,
  kafkaRequestBytesInFlight,
  kafkaRequestElements,
  kafkaRequestsInFlight,
} from '../../limits/kafka.ts';
import type { Fates } from '../../observe/fates.ts';
import type { Counter } from '../../observe/metrics.ts';
import { FirstBytes, type Protocol } from '../../protocol/first-bytes.ts';
import { decodeRequest, encodeResponse, peekRequest } from '../../protocol/kafka/exchange.ts';
import { API_VERSIONS_KEY } from '../../protocol/kafka/headers.ts';
import { KafkaProtocolError } from '../../protocol/kafka/protocol-error.ts';
import { RequestFrames } from '../../protocol/kafka/request-frame.ts';
import { type Api, includes, type RequestOf } from '../../protocol/kafka/schema.ts';
import type { Connection, ConnectionHandler, HostAndPort } from '../../transport/connection.ts';
import { type Admission, peerOf } from '../clients/admission.ts';
import type { ForeignProtocols } from '../foreign-protocol.ts';
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
import { RequestAccess } from './request-access.ts';

/** What the door gives to each of its connections. */
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

/** A request that has begun and whose answer has not been written. */
interface Pending {
  readonly handler: Handler;
  readonly version: number;
  readonly correlationId: number;
  readonly bytes: number;
  /** The answer with its size, empty for none; undefined until it is known. */
  chunks: readonly Uint8Array[] | undefined;
}

/**
 * One connection of the Kafka door. Requests begin in the order in which they came: those that may run side by side do
 * (while one batch is on its way to the disk the next ones join it there), all others wait until everything before
 * them is answered. Answers go out in the order of the requests.
 */
export class KafkaConnection implements ConnectionHandler {
  lastHeardAt: number;
  readonly #connection: Connection;
  readonly #parts: ConnectionParts;
  readonly #client: KafkaClient;
  readonly #frames: RequestFrames;
  /** The client's permissions; undefined until it is authenticated. */
  #access: Access | undefined;
  readonly #gone = new AbortController();
  readonly #pending: Pending[] = [];
  #pendingBytes = 0;
  /** A whole request that has to wait for those before it. */
  #held: Uint8Array | undefined;
  #unwritten: Uint8Array[] = [];
  /** What came before it was known that it is Kafka's; undefined afterwards. */
  #firstBytes: FirstBytes | undefined = new FirstBytes();
  #hasAsked = false;
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
    this.#frames = new RequestFrames(parts.kafka.settings.maxRequestBytes);
    this.lastHeardAt = connection.openedAt;
    this.#client = {
      host: hostOf(connection.remote),
      advertised: parts.advertised ?? reachable(connection),
      closed: this.#gone.signal,
      checking: undefined,
    };
    connection.handler = this;
    this.#admit();
  }

  /** Whether no whole request has come yet. */
  get isSilent(): boolean {
    return !this.#hasAsked;
  }

  /** Whether a request waits for its answer. */
  get isWaiting(): boolean {
    return this.#pending.length > 0;
  }

  bytes(chunk: Uint8Array): void {
    if (this.#isFinishing) return;
    this.lastHeardAt = performance.now();
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
  refuse(code: ErrorCode, reason: string): void {
    if (this.#isEnded) return;
    const { remote, listener } = this.#connection;
    this.#parts.fates.tell({
      outcome: 'disconnected',
      code,
      who: { remote, listener },
      reason,
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
    // What nobody knows may be a broken request, whose fault is named.
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
        this.refuse(error.code, error.message);
        return;
      }
      if (!(error instanceof KafkaProtocolError)) throw error;
      this.refuse(
        error.code === 'unsupported-version' ? 'unsupported-kafka-request' : 'malformed-kafka-request',
        error.message,
      );
      return;
    }
    if (this.#isFinishing && this.#pending.length === 0) this.#end();
  }

  #beginNext(): void {
    const { slices } = this.#parts.kafka;
    while (!this.#isEnded && !this.#isBlocked && !this.#isGivingWay) {
      const request = this.#held ?? this.#nextRequest();
      if (request === undefined) break;
      const { apiKey, apiVersion, correlationId } = peekRequest(request);
      const handler = handlerOf(apiKey);
      if (handler === undefined) {
        throw new KafkaProtocolError('unsupported-version', `API ${apiKey} is not served`, 0);
      }
      this.#held = this.#mayBegin(handler) ? undefined : request;
      if (this.#held !== undefined) break;
      slices.start();
      this.#begin(handler, apiVersion, correlationId, request);
      if (slices.isOver) {
        this.#giveWay();
        break;
      }
    }
    this.#readOnUnless(this.#isBlocked || this.#isGivingWay || this.#held !== undefined);
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
    const { admission } = this.#parts;
    try {
      const answer = admission.admit(peerOf(this.#connection, 'kafka', ''), NO_CREDENTIALS);
      if (answer instanceof Promise) void this.#admitLater(answer);
      else this.#access = answer;
    } catch (error) {
      this.#logUnadmitted(error);
    }
  }

  async #admitLater(answer: Promise<Access>): Promise<void> {
    this.#connection.pause();
    try {
      this.#access = await answer;
    } catch (error) {
      this.#logUnadmitted(error);
    } finally {
      this.#connection.resume();
    }
  }

  #logUnadmitted(error: unknown): void {
    const { remote } = this.#connection;
    this.#parts.logger.debug(
      { remote, reason: (error as Error).message },
      'a Kafka client is not let in yet',
    );
  }

  /**
   * What a request may do. Before its client has said who it is, and when it may no longer be connected, hardly anything is
   * served.
   *
   * @throws BrokerError `not-authorized`, which closes the connection: before it is let in, nobody has a place for an error.
   */
  #accessFor({ api, needs, isBeforeAuthentication }: Handler): RequestAccess {
    const access = this.#access;
    if (access?.may('connect', 'broker', 'broker')) return new RequestAccess(access, needs);
    if (isBeforeAuthentication) return NO_ACCESS;
    throw new BrokerError('not-authorized', `${api.name} is not served to a client that was not let in`);
  }

  #nextRequest(): Uint8Array | undefined {
    return this.#isFinishing ? undefined : this.#frames.next();
  }

  #mayBegin({ isConcurrent }: Handler): boolean {
    const { length } = this.#pending;
    if (length === 0) return true;
    return (
      isConcurrent &&
      this.#pending[length - 1].handler.isConcurrent &&
      length < kafkaRequestsInFlight &&
      this.#pendingBytes < kafkaRequestBytesInFlight
    );
  }

  #begin(handler: Handler, version: number, correlationId: number, request: Uint8Array): void {
    this.#parts.requests.value++;
    this.#hasAsked = true;
    const { api } = handler;
    if (!includes(api.validVersions, version)) {
      if (api.key !== API_VERSIONS_KEY) {
        throw new KafkaProtocolError('unsupported-version', `${api.name} has no version ${version} here`, 2);
      }
      this.#write(encodeResponse(api, 0, correlationId, unsupportedApiVersions()));
      return;
    }
    const access = this.#accessFor(handler);
    const { header, body } = decodeRequest(api, request, kafkaRequestElements);
    const bytes = request.length;
    const pending: Pending = { handler, version, correlationId, bytes, chunks: undefined };
    this.#pending.push(pending);
    this.#pendingBytes += bytes;
    const context = {
      parts: this.#parts.kafka,
      version,
      clientId: header.clientId ?? '',
      client: this.#client,
      access,
    };
    this.#inTime(pending, () => this.#handle(pending, body, context));
  }

  /** Reading a long request, handling it and writing its answer may each take long: they share no turn that is over. */
  #inTime(pending: Pending, step: () => void): void {
    if (this.#isOverFor(pending)) this.#parts.kafka.slices.later(step);
    else step();
  }

  #isOverFor({ bytes }: Pending): boolean {
    return bytes > atOnceBytes && this.#parts.kafka.slices.isOver;
  }

  #handle(pending: Pending, body: RequestOf<Api>, context: RequestContext): void {
    const { handler } = pending;
    try {
      const answer = handler.handle(body, context);
      if (answer instanceof Promise) {
        answer.then(
          (late) => this.#inTime(pending, () => this.#answerLate(pending, late)),
          (error) => this.#fail(handler, error),
        );
      } else if (this.#isOverFor(pending)) {
        this.#parts.kafka.slices.later(() => this.#answerLate(pending, answer));
      } else {
        this.#answer(pending, answer);
      }
    } catch (error) {
      this.#fail(handler, error);
    }
  }

  #answerLate(pending: Pending, answer: Answer<Handler['api']>): void {
    if (this.#isEnded) return;
    try {
      this.#answer(pending, answer);
    } catch (error) {
      this.#fail(pending.handler, error);
      return;
    }
    this.#goOn();
  }

  /** Keeps an answer until those before it are there, and writes what is. */
  #answer(pending: Pending, answer: Answer<Handler['api']>): void {
    const { handler, version, correlationId } = pending;
    pending.chunks = answer === undefined ? [] : encodeResponse(handler.api, version, correlationId, answer);
    const answered = this.#pending.findIndex(({ chunks }) => chunks === undefined);
    const ready = this.#pending.splice(0, answered < 0 ? this.#pending.length : answered);
    for (const { bytes } of ready) this.#pendingBytes -= bytes;
    for (const { chunks } of ready) this.#write(chunks!);
  }

  /** Writes at the end of the turn: one commit of the disk answers many requests. */
  #write(chunks: readonly Uint8Array[]): void {
    if (chunks.length === 0) return;
    if (this.#unwritten.length === 0) queueMicrotask(() => this.#flush());
    this.#unwritten.push(...chunks);
  }

  #flush(): void {
    const chunks = this.#unwritten;
    this.#unwritten = [];
    if (chunks.length > 0 && !this.#connection.write(chunks)) this.#isBlocked = true;
  }

  /** A handler answers every error that it knows; anything else is a bug, or asks for the connection to be closed. */
  #fail(handler: Handler, error: unknown): void {
    if (this.#isEnded) return;
    if (!(error instanceof CloseConnection)) {
      this.#parts.fates.tell({
        outcome: 'disconnected',
        code: 'internal-error',
        details: { api: handler.api.name, error },
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
 * How a client reaches again what it reached. Not every client can take an IPv6 address in a list of brokers, so it
 * gets the name of this machine, except where only `[::1]` listens: the name is 127.0.0.1 first.
 */
function reachable({ dialled, listener }: Connection): HostAndPort {
  if (dialled === undefined) return { host: 'localhost', port: 0 };
  const isNamed = dialled.host === '::1' && !listener.includes('[::1]');
  return isNamed ? { host: 'localhost', port: dialled.port } : dialled;
}
