import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { Access } from '../../access/access.ts';
import type { Fates } from '../../observe/fates.ts';
import type { DoorParts } from '../door.ts';
import type { Asking } from './caller.ts';
import type { EventStreams } from './event-streams.ts';
import type { HttpSocket } from './http-socket.ts';

/** What the routes of the door work with. */
export interface HttpContext {
  readonly parts: DoorParts;
  readonly fates: Fates;
  readonly streams: EventStreams;
  /** The connection that a request came over. */
  socketOf(request: IncomingMessage): HttpSocket;
  /**
   * What whoever sent a request may do.
   *
   * @throws BrokerError `bad-credentials`, `not-authorized`, `rate-exceeded`, `too-many-connections`.
   */
  accessOf(request: Pick<FastifyRequest, 'raw' | 'headers'>, asking?: Asking): Promise<Access>;
}
