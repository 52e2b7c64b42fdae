import { useState } from 'preact/hooks';
import type { Step } from '../api/types.ts';
import { useFollow } from '../api/use-follow.ts';
import { bytes, clock, many } from '../lib/format.ts';
import { Badge, Empty, Field } from '../parts/basics.tsx';

/** Steps that are shown, at most: the newest. */
const MOST = 200;

/** What messages meet on their way, as it happens. */
export function Trace({ name: asked }: { name: string }) {
  const [name, setName] = useState(asked);
  const [traced, setTraced] = useState<string>();
  const { items, total, problem } = useFollow<Step>(
    traced === undefined ? undefined : 'trace',
    { name: traced },
    false,
  );
  return (
    <>
      <form
        class="card fields"
        onSubmit={(event) => {
          event.preventDefault();
          setTraced(traced === undefined ? name : undefined);
        }}
      >
        <Field label="Filter or client" hint="Such as sensors/#">
          {(id, hintId) => (
            <input
              id={id}
              aria-describedby={hintId}
              required
              value={name}
              disabled={traced !== undefined}
              spellcheck={false}
              onInput={({ currentTarget }) => setName(currentTarget.value)}
            />
          )}
        </Field>
        <button type="submit" class="primary">
          {traced === undefined ? 'Trace' : 'Stop'}
        </button>
      </form>
      {problem && (
        <p class="refusal" role="alert">
          {problem}
        </p>
      )}
      {traced !== undefined && items.length === 0 && (
        <Empty title="Nothing happened yet.">
          <p>Each message of {traced} shows here by whom it was published, and where it went.</p>
        </Empty>
      )}
      {items.length > 0 && (
        <ol class="fates" aria-label={`${many(total, 'step')}, newest first`}>
          {items.slice(0, MOST).map((step, index) => (
            <TraceStep key={total - index} step={step} />
          ))}
        </ol>
      )}
    </>
  );
}

function TraceStep({ step }: { step: Step }) {
  const { at, topic, client, publisher, user, door, filters, log, partition, offset, code, message, rule } =
    step;
  const facts: (readonly [string, string | undefined])[] = [
    ['client', client],
    ['published by', publisher],
    ['user', user],
    ['door', door],
    ['filters', filters?.join(', ')],
    ['log', log && `${log}/${partition ?? 0} at ${offset}`],
    ['size', step.bytes === undefined ? undefined : bytes(step.bytes)],
    ['code', code],
    ['rule', rule],
  ];
  return (
    <li>
      <div class="fate-head">
        <time dateTime={at}>{clock(at)}</time>
        <Badge kind={code === undefined ? 'accent' : 'bad'}>{step.step}</Badge>
        <span class="mono name">{topic}</span>
      </div>
      {message && <p class="name">{message}</p>}
      <p class="fate-facts">
        {facts.map(
          ([name, value]) =>
            value !== undefined && (
              <span key={name}>
                {name} <b class="name">{value}</b>
              </span>
            ),
        )}
      </p>
    </li>
  );
}
