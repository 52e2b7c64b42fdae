import type { Logger } from '../../broker/broker.ts';
import type { Client } from '../../broker/client.ts';
import { type BrokerError, type ErrorCode, nameForLog } from '../../errors.ts';
import type { Affected, Fates } from '../../observe/fates.ts';
import type { Connection } from '../../transport/connection.ts';

/** How the log names whoever is on a connection. */
export function clientFields(
  { remote, listener }: Pick<Connection, 'remote' | 'listener'>,
  client: Client | undefined,
): object {
  return client === undefined
    ? { remote, listener }
    : { client: nameForLog(client.identity.clientId), remote };
}

export function tellLost(fates: Fates, who: object, affected: Affected, error: Error | undefined): void {
  fates.tell({
    outcome: 'lost',
    code: 'connection-lost',
    who,
    affected,
    details: { error: error?.message },
    line: 'a client is gone without DISCONNECT',
  });
}

export function logClientDisconnect(logger: Logger, who: object): void {
  logger.debug(who, 'a client said DISCONNECT');
}

/**
 * Nobody looks for the reason of what happens to everybody; and who was not let in stands in the log of logins, which a storm of
 * them does not fill (server/login-log.ts).
 */
const TOLD_ELSEWHERE: ReadonlySet<ErrorCode> = new Set([
  'server-shutdown',
  'bad-credentials',
  'too-many-logins',
]);

export function tellDisconnected(
  fates: Fates,
  who: object,
  affected: Affected,
  { code, message, about }: BrokerError,
): void {
  fates.tell({
    outcome: 'disconnected',
    code,
    who,
    affected,
    about,
    reason: message,
    line: 'a client was disconnected',
    level: TOLD_ELSEWHERE.has(code) ? 'debug' : 'info',
  });
}
