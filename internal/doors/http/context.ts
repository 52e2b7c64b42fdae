import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { Access } from '../../access/access.ts';
import type { Fates } from '../../observe/fates.ts';
import type { DoorParts } from '../door.ts';
import type { BrowserGuard } from './browser-guard.ts';
import type { Asking } from './caller.ts';
import type { EventStreams } from './event-streams.ts';
import type { HttpSocket } from './http-socket.ts';
import type { Logins } from './logins.ts';

/** What the routes of the door work with. */
export interface HttpContext {
  readonly parts: DoorParts;
  readonly fates: Fates;
  readonly streams: EventStreams;
  readonly guard: BrowserGuard;
  /** Those who have logged in with a browser. */
  readonly logins: Logins;
  /** The connection that a request came over. */
  socketOf(request: IncomingMessage): HttpSocket;
  /**
   * What whoever sent a request may do.
   *
   * @throws BrokerError `bad-credentials`, `credentials-expired`, `foreign-origin`, `not-authorized`, `rate-exceeded`, `too-many-connections`.
   */
  accessOf(request: FastifyRequest, asking?: Asking): Promise<Access>;
}
