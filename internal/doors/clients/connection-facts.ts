import type { Identity } from '../../access/identity.ts';
import type { ConnectionFacts } from '../../observe/connections.ts';
import type { Connection } from '../../transport/connection.ts';

type TransportFacts = Omit<ConnectionFacts, 'received' | 'sent' | 'requests' | 'waiting'>;

/** What every door knows of a connection in the same way. */
export function connectionFacts(connection: Connection, identity: Identity | undefined): TransportFacts {
  const { listener, remote, clock, openedAt, receivedBytes, sentBytes } = connection;
  return {
    listener,
    remote,
    sinceMs: Math.round(clock.now() - (clock.elapsedMs() - openedAt)),
    user: identity?.user,
    clientId: identity?.clientId ?? '',
    receivedBytes,
    sentBytes,
  };
}
