import { urlOf } from '../api/api.ts';
import type { ClientFacts, Clients, Overview } from '../api/types.ts';
import { usePages } from '../api/use-pages.ts';
import { LIVE_MS, useQuery } from '../api/use-query.ts';
import { ago, bytes, count } from '../lib/format.ts';
import { linkTo, type Route } from '../lib/route.ts';
import { useLater } from '../lib/use-later.ts';
import { refine } from '../lib/use-route.ts';
import { Answer, Badge, Command, Empty, Pager, Search, ViewHead } from '../parts/basics.tsx';
import { type Column, Table } from '../parts/table.tsx';

/** Who is connected, at every door. */
export function ClientsView({ route }: { route: Route }) {
  const { search = '', door = '', sort = 'since' } = route.query;
  const pages = usePages<Clients>('clients', { search: useLater(search), door, sort }, LIVE_MS);
  return (
    <>
      <ViewHead title="Clients">
        <Search
          label="Search clients"
          value={search}
          onSearch={(value) => refine(route, { search: value })}
        />
        <DoorChoice door={door} onChoose={(value) => refine(route, { door: value })} />
      </ViewHead>
      <Answer query={pages}>
        {({ clients }) =>
          clients.length === 0 ? (
            <NoClients isSearch={search !== '' || door !== ''} />
          ) : (
            <>
              <Table
                caption="Connected clients"
                columns={COLUMNS}
                rows={clients}
                keyOf={({ id }) => id}
                sorting={{ by: sort, onSort: (by) => refine(route, { sort: by }) }}
              />
              <Pager pages={pages} shown={clients.length} />
            </>
          )
        }
      </Answer>
    </>
  );
}

function DoorChoice({ door, onChoose }: { door: string; onChoose(door: string): void }) {
  const { data } = useQuery<Overview>('overview');
  const names = data?.doors.map(({ name }) => name) ?? (door === '' ? [] : [door]);
  return (
    <select aria-label="Door" value={door} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
      <option value="">All doors</option>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

const COLUMNS: readonly Column<ClientFacts>[] = [
  {
    name: 'Client',
    sort: 'client',
    cell: ({ id, clientId }) => (
      <a class="name" href={linkTo(['clients', id])}>
        {clientId || 'without an id'}
      </a>
    ),
  },
  { name: 'Door', cell: ({ door }) => <Badge>{door}</Badge> },
  { name: 'User', sort: 'user', cell: ({ user }) => user ?? <span class="quiet">anonymous</span> },
  { name: 'From', cell: ({ remote }) => <span class="mono">{remote}</span> },
  { name: 'Connected', sort: 'since', isNumber: true, cell: ({ sinceMs }) => ago(sinceMs) },
  { name: 'Sent', sort: 'received', isNumber: true, cell: ({ received }) => count(received) },
  { name: 'Got', sort: 'sent', isNumber: true, cell: ({ sent }) => count(sent) },
  {
    name: 'Bytes sent',
    sort: 'receivedBytes',
    isNumber: true,
    cell: ({ receivedBytes }) => bytes(receivedBytes),
  },
  { name: 'Waiting', sort: 'waiting', isNumber: true, cell: ({ waiting }) => count(waiting) },
];

function NoClients({ isSearch }: { isSearch: boolean }) {
  if (isSearch) return <Empty title="No client is like that." />;
  return (
    <Empty title="Nobody is connected.">
      <p>
        Follow everything: <Command>{`curl -N '${urlOf('topics/%23')}?follow'`}</Command>
      </p>
    </Empty>
  );
}
