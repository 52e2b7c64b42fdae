import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../access/access.ts';
import type { Encoding } from '../../broker/delivery/publication.ts';
import { BrokerError } from '../../errors.ts';
import type { ClockTimer } from '../../lib/clock.ts';
import { deadlineSweepMs } from '../../limits/doors.ts';
import { httpStreamQuietMs, httpStreams } from '../../limits/http.ts';
import type { ReplayStart } from '../../live/replay-filter.ts';
import type { Fates } from '../../observe/fates.ts';
import type { DoorParts } from '../door.ts';
import { LIVE_EVENTS, liveEvents } from './event-encoding.ts';
import { positionsOf } from './event-ids.ts';
import { EventStream } from './event-stream.ts';
import type { HttpSocket } from './http-socket.ts';

export interface StreamRequest {
  request: FastifyRequest;
  reply: FastifyReply;
  access: Access;
  socket: HttpSocket;
  filter: string;
  /** Where it begins in the logs, where the client says so. */
  start: ReplayStart | undefined;
}

/** The streams of events that are open. */
export class EventStreams {
  readonly #parts: DoorParts;
  readonly #fates: Fates;
  readonly #encoding: Encoding;
  readonly #open = new Set<EventStream>();
  readonly #timers: readonly ClockTimer[];

  constructor(parts: DoorParts, fates: Fates) {
    this.#parts = parts;
    this.#fates = fates;
    this.#encoding = liveEvents((topic) => parts.kept?.logOf(topic) !== undefined);
    const { clock } = parts;
    this.#timers = [
      clock.every(httpStreamQuietMs, () => this.#showLife()),
      clock.every(deadlineSweepMs, () => this.#checkExpiry()),
    ];
  }

  /**
   * Answers a request with a stream, which lasts until one of both sides ends it.
   *
   * @throws BrokerError where it is not to begin.
   */
  open({ request, reply, access, socket, filter, start }: StreamRequest): FastifyReply {
    const { kept } = this.#parts;
    if (this.#open.size >= httpStreams) {
      throw new BrokerError('too-many-clients', `${this.#open.size} streams are open`);
    }
    if (start !== undefined && kept === undefined)
      throw new BrokerError('no-log', 'this broker keeps no log');
    const readsLogs = kept !== undefined && !filter.startsWith('$');
    if (start !== undefined && !readsLogs)
      throw new BrokerError('malformed-http-request', 'a group, and what begins with $, has no `from`');
    const lastEventId = request.headers['last-event-id'];
    const positions =
      lastEventId === undefined || kept === undefined
        ? undefined
        : positionsOf(String(lastEventId), kept.logs);
    const stream = new EventStream(this.#parts, reply.raw, {
      ...{ access, socket, filter, start, positions, readsLogs },
      ...{ fates: this.#fates, encoding: readsLogs ? this.#encoding : LIVE_EVENTS },
      closed: () => {
        this.#open.delete(stream);
        socket.streamEnded(stream);
      },
    });
    stream.connect();
    this.#open.add(stream);
    socket.stream = stream;
    socket.isPaced = true;
    reply.hijack();
    stream.begin(reply.getHeaders() as OutgoingHttpHeaders);
    return reply;
  }

  /** Ends all of them. Browsers come back by themselves. */
  close(): void {
    for (const timer of this.#timers) timer.cancel();
    for (const stream of [...this.#open]) stream.refuse(new BrokerError('server-shutdown'));
  }

  #checkExpiry(): void {
    const nowMs = this.#parts.clock.now();
    for (const stream of [...this.#open]) stream.checkExpiry(nowMs);
  }

  #showLife(): void {
    for (const stream of this.#open) stream.showLife();
  }
}
