import { ask } from '../../api/api.ts';
import type { Limit } from '../../api/types.ts';
import { BOUNDS } from '../../lib/bounds.ts';
import { Field } from '../../parts/basics.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { useNotices } from '../../parts/notices.tsx';

const NAMES = [
  ['user', 'User'],
  ['group', 'Group'],
  ['client', 'Client id'],
] as const;

interface LimitFormProps {
  /** The one that is changed; undefined for a new one. */
  limit?: Limit;
  onDone(): void;
  onClose(): void;
}

/** Makes a limit, or changes one. */
export function LimitForm({ limit, onDone, onClose }: LimitFormProps) {
  const notices = useNotices();
  async function sent(fields: FormData) {
    const form = limitIn(fields);
    const id = String(fields.get('id') ?? '');
    if (limit !== undefined) {
      await ask(`limits/${encodeURIComponent(limit.id)}`, { method: 'PATCH', json: { limit: form } });
    } else {
      await ask('limits', { method: 'POST', json: id === '' ? { limit: form } : { id, limit: form } });
    }
    notices.done(limit === undefined ? 'The limit is added.' : `The limit ${limit.id} is changed.`);
    onDone();
    return true;
  }
  const given = (name: string) => (limit?.limit[name] === undefined ? undefined : String(limit.limit[name]));
  return (
    <FormDialog
      title={limit === undefined ? 'Add a limit' : `Change the limit ${limit.id}`}
      verb={limit === undefined ? 'Add' : 'Change'}
      onSend={sent}
      onClose={onClose}
    >
      <p class="hint">
        For whom: whoever is all that is named; everybody else, each on its own, where nothing is named.
      </p>
      <div class="fields">
        {NAMES.map(([name, label]) => (
          <Field key={name} label={label}>
            {(id) => (
              <input id={id} name={name} defaultValue={given(name)} spellcheck={false} autocomplete="off" />
            )}
          </Field>
        ))}
        {limit === undefined && (
          <Field label="Id">
            {(id) => <input id={id} name="id" placeholder="made up" spellcheck={false} autocomplete="off" />}
          </Field>
        )}
      </div>
      <p class="hint">At most, where a number is given:</p>
      <div class="fields">
        {BOUNDS.map(([name, label]) => (
          <Field key={name} label={label}>
            {(id) => (
              <input
                id={id}
                name={name}
                type="number"
                min={0}
                step={1}
                defaultValue={given(name)}
                placeholder="no limit"
              />
            )}
          </Field>
        ))}
      </div>
    </FormDialog>
  );
}

/** The limit that stands in a form, as the broker takes it. */
function limitIn(fields: FormData): Record<string, unknown> {
  const said = (name: string) => String(fields.get(name) ?? '') !== '';
  const names = NAMES.filter(([name]) => said(name)).map(([name]) => [name, String(fields.get(name))]);
  const bounds = BOUNDS.filter(([name]) => said(name)).map(([name]) => [name, Number(fields.get(name))]);
  return Object.fromEntries([...names, ...bounds]);
}
