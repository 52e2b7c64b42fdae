import { useState } from 'preact/hooks';
import { ask } from '../../api/api.ts';
import type { Limit } from '../../api/types.ts';
import { useQuery } from '../../api/use-query.ts';
import { useMayAdmin } from '../../lib/me.ts';
import { Answer, Command, Empty } from '../../parts/basics.tsx';
import { Confirm } from '../../parts/dialog.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { LimitForm } from './limit-form.tsx';

type Doing = { kind: 'add' } | { kind: 'edit' | 'remove'; limit: Limit };

/** How much users, groups and clients may use. */
export function Limits() {
  const query = useQuery<readonly Limit[]>('limits');
  const mayAdmin = useMayAdmin();
  const [doing, setDoing] = useState<Doing>();
  const columns = mayAdmin ? [...COLUMNS, actions(setDoing)] : COLUMNS;
  return (
    <Answer query={query}>
      {(limits) => (
        <>
          {mayAdmin && (
            <p class="tools">
              <button type="button" class="primary" onClick={() => setDoing({ kind: 'add' })}>
                Add a limit
              </button>
            </p>
          )}
          {limits.length === 0 ? (
            <Empty title="Nobody is limited.">
              <p>
                Limit a group:{' '}
                <Command>tinymq limits add connections=1000 messagesInPerSecond=5000 -group devices</Command>
              </p>
            </Empty>
          ) : (
            <Table caption="Limits" columns={columns} rows={limits} keyOf={({ id }) => id} />
          )}
          {doing && <Window doing={doing} onDone={query.reload} onClose={() => setDoing(undefined)} />}
        </>
      )}
    </Answer>
  );
}

interface WindowProps {
  doing: Doing;
  onDone(): void;
  onClose(): void;
}

function Window({ doing, onDone, onClose }: WindowProps) {
  if (doing.kind === 'add') return <LimitForm onDone={onDone} onClose={onClose} />;
  const { limit } = doing;
  if (doing.kind === 'edit') return <LimitForm limit={limit} onDone={onDone} onClose={onClose} />;
  return (
    <Confirm
      title={`Remove the limit ${limit.id}?`}
      verb="Remove"
      done={`The limit ${limit.id} is removed.`}
      act={async () => {
        await ask(`limits/${encodeURIComponent(limit.id)}`, { method: 'DELETE' });
        onDone();
      }}
      onClose={onClose}
    >
      <p class="name">{limit.text}</p>
      <p>Whoever it bounds may use more at once.</p>
    </Confirm>
  );
}

const COLUMNS: readonly Column<Limit>[] = [
  { name: 'Limit', cell: ({ text }) => <span class="name">{text}</span> },
  { name: 'Id', cell: ({ id }) => <span class="mono name">{id}</span> },
  { name: 'Kept in', cell: ({ origin }) => (origin === 'file' ? 'the file' : 'the store') },
];

function actions(onDo: (doing: Doing) => void): Column<Limit> {
  return {
    name: 'Actions',
    cell: (limit) =>
      limit.origin === 'file' ? (
        <span class="quiet">in the file of -users</span>
      ) : (
        <span class="actions">
          <button
            type="button"
            class="small"
            aria-label={`Change the limit ${limit.id}`}
            onClick={() => onDo({ kind: 'edit', limit })}
          >
            Change
          </button>
          <button
            type="button"
            class="small danger"
            aria-label={`Remove the limit ${limit.id}`}
            onClick={() => onDo({ kind: 'remove', limit })}
          >
            Remove
          </button>
        </span>
      ),
  };
}
