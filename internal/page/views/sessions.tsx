import { useState } from 'preact/hooks';
import { ask } from '../api/api.ts';
import type { SessionFacts, Sessions } from '../api/types.ts';
import { usePages } from '../api/use-pages.ts';
import { bytes, count, duration } from '../lib/format.ts';
import { useMayAdmin } from '../lib/me.ts';
import { linkTo, type Route } from '../lib/route.ts';
import { useLater } from '../lib/use-later.ts';
import { refine } from '../lib/use-route.ts';
import { Answer, Badge, Command, Empty, Pager, Search, ViewHead } from '../parts/basics.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { type Column, Table } from '../parts/table.tsx';

/** What is kept for clients, also for those that are not here. */
export function SessionsView({ route }: { route: Route }) {
  const { search = '' } = route.query;
  const pages = usePages<Sessions>('sessions', { search: useLater(search) });
  const [ending, setEnding] = useState<string>();
  const mayAdmin = useMayAdmin();
  const columns = mayAdmin ? [...COLUMNS, endColumn(setEnding)] : COLUMNS;
  return (
    <>
      <ViewHead title="Sessions">
        <Search
          label="Search sessions"
          value={search}
          onSearch={(value) => refine(route, { search: value })}
        />
      </ViewHead>
      <Answer query={pages}>
        {({ sessions }) =>
          sessions.length === 0 ? (
            <Empty title={search ? 'No session is like that.' : 'There are no sessions.'}>
              <p>
                An MQTT client that wants its messages kept while it is away has one:{' '}
                <Command>mosquitto_sub -c -i me -q 1 -t 'sensors/#'</Command>
              </p>
            </Empty>
          ) : (
            <>
              <Table
                caption="Sessions"
                columns={columns}
                rows={sessions}
                keyOf={({ clientId }) => clientId}
              />
              <Pager pages={pages} shown={sessions.length} />
            </>
          )
        }
      </Answer>
      {ending !== undefined && (
        <Confirm
          title={`End the session of ${ending}?`}
          verb="End the session"
          done={`The session of ${ending} is gone.`}
          act={async () => {
            await ask(`sessions/${encodeURIComponent(ending)}`, { method: 'DELETE' });
            pages.reload();
          }}
          onClose={() => setEnding(undefined)}
        >
          <p>Its subscriptions and the messages that wait for it are gone for good.</p>
        </Confirm>
      )}
    </>
  );
}

const COLUMNS: readonly Column<SessionFacts>[] = [
  {
    name: 'Client',
    cell: ({ clientId }) => <span class="name">{clientId}</span>,
  },
  {
    name: 'State',
    cell: ({ clientId, isConnected }) =>
      isConnected ? <a href={linkTo(['clients', clientId])}>connected</a> : <Badge>away</Badge>,
  },
  { name: 'Subscriptions', isNumber: true, cell: ({ subscriptions }) => count(subscriptions) },
  { name: 'Waiting', isNumber: true, cell: ({ waitingMessages }) => count(waitingMessages) },
  { name: 'Waiting bytes', isNumber: true, cell: ({ waitingBytes }) => bytes(waitingBytes) },
  {
    name: 'Lasts',
    isNumber: true,
    cell: ({ expiryMs }) => (expiryMs === null ? 'for ever' : duration(expiryMs)),
  },
];

function endColumn(onEnd: (clientId: string) => void): Column<SessionFacts> {
  return {
    name: 'Actions',
    cell: ({ clientId }) => (
      <button
        type="button"
        class="small danger"
        aria-label={`End the session of ${clientId}`}
        onClick={() => onEnd(clientId)}
      >
        End
      </button>
    ),
  };
}
