import type { Broker, Logger } from '../../broker/broker.ts';
import type { Sessions } from '../../broker/sessions/sessions.ts';
import type { Logs } from '../../log/logs.ts';
import { Connections } from '../../observe/connections.ts';
import type { Fates } from '../../observe/fates.ts';
import type { Metrics } from '../../observe/metrics.ts';
import { Admission } from './admission.ts';
import { type ClientConnection, ClientConnections } from './client-connections.ts';

/** What a door of live clients is made from. */
export interface ClientDoorParts {
  broker: Broker;
  sessions: Sessions;
  metrics: Metrics;
  /** The open connections of all doors. Default: of this one. */
  connections?: Connections;
  logger: Logger;
  /** Admission of clients. Default: every client is let in. */
  admission?: Admission;
  maxMessageBytes: number;
  connectTimeoutMs: number;
  /** A client that says nothing for this long is disconnected; where clients say how long, the most that they may say. 0: any. */
  keepAliveMs: number;
  /** The logs to replay, if the broker keeps any. */
  logs?: Logs;
}

/** The services of the broker for a connection. */
export interface ClientServices {
  admission: Admission;
  broker: Broker;
  sessions: Sessions;
  /** What the broker keeps, where it keeps anything. */
  logs?: Logs;
  metrics: Metrics;
  fates: Fates;
  logger: Logger;
  maxMessageBytes: number;
}

/** Made once for all connections of a door, of which there may be many. */
export function clientServices(parts: ClientDoorParts): ClientServices {
  const { broker, sessions, logs, metrics, logger, maxMessageBytes, admission = new Admission() } = parts;
  const fates = broker.fates.logging(logger);
  return { admission, broker, sessions, logs, metrics, fates, logger, maxMessageBytes };
}

/** @param silenceMs how long a client may say nothing; 0: for ever. */
export function clientConnections<C extends ClientConnection>(
  { broker, metrics, connections, connectTimeoutMs }: ClientDoorParts,
  silenceMs: (connection: C) => number,
): ClientConnections<C> {
  const all = connections ?? new Connections(metrics);
  return new ClientConnections({ connectTimeoutMs, silenceMs, clock: broker.clock, all });
}
