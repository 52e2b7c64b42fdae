import { THE_BROKER } from '../../access/policy.ts';
import type { Session } from '../../broker/sessions/session.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { shownFilters } from '../../limits/admin.ts';
import {
  type BrokerParts,
  defineOperation,
  flag,
  type JsonSchema,
  listOf,
  number,
  objectOf,
  text,
  time,
} from '../operation.ts';
import { PAGE_ANSWER, PAGE_QUERY, type PageQuery, pageOf, SEARCH, searched } from '../pages.ts';

export const SESSION_FIELDS: Readonly<Record<string, JsonSchema>> = {
  ...{ clientId: text, user: text, isConnected: flag },
  endedAt: { ...time, description: 'When its connection ended.' },
  expiryMs: {
    ...{ type: ['number', 'null'] },
    description: 'How long it outlasts its connection; null: for ever.',
  },
  ...{ waitingMessages: number, waitingBytes: number, unacknowledgedMessages: number, subscriptions: number },
};
const OPTIONAL = ['user', 'endedAt'];
export const REQUIRED_OF_SESSION = Object.keys(SESSION_FIELDS).filter((name) => !OPTIONAL.includes(name));

/** A session, as lists show it. */
export interface ShownSession {
  readonly clientId: string;
  readonly user: string | undefined;
  readonly isConnected: boolean;
  readonly endedAt: string | undefined;
  readonly expiryMs: number | null;
  readonly waitingMessages: number;
  readonly waitingBytes: number;
  readonly unacknowledgedMessages: number;
  readonly subscriptions: number;
}

/** A subscription of a client. */
export interface ShownSubscription {
  readonly filter: string;
  readonly qos: number;
}

interface SearchQuery extends PageQuery {
  readonly search?: string;
}

const describesBroker = { action: 'describe', resource: THE_BROKER } as const;
const CLIENT = objectOf({ client: { ...text, description: 'A client id.' } });

export const listSessions = defineOperation({
  ...{
    name: 'sessions list',
    summary: 'Shows the sessions of MQTT clients that are there or expected back.',
  },
  ...{ method: 'GET', path: '/sessions', needs: describesBroker },
  query: objectOf({ ...PAGE_QUERY, search: SEARCH }, []),
  answer: objectOf({ sessions: listOf(objectOf(SESSION_FIELDS, REQUIRED_OF_SESSION)), ...PAGE_ANSWER }, [
    'sessions',
    'total',
  ]),
  async run({ sessions }: BrokerParts, { search, ...page }: SearchQuery) {
    const { items, ...rest } = await pageOf(sessions, page, {
      keyOf: ({ clientId }) => [clientId],
      isWanted: ({ clientId, owner }) => searched(search, clientId, owner.user),
    });
    return { sessions: items.map(shownSession), ...rest };
  },
});

export const showSession = defineOperation({
  ...{ name: 'sessions show', summary: 'Shows a session with what it is subscribed to.' },
  ...{ method: 'GET', path: '/sessions/:client', needs: describesBroker },
  parameters: CLIENT,
  answer: objectOf(
    {
      ...SESSION_FIELDS,
      filters: {
        ...listOf(objectOf({ filter: text, qos: number })),
        description: `What it is subscribed to, at most ${shownFilters} of them.`,
      },
    },
    [...REQUIRED_OF_SESSION, 'filters'],
  ),
  async run(parts: BrokerParts, { client }: { client: string }) {
    const session = found(parts, client);
    const filters: ShownSubscription[] = [];
    for (const { filter, qos } of session.subscriptions) {
      if (filters.push({ filter, qos }) >= shownFilters) break;
    }
    return { ...shownSession(session), filters };
  },
});

export const endSession = defineOperation({
  ...{ name: 'sessions remove', summary: 'Ends a session, with its connection and what waits in it.' },
  ...{ method: 'DELETE', path: '/sessions/:client', needs: { action: 'admin', resource: THE_BROKER } },
  parameters: CLIENT,
  answer: objectOf({}),
  async run(parts: BrokerParts, { client }: { client: string }) {
    const { sessions, broker } = parts;
    const session = found(parts, client);
    broker.endClient(client, new BrokerError('ended-by-admin'));
    // It may have ended with its connection.
    if (sessions.get(client) === session) sessions.end(session);
    return {};
  },
});

export const listSubscriptions = defineOperation({
  ...{ name: 'subscriptions list', summary: 'Shows who is subscribed to what.' },
  ...{ method: 'GET', path: '/subscriptions', needs: describesBroker },
  query: objectOf({ ...PAGE_QUERY, search: SEARCH }, []),
  answer: objectOf(
    {
      subscriptions: listOf(
        objectOf({ clientId: text, user: text, filter: text, door: text, isConnected: flag }, [
          ...['clientId', 'filter', 'door', 'isConnected'],
        ]),
      ),
      ...PAGE_ANSWER,
    },
    ['subscriptions', 'total'],
  ),
  async run(parts: BrokerParts, { search, ...page }: SearchQuery) {
    const { items, ...rest } = await pageOf(standing(parts), page, {
      keyOf: ({ filter, clientId, door }) => [filter, clientId, door],
      isWanted: ({ filter, clientId, user }) => searched(search, filter, clientId, user),
    });
    return { subscriptions: items, ...rest };
  },
});

interface Standing {
  readonly clientId: string;
  readonly user: string | undefined;
  readonly filter: string;
  readonly door: string;
  readonly isConnected: boolean;
}

/** Those of connections, and those of sessions that are told of by no connection: of MQTT, or of clients that are away. */
function* standing({ sessions, connections }: BrokerParts): Generator<Standing> {
  const told = new Set<string>();
  for (const connection of connections) {
    const { door } = connection;
    if (door === 'mqtt' || connection.standingFilters === undefined) continue;
    const { clientId, user } = connection.facts();
    if (door === 'frames') told.add(clientId);
    for (const filter of connection.standingFilters())
      yield { clientId, user, door, isConnected: true, filter };
  }
  for (const { clientId, owner, isConnected, subscriptions } of sessions) {
    if (isConnected && told.has(clientId)) continue;
    const shown = { clientId, user: owner.user, door: 'mqtt', isConnected };
    for (const { filter } of subscriptions) yield { ...shown, filter };
  }
}

/** @throws BrokerError `no-such-object`. */
function found({ sessions }: BrokerParts, clientId: string): Session {
  const session = sessions.get(clientId);
  if (session !== undefined) return session;
  throw new BrokerError('no-such-object', `there is no session of ${quoted(clientId)}`);
}

export function shownSession(session: Session): ShownSession {
  const { clientId, owner, isConnected, endedAtMs, expiryMs } = session;
  return {
    ...{ clientId, user: owner.user, isConnected },
    endedAt: endedAtMs === undefined ? undefined : new Date(endedAtMs).toISOString(),
    expiryMs: Number.isFinite(expiryMs) ? expiryMs : null,
    waitingMessages: session.waiting,
    waitingBytes: session.waitingBytes,
    unacknowledgedMessages: session.unacknowledged,
    subscriptions: session.subscriptionCount,
  };
}
