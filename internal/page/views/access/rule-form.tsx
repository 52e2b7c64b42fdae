import { useRef, useState } from 'preact/hooks';
import { ask, type Problem } from '../../api/api.ts';
import type { Preview, Rule } from '../../api/types.ts';
import { listsOf, namesIn } from '../../lib/lines.ts';
import { useReloadMe } from '../../lib/me.ts';
import { Field, Lines, Refusal } from '../../parts/basics.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { useNotices } from '../../parts/notices.tsx';
import { type Change, Effects, useChecked } from './preview.tsx';
import { Answered, Choice, QuestionFields, questionIn } from './question.tsx';

const EFFECTS = [
  ['allow', 'Allow'],
  ['deny', 'Deny'],
] as const;

const ACTIONS = [
  ...['publish', 'subscribe', 'create', 'delete', 'alter', 'describe', 'connect', 'admin', 'all'],
] as const;

/** The lists that a rule may have, in its form. */
const LISTS = [
  ...['users', 'groups', 'hosts', 'topics', 'consumerGroups', 'transactionalIds', 'sessions'],
] as const;

interface RuleFormProps {
  /** The one that is changed; undefined for a new one. */
  rule?: Rule;
  /** Before which a new one may stand. */
  others: readonly Rule[];
  onDone(): void;
  onClose(): void;
}

/** Makes a rule, or changes one; beside it what it would do. */
export function RuleForm({ rule, others, onDone, onClose }: RuleFormProps) {
  const notices = useNotices();
  const reloadMe = useReloadMe();
  const checked = useChecked();
  const changeOf = (fields: FormData): Change => {
    const form = ruleIn(fields);
    if (rule !== undefined) return { kind: 'alter-rule', id: rule.id, rule: form };
    const id = String(fields.get('id'));
    return { kind: 'add-rule', rule: id === '' ? form : { ...form, id }, place: placeIn(fields) };
  };
  async function sent(fields: FormData) {
    const change = changeOf(fields);
    if (!(await checked.mayGoOn(change))) return false;
    const { kind: _kind, id: _id, ...json } = change;
    if (rule === undefined) await ask('rules', { method: 'POST', json });
    else await ask(`rules/${encodeURIComponent(rule.id)}`, { method: 'PATCH', json });
    notices.done(rule === undefined ? 'The rule is added.' : `The rule ${rule.id} is changed.`);
    onDone();
    reloadMe();
    return true;
  }
  return (
    <FormDialog
      title={rule === undefined ? 'Add a rule' : `Change the rule ${rule.id}`}
      verb={rule === undefined ? 'Add' : 'Change'}
      onSend={sent}
      onChange={checked.forget}
      onClose={onClose}
    >
      <div class="beside">
        <div class="dialog-body">
          <RuleFields form={rule?.rule ?? {}} />
          {rule === undefined && <PlaceFields others={others} />}
        </div>
        <Trial
          preview={checked.preview}
          onTry={(fields) => checked.look(changeOf(fields), questionIn(fields))}
        />
      </div>
    </FormDialog>
  );
}

function RuleFields({ form }: { form: Rule['rule'] }) {
  const effect = form.deny === undefined ? 'allow' : 'deny';
  const actions = new Set(namesIn(form[effect]));
  const lines = (name: string) => ({ name, lines: namesIn(form[name]) });
  const hasMore = LISTS.slice(4).some((name) => form[name] !== undefined) || form.broker === true;
  return (
    <>
      <Field label="It says">
        {(id) => <Choice id={id} name="effect" options={EFFECTS} first={effect} />}
      </Field>
      <fieldset class="checks-in-line">
        <legend>to</legend>
        {ACTIONS.map((action) => (
          <label key={action} class="check">
            <input type="checkbox" name="actions" value={action} defaultChecked={actions.has(action)} />{' '}
            {action}
          </label>
        ))}
      </fieldset>
      <div class="fields fields-wide">
        <Lines
          label="Users"
          {...lines('users')}
          placeholder="ada"
          hint="* is everybody, anonymous whoever shows nothing."
        />
        <Lines label="or members of groups" {...lines('groups')} placeholder="devices" />
        <Lines
          label="on topics"
          {...lines('topics')}
          placeholder="sensors/%u/#"
          hint="Filters; %u is the name of the user, %c the client id."
        />
        <Lines
          label="from addresses"
          {...lines('hosts')}
          placeholder="anywhere"
          hint="Or networks: 10.0.0.0/8."
        />
      </div>
      <details open={hasMore}>
        <summary>On something else than topics</summary>
        <div class="fields fields-wide">
          <Lines label="Consumer groups" {...lines('consumerGroups')} placeholder="billing-*" />
          <Lines label="Transactional ids" {...lines('transactionalIds')} placeholder="orders-*" />
          <Lines label="Client ids" {...lines('sessions')} placeholder="%u-*" />
          <label class="check">
            <input type="checkbox" name="broker" defaultChecked={form.broker === true} /> The broker itself
          </label>
        </div>
      </details>
    </>
  );
}

function PlaceFields({ others }: { others: readonly Rule[] }) {
  return (
    <div class="fields fields-wide">
      <Field label="Place" hint="The first rule that fits decides.">
        {(id, hintId) => (
          <select id={id} name="place" aria-describedby={hintId}>
            <option value="last">behind all others</option>
            <option value="first">before all others</option>
            {others.map(({ id: other, position }) => (
              <option key={other} value={`before ${other}`}>
                before rule {position}, {other}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Id" hint="Refusals name it.">
        {(id, hintId) => (
          <input
            id={id}
            name="id"
            aria-describedby={hintId}
            placeholder="made up"
            spellcheck={false}
            autocomplete="off"
          />
        )}
      </Field>
    </div>
  );
}

interface TrialProps {
  preview: Preview | undefined;
  onTry(fields: FormData): Promise<void>;
}

/** What the rule would change, for everybody who is here, and for a question. */
function Trial({ preview, onTry }: TrialProps) {
  const [problem, setProblem] = useState<Problem>();
  const part = useRef<HTMLFieldSetElement>(null);
  async function tried() {
    const form = part.current?.form;
    if (!form) return;
    try {
      await onTry(new FormData(form));
      setProblem(undefined);
    } catch (error) {
      setProblem(error as Problem);
    }
  }
  return (
    <fieldset class="trial" ref={part}>
      <legend>What it would do</legend>
      <div class="fields">
        <QuestionFields />
        <button type="button" onClick={tried}>
          Try it
        </button>
      </div>
      <div aria-live="polite">
        {problem && <Refusal problem={problem} />}
        {preview?.verdict && (
          <dl class="facts">
            <div>
              <dt>Now</dt>
              <dd>
                <Answered verdict={preview.verdict.before} />
              </dd>
            </div>
            <div>
              <dt>Then</dt>
              <dd>
                <Answered verdict={preview.verdict.after} />
              </dd>
            </div>
          </dl>
        )}
        {preview && <Effects preview={preview} />}
      </div>
    </fieldset>
  );
}

/** The rule that stands in a form, as the broker takes it. */
function ruleIn(fields: FormData): Record<string, unknown> {
  return {
    [String(fields.get('effect'))]: fields.getAll('actions').map(String),
    ...listsOf(fields, LISTS),
    ...(fields.get('broker') !== null && { broker: true }),
  };
}

function placeIn(fields: FormData): string | { before: string } {
  const place = String(fields.get('place'));
  return place.startsWith('before ') ? { before: place.slice('before '.length) } : place;
}
