import { useState } from 'preact/hooks';
import { ask, urlOf } from '../api/api.ts';
import type { RetainedFacts, RetainedMessages } from '../api/types.ts';
import { usePages } from '../api/use-pages.ts';
import { bytes, clock } from '../lib/format.ts';
import { useMayAdmin } from '../lib/me.ts';
import { linkTo, type Route } from '../lib/route.ts';
import { useLater } from '../lib/use-later.ts';
import { refine } from '../lib/use-route.ts';
import { Answer, Command, Empty, Pager, Search, ViewHead } from '../parts/basics.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { type Column, Table } from '../parts/table.tsx';

/** The last messages that topics keep for whoever subscribes later. */
export function RetainedView({ route }: { route: Route }) {
  const { filter = '' } = route.query;
  const pages = usePages<RetainedMessages>('retained', { filter: useLater(filter) });
  const [clearing, setClearing] = useState<string>();
  const mayAdmin = useMayAdmin();
  const columns = mayAdmin ? [...COLUMNS, clearColumn(setClearing)] : COLUMNS;
  return (
    <>
      <ViewHead title="Retained">
        <Search
          label="Filter, such as sensors/#"
          value={filter}
          onSearch={(value) => refine(route, { filter: value })}
        />
      </ViewHead>
      <Answer query={pages}>
        {({ retained }) =>
          retained.length === 0 ? (
            <Empty title={filter ? 'No retained message matches.' : 'No topic has a retained message.'}>
              <p>
                Publish one: <Command>{`curl -d 22.5 '${urlOf('topics/sensors/temp')}?retain'`}</Command>
              </p>
            </Empty>
          ) : (
            <>
              <Table
                caption="Retained messages"
                columns={columns}
                rows={retained}
                keyOf={({ topic }) => topic}
              />
              <Pager pages={pages} shown={retained.length} />
            </>
          )
        }
      </Answer>
      {clearing !== undefined && (
        <Confirm
          title={`Clear ${clearing}?`}
          verb="Clear"
          done={`${clearing} has no retained message any more.`}
          act={async () => {
            await ask(`retained/${encodeURIComponent(clearing)}`, { method: 'DELETE' });
            pages.reload();
          }}
          onClose={() => setClearing(undefined)}
        >
          <p>Whoever subscribes later does not get it. Its log, where there is one, stays as it is.</p>
        </Confirm>
      )}
    </>
  );
}

const COLUMNS: readonly Column<RetainedFacts>[] = [
  {
    name: 'Topic',
    cell: ({ topic }) => (
      <a class="mono name" href={linkTo(['topics'], { topic })}>
        {topic}
      </a>
    ),
  },
  { name: 'Bytes', isNumber: true, cell: ({ payloadBytes }) => bytes(payloadBytes) },
  { name: 'From', cell: ({ clientId }) => <span class="name">{clientId}</span> },
  { name: 'QoS', isNumber: true, cell: ({ qos }) => qos },
  { name: 'Expires', cell: ({ expiresAt }) => (expiresAt ? clock(expiresAt) : 'never') },
];

function clearColumn(onClear: (topic: string) => void): Column<RetainedFacts> {
  return {
    name: 'Actions',
    cell: ({ topic }) => (
      <button type="button" class="small danger" aria-label={`Clear ${topic}`} onClick={() => onClear(topic)}>
        Clear
      </button>
    ),
  };
}
