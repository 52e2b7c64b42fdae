import { THE_BROKER } from '../../access/policy.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { fatesOfClient, shownFilters } from '../../limits/admin.ts';
import type { ConnectionFacts, OpenConnection } from '../../observe/connections.ts';
import {
  type BrokerParts,
  defineOperation,
  type JsonSchema,
  listOf,
  number,
  objectOf,
  text,
  texts,
  time,
} from '../operation.ts';
import { PAGE_ANSWER, PAGE_QUERY, type PageQuery, pageOf, SEARCH, searched } from '../pages.ts';
import { eachInSlices } from '../slices.ts';
import { REQUIRED_OF_SESSION, SESSION_FIELDS, type ShownSession, shownSession } from './sessions.ts';
import { FATE, shownFate } from './why.ts';

/** A connection of any door, as lists show it. */
export interface ShownClient extends ConnectionFacts {
  /** Its number, which no other connection of this broker ever has. */
  readonly id: number;
  readonly door: string;
}

const CLIENT_FIELDS: Readonly<Record<string, JsonSchema>> = {
  ...{ id: number, door: text, listener: text, remote: text, user: text, clientId: text },
  sinceMs: { ...number, description: 'When it connected, in milliseconds since 1970.' },
  ...{ receivedBytes: number, sentBytes: number },
  received: { ...number, description: 'Messages that the client published or produced.' },
  sent: { ...number, description: 'Messages that the client got.' },
  requests: { ...number, description: 'Requests of Kafka and HTTP clients, calls of gRPC.' },
  waiting: { ...number, description: 'What waits because the client takes no more.' },
};
const REQUIRED = Object.keys(CLIENT_FIELDS).filter((name) => name !== 'user');

/** Numbers begin with the largest, names with the first of the alphabet. */
const SORTS = {
  id: ({ id }) => -id,
  client: ({ clientId }) => clientId,
  user: ({ user = '' }) => user,
  since: ({ sinceMs }) => -sinceMs,
  received: ({ received }) => -received,
  sent: ({ sent }) => -sent,
  waiting: ({ waiting }) => -waiting,
  receivedBytes: ({ receivedBytes }) => -receivedBytes,
  sentBytes: ({ sentBytes }) => -sentBytes,
} as const satisfies Record<string, (client: ShownClient) => string | number>;

export interface ClientsQuery extends PageQuery {
  readonly search?: string;
  readonly door?: string;
  readonly sort?: keyof typeof SORTS;
}

export const listClients = defineOperation({
  ...{ name: 'clients list', summary: 'Shows the connections of all doors, the newest first.' },
  ...{ method: 'GET', path: '/clients', needs: { action: 'describe', resource: THE_BROKER } },
  query: objectOf(
    {
      ...PAGE_QUERY,
      search: SEARCH,
      door: { ...text, description: 'Connections of this door.' },
      sort: {
        ...{ type: 'string', enum: Object.keys(SORTS) },
        description: 'By what: numbers begin with the largest.',
      },
    },
    [],
  ),
  answer: objectOf({ clients: listOf(objectOf(CLIENT_FIELDS, REQUIRED)), ...PAGE_ANSWER }, [
    'clients',
    'total',
  ]),
  async run({ connections }: BrokerParts, { search, door, sort = 'id', ...page }: ClientsQuery) {
    const keyOf = SORTS[sort];
    const { items, ...rest } = await pageOf(allShown(connections, door), page, {
      keyOf: (client) => [keyOf(client), client.id],
      isWanted: ({ clientId, user, remote }) => searched(search, clientId, user, remote),
    });
    return { clients: items, ...rest };
  },
});

function* allShown(connections: BrokerParts['connections'], door?: string): Generator<ShownClient> {
  for (const [id, connection] of connections.entries()) {
    if (door === undefined || connection.door === door) yield shownClient(id, connection);
  }
}

function shownClient(id: number, connection: OpenConnection): ShownClient {
  return { id, door: connection.door, ...connection.facts() };
}

const ID = objectOf({
  id: { ...text, description: 'The number of a connection, or a client id: the newest connection of that.' },
});

export const showClient = defineOperation({
  ...{ name: 'clients show', summary: 'Shows all that is known of a connection and its client.' },
  ...{ method: 'GET', path: '/clients/:id', needs: { action: 'describe', resource: THE_BROKER } },
  parameters: ID,
  answer: objectOf(
    {
      ...CLIENT_FIELDS,
      ...{ groups: texts, certificateName: text },
      credentialsExpireAt: time,
      filters: { ...texts, description: `What it is subscribed to, at most ${shownFilters} of them.` },
      filterCount: number,
      fates: {
        ...listOf(FATE),
        description: 'What was refused, dropped or expired lately, the last one first.',
      },
      session: { ...objectOf(SESSION_FIELDS, REQUIRED_OF_SESSION), description: 'Of an MQTT client.' },
    },
    [...REQUIRED, 'groups', 'filters', 'filterCount', 'fates'],
  ),
  async run(parts: BrokerParts, { id }: { id: string }) {
    const [number, connection] = await found(parts, id);
    const shown = shownClient(number, connection);
    const { identity } = connection;
    const filters = [...(connection.standingFilters?.() ?? [])];
    return {
      ...shown,
      groups: identity?.groups ?? [],
      certificateName: identity?.certificateName,
      credentialsExpireAt: identity?.expiresAtMs && new Date(identity.expiresAtMs).toISOString(),
      filters: filters.slice(0, shownFilters),
      filterCount: filters.length,
      fates: parts.broker.fates.recent.find({ client: shown.clientId }, fatesOfClient).map(shownFate),
      session: connection.door === 'mqtt' ? sessionOf(parts, shown.clientId) : undefined,
    };
  },
});

function sessionOf({ sessions }: BrokerParts, clientId: string): ShownSession | undefined {
  const session = sessions.get(clientId);
  return session && shownSession(session);
}

export const endClient = defineOperation({
  ...{ name: 'clients disconnect', summary: 'Ends a connection; its client is told why.' },
  ...{ method: 'DELETE', path: '/clients/:id', needs: { action: 'admin', resource: THE_BROKER } },
  parameters: ID,
  answer: objectOf({ id: number }),
  async run(parts: BrokerParts, { id }: { id: string }) {
    const [number, connection] = await found(parts, id);
    connection.end(new BrokerError('ended-by-admin'));
    return { id: number };
  },
});

/** @throws BrokerError `no-such-object`. */
async function found({ connections }: BrokerParts, id: string): Promise<[number, OpenConnection]> {
  const number = /^\d{1,15}$/.test(id) ? Number(id) : 0;
  const numbered = connections.get(number);
  if (numbered !== undefined) return [number, numbered];
  let newest: [number, OpenConnection] | undefined;
  await eachInSlices(connections.entries(), (entry) => {
    if (entry[1].facts().clientId === id) newest = entry;
  });
  if (newest === undefined) throw new BrokerError('no-such-object', `there is no connection ${quoted(id)}`);
  return newest;
}
