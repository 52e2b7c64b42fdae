import { useState } from 'preact/hooks';
import { ask, type Problem } from '../api/api.ts';
import type { Verdict } from '../api/types.ts';
import { Badge, Field, Refusal } from '../parts/basics.tsx';

const ACTIONS = [
  ['publish', 'publish to'],
  ['subscribe', 'subscribe to'],
  ['read', 'read the log of'],
  ['write', 'append to the log of'],
  ['create', 'create'],
  ['delete', 'delete'],
  ['alter', 'change'],
  ['describe', 'see'],
  ['connect', 'connect to'],
  ['admin', 'administer'],
] as const;

const KINDS = [
  ['topic', 'the topic'],
  ['group', 'the group'],
  ['session', 'the session'],
  ['transactional-id', 'the transactional id'],
  ['broker', 'the broker'],
] as const;

/** Asks the rules whether somebody may do something, and which rule says so. */
export function AccessTest() {
  const [verdict, setVerdict] = useState<Verdict>();
  const [problem, setProblem] = useState<Problem>();
  const [kind, setKind] = useState<string>('topic');
  async function submitted(event: SubmitEvent) {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const entries = [...form.entries()].filter(([, value]) => value !== '');
    try {
      const json = { name: 'broker', ...Object.fromEntries(entries) };
      setVerdict(await ask<Verdict>('rules/test', { method: 'POST', json }));
      setProblem(undefined);
    } catch (error) {
      setVerdict(undefined);
      setProblem(error as Problem);
    }
  }
  return (
    <>
      <form class="card fields" onSubmit={submitted}>
        <Field label="May the user">
          {(id) => (
            <input
              id={id}
              name="user"
              placeholder="anonymous"
              spellcheck={false}
              autocomplete="off"
              data-search
            />
          )}
        </Field>
        <Field label="do this">{(id) => <Choice id={id} name="action" options={ACTIONS} />}</Field>
        <Field label="with">
          {(id) => <Choice id={id} name="kind" options={KINDS} value={kind} onChoose={setKind} />}
        </Field>
        {kind !== 'broker' && (
          <Field label="of this name">
            {(id) => (
              <input
                id={id}
                name="name"
                required
                placeholder="sensors/temp"
                spellcheck={false}
                autocomplete="off"
              />
            )}
          </Field>
        )}
        <Field label="as the client">
          {(id) => <input id={id} name="clientId" placeholder="any" spellcheck={false} autocomplete="off" />}
        </Field>
        <button type="submit" class="primary">
          Ask the rules
        </button>
      </form>
      <div aria-live="polite">
        {problem && <Refusal problem={problem} />}
        {verdict && <Answered verdict={verdict} />}
      </div>
    </>
  );
}

interface ChoiceProps {
  id: string;
  name: string;
  options: readonly (readonly [string, string])[];
  value?: string;
  onChoose?(value: string): void;
}

function Choice({ id, name, options, value, onChoose }: ChoiceProps) {
  return (
    <select
      id={id}
      name={name}
      value={value}
      onChange={({ currentTarget }) => onChoose?.(currentTarget.value)}
    >
      {options.map(([each, text]) => (
        <option key={each} value={each}>
          {text}
        </option>
      ))}
    </select>
  );
}

function Answered({ verdict: { isAllowed, reason, isKnownUser, rule } }: { verdict: Verdict }) {
  return (
    <div class="card verdict">
      <p>
        <Badge kind={isAllowed ? 'good' : 'bad'}>{isAllowed ? 'Yes' : 'No'}</Badge> {reason}
      </p>
      {rule && (
        <p class="remedy">
          Rule {rule.position}, <span class="mono name">{rule.id}</span>:{' '}
          <span class="name">{rule.text}</span>
        </p>
      )}
      {!isKnownUser && (
        <p class="remedy">There is no user of this name: the rules were asked about it all the same.</p>
      )}
    </div>
  );
}
