import { useState } from 'preact/hooks';
import { ask } from '../api/api.ts';
import type { User } from '../api/types.ts';
import { useQuery } from '../api/use-query.ts';
import { useMayAdmin } from '../lib/me.ts';
import { Answer, Badge, Command, Empty } from '../parts/basics.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { useNotices } from '../parts/notices.tsx';
import { type Column, Table } from '../parts/table.tsx';

/** Everybody who may log in. */
export function Users() {
  const query = useQuery<readonly User[]>('users');
  const mayAdmin = useMayAdmin();
  const notices = useNotices();
  const [removing, setRemoving] = useState<string>();
  async function setEnabled({ name, enabled }: User) {
    try {
      await ask(`users/${encodeURIComponent(name)}`, { method: 'PATCH', json: { enabled: !enabled } });
      notices.done(enabled ? `${name} may not log in any more.` : `${name} may log in again.`);
      query.reload();
    } catch (error) {
      notices.failed(error);
    }
  }
  const columns = mayAdmin ? [...COLUMNS, actions(setEnabled, setRemoving)] : COLUMNS;
  return (
    <Answer query={query}>
      {(users) =>
        users.length === 0 ? (
          <Empty title="There are no users, so everybody on this machine may do everything.">
            <p>
              Make the first one: <Command>tinymq users add ada --admin</Command>
            </p>
          </Empty>
        ) : (
          <>
            <Table caption="Users" columns={columns} rows={users} keyOf={({ name }) => name} />
            <p class="hint">
              Passwords are set with <Command>tinymq users passwd NAME</Command> and never pass through this
              page.
            </p>
            {removing !== undefined && (
              <Confirm
                title={`Remove ${removing}?`}
                verb="Remove"
                done={`${removing} is removed.`}
                act={async () => {
                  await ask(`users/${encodeURIComponent(removing)}`, { method: 'DELETE' });
                  query.reload();
                }}
                onClose={() => setRemoving(undefined)}
              >
                <p>Its connections end, and it cannot log in any more.</p>
              </Confirm>
            )}
          </>
        )
      }
    </Answer>
  );
}

const COLUMNS: readonly Column<User>[] = [
  { name: 'User', cell: ({ name }) => <span class="name">{name}</span> },
  {
    name: 'State',
    cell: ({ enabled }) => (enabled ? <Badge kind="good">enabled</Badge> : <Badge>disabled</Badge>),
  },
  { name: 'Groups', cell: ({ groups }) => <span class="name">{groups.join(', ') || '–'}</span> },
  {
    name: 'Logs in with',
    cell: ({ hasPassword, mechanisms }) =>
      [...(hasPassword ? ['password'] : []), ...mechanisms].join(', ') || 'nothing',
  },
  { name: 'Kept in', cell: ({ origin }) => (origin === 'file' ? 'the file' : 'the store') },
];

function actions(onEnabled: (user: User) => void, onRemove: (name: string) => void): Column<User> {
  return {
    name: 'Actions',
    cell: (user) =>
      user.origin === 'file' ? (
        <span class="quiet">in the file</span>
      ) : (
        <span class="actions">
          <button
            type="button"
            class="small"
            aria-label={`${user.enabled ? 'Disable' : 'Enable'} ${user.name}`}
            onClick={() => onEnabled(user)}
          >
            {user.enabled ? 'Disable' : 'Enable'}
          </button>
          <button
            type="button"
            class="small danger"
            aria-label={`Remove ${user.name}`}
            onClick={() => onRemove(user.name)}
          >
            Remove
          </button>
        </span>
      ),
  };
}
