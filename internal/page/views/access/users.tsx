import { useState } from 'preact/hooks';
import { ask } from '../../api/api.ts';
import type { User } from '../../api/types.ts';
import { useQuery } from '../../api/use-query.ts';
import { useMayAdmin, useReloadMe } from '../../lib/me.ts';
import { Answer, Badge, Command, Empty } from '../../parts/basics.tsx';
import { Confirm } from '../../parts/dialog.tsx';
import { useNotices } from '../../parts/notices.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { EffectsOf } from './preview.tsx';
import { EditUser, NewUser } from './user-form.tsx';

/** What is done with a user, in a window. */
type Doing = { kind: 'add' } | { kind: 'edit' | 'disable' | 'remove'; user: User };

/** Everybody who may log in. */
export function Users() {
  const query = useQuery<readonly User[]>('users');
  const mayAdmin = useMayAdmin();
  const notices = useNotices();
  const reloadMe = useReloadMe();
  const [doing, setDoing] = useState<Doing>();
  async function enable({ name }: User) {
    try {
      await ask(pathOf(name), { method: 'PATCH', json: { enabled: true } });
      notices.done(`${name} may log in again.`);
      query.reload();
    } catch (error) {
      notices.failed(error);
    }
  }
  const done = () => {
    query.reload();
    reloadMe();
  };
  const columns = mayAdmin ? [...COLUMNS, actions(enable, setDoing)] : COLUMNS;
  return (
    <Answer query={query}>
      {(users) => (
        <>
          {mayAdmin && (
            <p class="tools">
              <button type="button" class="primary" onClick={() => setDoing({ kind: 'add' })}>
                Add a user
              </button>
            </p>
          )}
          {users.length === 0 ? (
            <Empty title="There are no users, so everybody on this machine may do everything.">
              <p>
                The first one is made here, or by its owner: <Command>tinymq users add ada -admin</Command>
              </p>
            </Empty>
          ) : (
            <Table caption="Users" columns={columns} rows={users} keyOf={({ name }) => name} />
          )}
          {doing && (
            <Window
              doing={doing}
              isFirst={users.length === 0}
              onDone={done}
              onClose={() => setDoing(undefined)}
            />
          )}
        </>
      )}
    </Answer>
  );
}

function pathOf(name: string): string {
  return `users/${encodeURIComponent(name)}`;
}

interface WindowProps {
  doing: Doing;
  isFirst: boolean;
  onDone(): void;
  onClose(): void;
}

function Window({ doing, isFirst, onDone, onClose }: WindowProps) {
  if (doing.kind === 'add') return <NewUser isFirst={isFirst} onDone={onDone} onClose={onClose} />;
  const { user } = doing;
  const { name } = user;
  if (doing.kind === 'edit') return <EditUser user={user} onDone={onDone} onClose={onClose} />;
  if (doing.kind === 'disable') {
    return (
      <Confirm
        title={`Disable ${name}?`}
        verb="Disable"
        done={`${name} may not log in any more.`}
        act={async () => {
          await ask(pathOf(name), { method: 'PATCH', json: { enabled: false } });
          onDone();
        }}
        onClose={onClose}
      >
        <p>It cannot log in until it is enabled again.</p>
        <EffectsOf change={{ kind: 'alter-user', name, enabled: false }} />
      </Confirm>
    );
  }
  return (
    <Confirm
      title={`Remove ${name}?`}
      verb="Remove"
      done={`${name} is removed.`}
      act={async () => {
        await ask(pathOf(name), { method: 'DELETE' });
        onDone();
      }}
      onClose={onClose}
    >
      <p>Its connections end, and it cannot log in any more.</p>
      <EffectsOf change={{ kind: 'remove-user', name }} />
    </Confirm>
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

function actions(onEnable: (user: User) => void, onDo: (doing: Doing) => void): Column<User> {
  return {
    name: 'Actions',
    cell: (user) =>
      user.origin === 'file' ? (
        <span class="quiet">in the file of -users</span>
      ) : (
        <span class="actions">
          <button
            type="button"
            class="small"
            aria-label={`Change ${user.name}`}
            onClick={() => onDo({ kind: 'edit', user })}
          >
            Change
          </button>
          <button
            type="button"
            class="small"
            aria-label={`${user.enabled ? 'Disable' : 'Enable'} ${user.name}`}
            onClick={() => (user.enabled ? onDo({ kind: 'disable', user }) : onEnable(user))}
          >
            {user.enabled ? 'Disable' : 'Enable'}
          </button>
          <button
            type="button"
            class="small danger"
            aria-label={`Remove ${user.name}`}
            onClick={() => onDo({ kind: 'remove', user })}
          >
            Remove
          </button>
        </span>
      ),
  };
}
