import type { Fates } from '../api/types.ts';
import { LIVE_MS, useQuery } from '../api/use-query.ts';
import { useMayAdmin } from '../lib/me.ts';
import type { Route } from '../lib/route.ts';
import { useLater } from '../lib/use-later.ts';
import { refine } from '../lib/use-route.ts';
import { Answer, Empty, Field, ViewHead } from '../parts/basics.tsx';
import { FateList } from '../parts/fates.tsx';
import { Tabs } from '../parts/tabs.tsx';
import { Trace } from './trace.tsx';

const FIELDS = ['name', 'code'] as const;
const LABELS = { name: 'Client, topic or user', code: 'Reason (code)' } as const;
const MOST = 100;

/** Why something did not arrive, was refused or ended. */
export function WhyView({ route }: { route: Route }) {
  const isTrace = route.query.tab === 'trace';
  return (
    <>
      <ViewHead title="Why" />
      <Tabs
        label="Why"
        tabs={useMayAdmin() ? TABS : TABS.slice(0, 1)}
        selected={isTrace ? 'trace' : 'past'}
        onSelect={(tab) => refine(route, { tab })}
      >
        {isTrace ? <Trace name={route.query.name ?? ''} /> : <Past route={route} />}
      </Tabs>
    </>
  );
}

const TABS = [
  { id: 'past', name: 'What happened' },
  { id: 'trace', name: 'Trace live' },
] as const;

function Past({ route }: { route: Route }) {
  const asked = Object.fromEntries(FIELDS.map((name) => [name, route.query[name] ?? '']));
  const later = JSON.parse(useLater(JSON.stringify(asked))) as typeof asked;
  const fates = useQuery<Fates>('why', { ...later, limit: MOST }, LIVE_MS);
  const isSearch = FIELDS.some((name) => asked[name] !== '');
  return (
    <>
      <p class="lead">
        Every refusal, drop, disconnect and expiry, newest first: what, why, and what to do about it. The
        broker remembers the last of them.
      </p>
      <form class="card fields" onSubmit={(event) => event.preventDefault()}>
        {FIELDS.map((name, index) => (
          <Field key={name} label={LABELS[name]}>
            {(id) => (
              <input
                id={id}
                type="search"
                value={asked[name]}
                spellcheck={false}
                data-search={index === 0 ? '' : undefined}
                onInput={({ currentTarget }) => refine(route, { [name]: currentTarget.value })}
              />
            )}
          </Field>
        ))}
      </form>
      <Answer query={fates}>
        {(data) =>
          data.fates.length === 0 ? (
            <Empty title={isSearch ? 'Nothing is remembered of that.' : 'Nothing went wrong.'}>
              <p>No message was dropped, nobody was refused, and nothing expired.</p>
            </Empty>
          ) : (
            <FateList fates={data.fates} />
          )
        }
      </Answer>
    </>
  );
}
