import type { Logger } from '../../broker/broker.ts';
import type { Client } from '../../broker/client.ts';
import { type BrokerError, nameForLog } from '../../errors.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { Connection } from '../../transport/connection.ts';

/** How the log names whoever is on a connection. */
export function whoIs({ remote, listener }: Connection, client: Client | undefined): object {
  return client === undefined
    ? { remote, listener }
    : { client: nameForLog(client.identity.clientId), remote };
}

export function logLoss(log: Logger, who: object, error: Error | undefined): void {
  const fields = { ...who, code: 'connection-lost', error: error?.message };
  log.debug(fields, 'a client is gone without DISCONNECT');
}

export function logFarewell(log: Logger, who: object): void {
  log.debug(who, 'a client said DISCONNECT');
}

export function logDisconnect(log: Logger, who: object, reason: BrokerError): void {
  const fields = { ...who, code: reason.code, reason: reason.message };
  if (reason.code === 'server-shutdown') log.debug(fields, 'a client was disconnected');
  else log.info(fields, 'a client was disconnected');
}

export function countDisconnect(metrics: Metrics, reason: BrokerError): void {
  metrics.counter('disconnects_total', { code: reason.code }).value++;
}
