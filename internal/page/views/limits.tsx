import { useState } from 'preact/hooks';
import { ask } from '../api/api.ts';
import type { Limit } from '../api/types.ts';
import { useQuery } from '../api/use-query.ts';
import { useMayAdmin } from '../lib/me.ts';
import { Answer, Command, Empty } from '../parts/basics.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { type Column, Table } from '../parts/table.tsx';

/** How much users, groups and clients may use. */
export function Limits() {
  const query = useQuery<readonly Limit[]>('limits');
  const [removing, setRemoving] = useState<Limit>();
  const columns = useMayAdmin() ? [...COLUMNS, removal(setRemoving)] : COLUMNS;
  return (
    <Answer query={query}>
      {(limits) =>
        limits.length === 0 ? (
          <Empty title="Nobody is limited.">
            <p>
              Limit a group:{' '}
              <Command>tinymq limits add connections=1000 messagesInPerSecond=5000 -group devices</Command>
            </p>
          </Empty>
        ) : (
          <>
            <Table caption="Limits" columns={columns} rows={limits} keyOf={({ id }) => id} />
            {removing && (
              <Confirm
                title={`Remove the limit ${removing.id}?`}
                verb="Remove"
                done={`The limit ${removing.id} is removed.`}
                act={async () => {
                  await ask(`limits/${encodeURIComponent(removing.id)}`, { method: 'DELETE' });
                  query.reload();
                }}
                onClose={() => setRemoving(undefined)}
              >
                <p class="name">{removing.text}</p>
                <p>Whoever it bounds may use more at once.</p>
              </Confirm>
            )}
          </>
        )
      }
    </Answer>
  );
}

const COLUMNS: readonly Column<Limit>[] = [
  { name: 'Limit', cell: ({ text }) => <span class="name">{text}</span> },
  { name: 'Id', cell: ({ id }) => <span class="mono name">{id}</span> },
  { name: 'Kept in', cell: ({ origin }) => (origin === 'file' ? 'the file' : 'the store') },
];

function removal(onRemove: (limit: Limit) => void): Column<Limit> {
  return {
    name: 'Actions',
    cell: (limit) =>
      limit.origin === 'file' ? (
        <span class="quiet">in the file</span>
      ) : (
        <button
          type="button"
          class="small danger"
          aria-label={`Remove the limit ${limit.id}`}
          onClick={() => onRemove(limit)}
        >
          Remove
        </button>
      ),
  };
}
