import type { Access } from '../../access/access.ts';
import type { Client } from '../../broker/client.ts';
import type { OpenedSession } from '../../broker/sessions/sessions.ts';
import { BrokerError } from '../../errors.ts';
import type { ClientServices } from './client-door.ts';

export interface WantedSession {
  /** Whether nothing is wanted of one that was there before. */
  isClean: boolean;
  /** How long it outlasts its connection; undefined where its client cannot say. */
  expiryMs: number | undefined;
}

/** @throws BrokerError `too-many-sessions`: the user has as many as he may, and this would be one more that is kept. */
export function checkMayKeep(
  { sessions }: ClientServices,
  { identity, allowance }: Access,
  { expiryMs }: WantedSession,
): void {
  const most = allowance?.least('sessions');
  const isNew = expiryMs !== 0 && sessions.get(identity.clientId) === undefined;
  if (most === undefined || !isNew || sessions.countOf(identity.user) < most) return;
  throw new BrokerError('too-many-sessions', `${most} sessions are kept for this user`);
}

/** The session of a client that was let in, which goes again where it may not have that one. @throws BrokerError. */
export function openSession(
  { broker, sessions }: ClientServices,
  client: Client,
  { isClean, expiryMs }: WantedSession,
): OpenedSession {
  try {
    return sessions.open(client.identity, isClean, expiryMs);
  } catch (error) {
    broker.disconnect(client);
    throw error;
  }
}
