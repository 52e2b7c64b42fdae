import { useState } from 'preact/hooks';
import type { Verdict } from '../../api/types.ts';
import { Badge, Field } from '../../parts/basics.tsx';
import type { Question } from './preview.tsx';

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

/** The fields of a question, whose names begin so, that other fields may stand beside them. */
const PREFIX = 'question-';

/** May this user do that with this? */
export function QuestionFields() {
  const [kind, setKind] = useState<string>('topic');
  return (
    <>
      <Field label="May the user">
        {(id) => (
          <input
            id={id}
            name={`${PREFIX}user`}
            placeholder="anonymous"
            spellcheck={false}
            autocomplete="off"
            data-search
          />
        )}
      </Field>
      <Field label="do this">{(id) => <Choice id={id} name={`${PREFIX}action`} options={ACTIONS} />}</Field>
      <Field label="with">
        {(id) => <Choice id={id} name={`${PREFIX}kind`} options={KINDS} onChoose={setKind} />}
      </Field>
      {kind !== 'broker' && (
        <Field label="of this name">
          {(id) => (
            <input
              id={id}
              name={`${PREFIX}name`}
              placeholder="sensors/temp"
              spellcheck={false}
              autocomplete="off"
            />
          )}
        </Field>
      )}
      <Field label="as the client">
        {(id) => (
          <input id={id} name={`${PREFIX}clientId`} placeholder="any" spellcheck={false} autocomplete="off" />
        )}
      </Field>
    </>
  );
}

/** What somebody asks in a form. */
export function questionIn(fields: FormData): Question {
  const asked = [...fields.entries()].filter(([name, value]) => name.startsWith(PREFIX) && value !== '');
  return {
    name: '',
    ...Object.fromEntries(asked.map(([name, value]) => [name.slice(PREFIX.length), value])),
  };
}

interface ChoiceProps {
  id: string;
  name: string;
  options: readonly (readonly [string, string])[];
  /** Chosen at first. */
  first?: string;
  onChoose?(value: string): void;
}

export function Choice({ id, name, options, first, onChoose }: ChoiceProps) {
  return (
    <select id={id} name={name} onChange={({ currentTarget }) => onChoose?.(currentTarget.value)}>
      {options.map(([each, text]) => (
        <option key={each} value={each} selected={each === first}>
          {text}
        </option>
      ))}
    </select>
  );
}

/** What the rules say to it. */
export function Answered({ verdict: { isAllowed, reason, isKnownUser, rule } }: { verdict: Verdict }) {
  return (
    <>
      <p>
        <Badge kind={isAllowed ? 'good' : 'bad'}>{isAllowed ? 'Yes' : 'No'}</Badge>
        {rule === undefined && <span class="name"> {reason}</span>}
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
    </>
  );
}
