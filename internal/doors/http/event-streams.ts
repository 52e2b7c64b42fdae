import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../access/access.ts';
import { BrokerError } from '../../errors.ts';
import type { ClockTimer } from '../../lib/clock.ts';
import { httpStreamQuietMs, httpStreams } from '../../limits/http.ts';
import type { ReplayStart } from '../../live/replay-filter.ts';
import type { DoorParts } from '../door.ts';
import { positionsOf } from './event-ids.ts';
import { EventStream } from './event-stream.ts';

export interface StreamRequest {
  request: FastifyRequest;
  reply: FastifyReply;
  access: Access;
  filter: string;
  /** Where it begins in the logs, where the client says so. */
  start: ReplayStart | undefined;
}

/** The streams of events that are open. */
export class EventStreams {
  readonly #parts: DoorParts;
  readonly #open = new Set<EventStream>();
  readonly #comments: ClockTimer;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    this.#comments = parts.clock.every(httpStreamQuietMs, () => this.#showLife());
  }

  /**
   * Answers a request with a stream, which lasts until one of both sides ends it.
   *
   * @throws BrokerError where it is not to begin.
   */
  open({ request, reply, access, filter, start }: StreamRequest): FastifyReply {
    const { kept } = this.#parts;
    if (this.#open.size >= httpStreams) {
      throw new BrokerError('too-many-clients', `${this.#open.size} streams are open`);
    }
    if (start !== undefined && kept === undefined)
      throw new BrokerError('no-log', 'this broker keeps no log');
    const lastEventId = request.headers['last-event-id'];
    const positions =
      lastEventId === undefined || kept === undefined
        ? undefined
        : positionsOf(String(lastEventId), kept.logs);
    const stream = new EventStream(this.#parts, reply.raw, {
      ...{ access, filter, start, positions },
      closed: () => this.#open.delete(stream),
    });
    stream.connect();
    this.#open.add(stream);
    reply.hijack();
    stream.begin(reply.getHeaders() as OutgoingHttpHeaders);
    return reply;
  }

  /** Ends all of them. Browsers come back by themselves. */
  close(): void {
    this.#comments.cancel();
    for (const stream of [...this.#open]) stream.refuse(new BrokerError('server-shutdown'));
  }

  #showLife(): void {
    for (const stream of this.#open) stream.showLife();
  }
}
