import { useState } from 'preact/hooks';
import { ask } from '../../api/api.ts';
import type { User } from '../../api/types.ts';
import { linesOf } from '../../lib/lines.ts';
import { useReloadMe } from '../../lib/me.ts';
import { Field, Lines } from '../../parts/basics.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { useNotices } from '../../parts/notices.tsx';
import { Effects, useChecked } from './preview.tsx';

interface UserFormProps {
  onDone(): void;
  onClose(): void;
}

/** Makes a user. The password goes to the broker, which hashes it. */
export function NewUser({ isFirst, onDone, onClose }: UserFormProps & { isFirst: boolean }) {
  const notices = useNotices();
  const reloadMe = useReloadMe();
  const checked = useChecked();
  async function sent(fields: FormData) {
    const name = String(fields.get('name'));
    const user = { name, groups: linesOf(fields, 'groups'), admin: fields.get('admin') !== null };
    if (!(await checked.mayGoOn({ kind: 'add-user', ...user }))) return false;
    const json = { ...user, ...newPassword(fields) };
    const { rulesAboutUser } = await ask<{ rulesAboutUser: boolean }>('users', { method: 'POST', json });
    notices.done(
      rulesAboutUser ? `${name} is a user.` : `${name} is a user. No rule allows it anything yet: add one.`,
    );
    onDone();
    reloadMe();
    return true;
  }
  return (
    <FormDialog title="Add a user" verb="Add" onSend={sent} onChange={checked.forget} onClose={onClose}>
      <Field label="Name">
        {(id) => <input id={id} name="name" required spellcheck={false} autocomplete="off" />}
      </Field>
      <NewPassword hint="Leave it empty for a user who logs in with a certificate or a token only." />
      <Lines
        label="Groups"
        name="groups"
        hint="One on each line. Rules and limits are for users or groups."
      />
      <label class="check">
        <input type="checkbox" name="admin" defaultChecked={isFirst} /> May do everything
      </label>
      {checked.preview && <Effects preview={checked.preview} />}
    </FormDialog>
  );
}

/** Changes the groups of a user, or its password. */
export function EditUser({ user, onDone, onClose }: UserFormProps & { user: User }) {
  const notices = useNotices();
  const reloadMe = useReloadMe();
  const checked = useChecked();
  const { name } = user;
  async function sent(fields: FormData) {
    const groups = linesOf(fields, 'groups');
    if (!(await checked.mayGoOn({ kind: 'alter-user', name, groups }))) return false;
    const json = { groups, ...newPassword(fields) };
    await ask(`users/${encodeURIComponent(name)}`, { method: 'PATCH', json });
    notices.done(`${name} is changed.`);
    onDone();
    reloadMe();
    return true;
  }
  return (
    <FormDialog
      title={`Change ${name}`}
      verb="Change"
      onSend={sent}
      onChange={checked.forget}
      onClose={onClose}
    >
      <Lines label="Groups" name="groups" lines={user.groups} hint="One on each line." />
      <NewPassword hint="It stays as it is where this is empty. Connections with the one before end." />
      {checked.preview && <Effects preview={checked.preview} />}
    </FormDialog>
  );
}

function newPassword(fields: FormData): { newPassword?: string } {
  const password = String(fields.get('password'));
  return password === '' ? {} : { newPassword: password };
}

/** A field for a new password, which can be shown to whoever types it. */
function NewPassword({ hint }: { hint: string }) {
  const [isShown, setIsShown] = useState(false);
  const [password, setPassword] = useState('');
  const field = (id: string, hintId: string | undefined) => ({
    ...{ id, 'aria-describedby': hintId, name: 'password', value: password, spellcheck: false },
    autocomplete: 'new-password' as const,
    onInput: ({ currentTarget }: { currentTarget: HTMLInputElement }) => setPassword(currentTarget.value),
  });
  return (
    <Field label="Password" hint={hint}>
      {(id, hintId) => (
        <span class="inline">
          {isShown ? (
            <input type="text" {...field(id, hintId)} />
          ) : (
            <input type="password" {...field(id, hintId)} />
          )}
          <button type="button" aria-pressed={isShown} onClick={() => setIsShown(!isShown)}>
            Show
          </button>
        </span>
      )}
    </Field>
  );
}
