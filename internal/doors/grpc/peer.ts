import type { Access } from '../../access/access.ts';
import type { Identity } from '../../access/identity.ts';
import type { BrokerError } from '../../errors.ts';
import { traceContextOf } from '../../lib/trace-context.ts';
import { grpcHeaderBytes } from '../../limits/grpc.ts';
import type { ConnectionFacts, OpenConnection } from '../../observe/connections.ts';
import type { Affected, Fates } from '../../observe/fates.ts';
import type { Protocol } from '../../protocol/first-bytes.ts';
import { HealthService } from '../../protocol/grpc/health.ts';
import { GrpcError, Status, type StatusCode } from '../../protocol/grpc/status.ts';
import { parseTimeoutMs } from '../../protocol/grpc/timeout.ts';
import type { Http2Error } from '../../protocol/http2/http2-error.ts';
import type { RequestHead } from '../../protocol/http2/request-head.ts';
import type { Connection } from '../../transport/connection.ts';
import { type Admission, peerOf } from '../clients/admission.ts';
import { connectionFacts } from '../clients/connection-facts.ts';
import { LimitedConnection } from '../clients/limited-connection.ts';
import { RefusalLog } from '../clients/refusal-log.ts';
import type { ForeignProtocols } from '../foreign-protocol.ts';
import { Call, type OpenCall } from './call.ts';
import { CallSpan } from './call-span.ts';
import type { CallPeer, DoorContext } from './context.ts';
import { refusalOfCall, SHUTTING_DOWN } from './errors.ts';
import { Http2Connection, type Http2Events, type Http2Settings } from './http2/connection.ts';
import type { Http2Stream } from './http2/stream.ts';
import { Logins } from './logins.ts';
import { refusalOf, refuseRequest, refuseTooLarge } from './no-call.ts';

/** The services of the door for a peer. */
export interface PeerParts {
  door: DoorContext;
  admission: Admission;
  http2: Http2Settings;
  fates: Fates;
  foreign: ForeignProtocols;
  /** @throws GrpcError where there is no such method. */
  methodOf(path: string): OpenCall;
  /** Whether one call more is too much. */
  isFull(): boolean;
  callOpened(): void;
  callOver(status: StatusCode): void;
  gone(peer: GrpcPeer): void;
}

/** The client of one connection: makes calls of its streams. */
export class GrpcPeer implements CallPeer, Http2Events, OpenConnection {
  readonly door = 'grpc';
  readonly context: DoorContext;
  readonly #parts: PeerParts;
  readonly #connection: Connection;
  readonly #http2: Http2Connection;
  readonly #calls = new Set<Call>();
  #refusals: RefusalLog | undefined;
  /** Who sent the call that was refused. */
  #asking: Identity | undefined;
  /** Messages of all calls so far. */
  readonly #messages = { received: 0, sent: 0 };
  #callCount = 0;
  #isClosing = false;
  readonly #logins: Logins;
  /** What the connection counts as. */
  #access: Access | undefined;

  constructor(parts: PeerParts, connection: Connection) {
    this.#parts = parts;
    this.context = parts.door;
    this.#connection = connection;
    this.#http2 = new Http2Connection(connection, parts.http2, this);
    this.#logins = new Logins(parts.admission, peerOf(connection, 'grpc', ''));
  }

  facts(): ConnectionFacts {
    return {
      ...connectionFacts(this.#connection, this.#logins.identity),
      ...this.#messages,
      requests: this.#callCount,
      waiting: this.#calls.size,
    };
  }

  get identity(): Identity | undefined {
    return this.#logins.identity;
  }

  end(reason: BrokerError): void {
    const { remote, listener } = this.#connection;
    const { code, message } = reason;
    const line = 'an HTTP/2 connection is closed';
    this.#parts.fates.tell({
      outcome: 'disconnected',
      code,
      who: { remote, listener },
      affected: this.#affected,
      about: reason.about,
      reason: message,
      line,
    });
    for (const call of [...this.#calls]) call.fail(reason);
    this.#http2.shutDown(0);
  }

  /** Ends what is no longer allowed. */
  recheckAccess(): void {
    for (const call of [...this.#calls]) call.recheckAccess();
  }

  holdToLimits(): void {
    if (this.#access !== undefined)
      LimitedConnection.holdOpen(this.#connection, this.#access, this.#messages);
  }

  /** The bytes that arrived on the connection before. */
  bytes(first: Uint8Array): void {
    this.#http2.bytes(first);
  }

  /** @param timeOfDayMs what credentials end by; `now` only grows. */
  sweep(now: number, timeOfDayMs: number, lostMs: number): void {
    this.#http2.sweep(now, lostMs);
    for (const call of [...this.#calls]) call.checkExpiry(timeOfDayMs);
  }

  /** Takes no new calls, and closes when the last one is over. */
  close(lastWordMs: number): void {
    this.#isClosing = true;
    this.#http2.shutDown(lastWordMs);
    for (const call of [...this.#calls]) call.closing();
  }

  /** Ends the calls that are left with UNAVAILABLE. */
  failCalls(): void {
    for (const call of [...this.#calls]) call.fail(new GrpcError(Status.UNAVAILABLE, SHUTTING_DOWN));
  }

  /** Closes at once. */
  destroy(): void {
    this.#connection.destroy();
  }

  tookMessage(): void {
    this.context.received.value++;
    this.#messages.received++;
    this.#connection.meter?.received(this.#messages.received);
  }

  sendsMessages(count: number): void {
    this.context.sent.value += count;
    this.#messages.sent += count;
    this.#connection.meter?.sending(this.#messages.sent);
  }

  refused(identity: Identity | undefined, error: unknown): void {
    const refusal = refusalOfCall(error);
    if (refusal === undefined) return;
    this.#asking = identity;
    this.#refusals ??= new RefusalLog(this.#parts.fates, () => this.#affected);
    this.#refusals.add(refusal, 'a call was refused');
  }

  /** Whose call it is, or whoever the connection belongs to. */
  get #affected(): Affected {
    const { remote } = this.#connection;
    return this.#asking ?? this.#logins.identity ?? { remote, door: this.door };
  }

  callOver(call: Call, status: StatusCode): void {
    if (!this.#calls.delete(call)) return;
    if (call.span?.topic !== undefined) call.span.end(call.span.topic, status, call.access.identity);
    this.#parts.callOver(status);
  }

  /** Called by the connection, as what follows. */
  opened(stream: Http2Stream, head: RequestHead): void {
    const refusal = refusalOf(head);
    if (refusal !== undefined) {
      refuseRequest(stream, refusal);
      return;
    }
    const call = new Call(this, stream);
    this.#calls.add(call);
    this.#callCount++;
    this.#parts.callOpened();
    const authorization = head.get('authorization');
    call.isNobodys = this.#logins.areNobodys(authorization);
    try {
      if (this.#parts.isFull()) throw new GrpcError(Status.RESOURCE_EXHAUSTED, 'too many calls at once');
      // Whoever looks after the broker asks how it is without an account.
      if (head.path.startsWith(HEALTH_PATH)) this.#start(call, head);
      else this.#startFor(this.#logins.of(authorization), call, head);
    } catch (error) {
      call.fail(error);
    }
  }

  #startFor(access: Access | Promise<Access>, call: Call, head: RequestHead): void {
    if (access instanceof Promise) {
      // What it asks for waits until it is known for whom that is.
      call.pause();
      access
        .then((found) => this.#startFor(found, call, head))
        .catch((error) => call.fail(error))
        .finally(() => call.resume());
      return;
    }
    const expiry = access.expiry(this.context.logs.clock.now());
    if (expiry !== undefined) throw expiry;
    access.checkConnect();
    // The first one that is let in stands for the connection.
    LimitedConnection.hold(this.#connection, access, this.#messages);
    this.#access ??= access;
    call.access = access;
    this.#start(call, head);
  }

  #start(call: Call, head: RequestHead): void {
    if (call.isOver) return;
    const open = this.#parts.methodOf(head.path);
    const trace = traceContextOf((name) => head.get(name));
    if (trace.length > 0) {
      call.recordHeaders = trace.map(([key, value]) => ({ key, value: Buffer.from(value) }));
      const { spans } = this.context;
      if (spans.isOn) call.span = new CallSpan(spans, trace);
    }
    const timeout = head.get('grpc-timeout');
    const timeoutMs = timeout === undefined ? undefined : parseTimeoutMs(timeout);
    call.start(open, head.get('grpc-encoding'), timeoutMs);
    if (this.#isClosing) call.closing();
  }

  openedTooLarge(stream: Http2Stream, listBytes: number): void {
    refuseTooLarge(
      stream,
      `grpc: received header list larger than max (${listBytes} vs. ${grpcHeaderBytes})`,
    );
  }

  foreign(first: Uint8Array, protocol: Protocol | undefined): void {
    this.#parts.foreign.refuse(this.#connection, protocol, first, () => this.closed());
  }

  failed({ message, rule }: Http2Error): void {
    const { remote, listener } = this.#connection;
    this.#parts.fates.tell({
      outcome: 'disconnected',
      code: 'malformed-http2',
      who: { remote, listener },
      affected: this.#affected,
      reason: `${message} (${rule})`,
      line: 'an HTTP/2 connection is closed',
      level: 'warn',
    });
  }

  unexpected(error: unknown): void {
    this.context.unexpected(error);
  }

  closed(): void {
    this.#parts.gone(this);
  }
}

const HEALTH_PATH = `/${HealthService.name}/`;
