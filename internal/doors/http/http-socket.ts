import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Identity } from '../../access/identity.ts';
import type { BrokerError, RefusedThing } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ConnectionFacts, OpenConnection } from '../../observe/connections.ts';
import type { Affected, Fates } from '../../observe/fates.ts';
import { certificateOf, remoteOf } from '../../transport/connection.ts';
import { RefusalLog } from '../clients/refusal-log.ts';
import { RequestLimits } from './request-limits.ts';

/** An answer that goes on. */
export interface OpenAnswer {
  /** Messages that the client got. */
  readonly sent: number;
  /** Messages that wait because the client takes no more. */
  readonly waiting: number;
  /** Ends it with the reason as its last event. */
  refuse(reason: BrokerError): void;
  standingFilters(): Iterable<string>;
}

/** A connection of the door: requests come over it, one after the other. */
export class HttpSocket implements OpenConnection {
  readonly door = 'http';
  readonly listener: string;
  readonly remote: string;
  readonly certificate: ReturnType<typeof certificateOf>;
  /** Of the last request; undefined where that was not let in yet. */
  identity: Identity | undefined;
  /** What the client of that request calls itself, where it does. */
  claimedId: string | undefined;
  /** The stream that it has become. */
  stream: OpenAnswer | undefined;
  readonly limits: RequestLimits;
  /** Messages that were published over it, and that it was sent; without those of {@link stream}. */
  readonly messages = { received: 0, sent: 0 };
  /** Whether the bytes of the present answer are counted as they are sent. */
  isPaced = false;
  readonly #socket: Socket;
  readonly #sinceMs: number;
  readonly #answering = new Set<ServerResponse>();
  readonly #refusals: RefusalLog;
  #requests = 0;

  constructor(socket: Socket, listener: string, clock: Clock, fates: Fates) {
    this.listener = listener;
    this.remote = remoteOf(socket);
    this.certificate = certificateOf(socket);
    this.#socket = socket;
    this.limits = new RequestLimits(socket);
    this.#sinceMs = clock.now();
    this.#refusals = new RefusalLog(
      fates,
      () => this.#asking,
      () => clock.elapsedMs(),
    );
  }

  /** Tells of a request that was refused. */
  refused(refusal: BrokerError, thing?: RefusedThing): void {
    this.#refusals.add(refusal, 'a request was refused', thing);
  }

  /** Counts a request. `answered` is called when its answer has gone out, or its client has gone. */
  takes(response: ServerResponse, answered: () => void): void {
    this.#requests++;
    this.identity = undefined;
    this.claimedId = undefined;
    this.isPaced = false;
    this.#answering.add(response);
    response.once('close', () => {
      this.limits.answered(this.isPaced);
      this.#answering.delete(response);
      answered();
    });
  }

  /** The stream that it had become is over. */
  streamEnded(stream: OpenAnswer): void {
    this.messages.sent += stream.sent;
    this.stream = undefined;
  }

  holdToLimits(): void {
    this.limits.holdToLimits();
  }

  facts(): ConnectionFacts {
    const { listener, remote, identity, stream } = this;
    return {
      ...{
        listener,
        remote,
        sinceMs: this.#sinceMs,
        user: identity?.user,
        clientId: identity?.clientId ?? '',
      },
      receivedBytes: this.#socket.bytesRead,
      sentBytes: this.#socket.bytesWritten,
      received: this.messages.received,
      sent: this.messages.sent + (stream?.sent ?? 0),
      requests: this.#requests,
      waiting: stream?.waiting ?? this.#answering.size,
    };
  }

  standingFilters(): Iterable<string> {
    return this.stream?.standingFilters() ?? [];
  }

  /** Who sends the request in hand: each may be from somebody else. */
  get #asking(): Affected {
    const { remote, door, claimedId = door } = this;
    return this.identity ?? { clientId: claimedId, remote, door };
  }

  /** Ends a stream with the reason; a request that is being answered loses its answer. */
  end(reason: BrokerError): void {
    this.stream?.refuse(reason);
    this.close();
  }

  /** Closes when what was written is out. */
  close(): void {
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
