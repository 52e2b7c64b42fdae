import { useRef } from 'preact/hooks';
import type { Check, DoorFacts, Health, History, Overview } from '../api/types.ts';
import { LIVE_MS, useQuery } from '../api/use-query.ts';
import { ago, bytes, count, duration, rate, words } from '../lib/format.ts';
import { ratesBetween } from '../lib/rates.ts';
import { linkTo } from '../lib/route.ts';
import { Answer, Badge, type BadgeKind, Card, Command, Empty, Facts, ViewHead } from '../parts/basics.tsx';
import { Chart } from '../parts/chart.tsx';
import { Figure } from '../parts/figure.tsx';
import { Table } from '../parts/table.tsx';
import { chartsOf } from './charts.ts';

const HISTORY_MS = 10_000;

/** What the broker does, on one screen. */
export function OverviewView() {
  const overview = useQuery<Overview>('overview', {}, LIVE_MS);
  return (
    <>
      <ViewHead title="Overview" />
      <Answer query={overview}>{(data) => <Whole overview={data} />}</Answer>
    </>
  );
}

function Whole({ overview }: { overview: Overview }) {
  const history = useQuery<History>('history', {}, HISTORY_MS);
  const rates = useRates(overview.doors);
  return (
    <>
      <Figures overview={overview} rates={rates} />
      <Answer query={history}>{(data) => <Charts history={data} />}</Answer>
      <Doors overview={overview} rates={rates} />
      <div class="columns">
        <HealthCard overview={overview} />
        <Drops overview={overview} />
        <About overview={overview} />
      </div>
    </>
  );
}

interface WithRates {
  overview: Overview;
  /** Of each door; undefined until there are two answers. */
  rates: ReadonlyMap<string, DoorFacts> | undefined;
}

function Figures({ overview, rates }: WithRates) {
  const sum = (doors: Iterable<DoorFacts>, of: (door: DoorFacts) => number) =>
    [...doors].reduce((all, door) => all + of(door), 0);
  const dropped = Object.values(overview.droppedByCode).reduce((all, n) => all + n, 0);
  return (
    <ul class="figures">
      <Figure
        name="Messages in"
        value={rate(rates && sum(rates.values(), (door) => door.messagesIn))}
        unit="per second"
      />
      <Figure
        name="Messages out"
        value={rate(rates && sum(rates.values(), (door) => door.messagesOut))}
        unit="per second"
      />
      <Figure
        name="Connections"
        value={count(sum(overview.doors, ({ connections }) => connections))}
        href={linkTo(['clients'])}
      />
      <Figure name="Subscriptions" value={count(overview.subscriptions)} />
      <Figure name="Sessions" value={count(overview.sessions)} href={linkTo(['sessions'])} />
      <Figure name="Retained" value={count(overview.retained)} href={linkTo(['retained'])} />
      <Figure
        name="Dropped"
        value={count(dropped)}
        unit="since the start"
        href={linkTo(['why'])}
        isBad={dropped > 0}
      />
    </ul>
  );
}

/** Rates of each door, from two answers that follow one another. */
function useRates(doors: readonly DoorFacts[]): ReadonlyMap<string, DoorFacts> | undefined {
  const before = useRef<
    { doors: readonly DoorFacts[]; atMs: number; rates?: Map<string, DoorFacts> } | undefined
  >(undefined);
  const last = before.current;
  if (last?.doors === doors) return last.rates;
  const atMs = performance.now();
  const rates = last && ratesBetween(last.doors, doors, atMs - last.atMs);
  before.current = { doors, atMs, rates };
  return rates;
}

function Charts({ history }: { history: History }) {
  const plans = chartsOf(history);
  return (
    <section class="charts" aria-label="The last hour">
      {plans.map(({ title, lines, format }) => (
        <Chart key={title} title={title} history={history} lines={lines} format={format} />
      ))}
    </section>
  );
}

function Doors({ overview, rates }: WithRates) {
  const urls = (name: string) => overview.listeners.filter(({ door }) => door === name).map(({ url }) => url);
  return (
    <Card title="Doors">
      <Table
        caption="Doors and their rates"
        rows={overview.doors}
        keyOf={({ name }) => name}
        columns={[
          {
            name: 'Door',
            cell: ({ name }) => (
              <>
                <a href={linkTo(['clients'], { door: name })}>{name}</a>
                {urls(name).map((url) => (
                  <span key={url} class="sub mono url">
                    {url}
                  </span>
                ))}
              </>
            ),
          },
          { name: 'Connections', isNumber: true, cell: ({ connections }) => count(connections) },
          { name: 'In / s', isNumber: true, cell: ({ name }) => rate(rates?.get(name)?.messagesIn) },
          { name: 'Out / s', isNumber: true, cell: ({ name }) => rate(rates?.get(name)?.messagesOut) },
          { name: 'Bytes in / s', isNumber: true, cell: ({ name }) => bytes(rates?.get(name)?.bytesIn) },
          { name: 'Bytes out / s', isNumber: true, cell: ({ name }) => bytes(rates?.get(name)?.bytesOut) },
        ]}
      />
    </Card>
  );
}

const KINDS: Record<Health, BadgeKind> = { pass: 'good', warn: 'warn', fail: 'bad' };
const WORDS: Record<Health, string> = { pass: 'good', warn: 'look at it', fail: 'failing' };

function HealthCard({ overview }: { overview: Overview }) {
  return (
    <Card title="Health" tools={<Badge kind={KINDS[overview.health]}>{WORDS[overview.health]}</Badge>}>
      <ul class="checks">
        {Object.entries(overview.checks).map(([name, check]) => (
          <li key={name}>
            <Badge kind={KINDS[check.status]}>{WORDS[check.status]}</Badge>
            <span>
              <b>{words(name)}</b>
              <span class="sub">{check.problem ?? measured(check)}</span>
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** What a check measured, in words: `freeBytes` becomes `free 3 GiB`. */
function measured(check: Check): string {
  return Object.entries(check)
    .filter(([name]) => name !== 'status')
    .map(([name, value]) => {
      if (typeof value !== 'number') return `${words(name)}: ${value}`;
      if (/bytes$/i.test(name)) return `${words(name.replace(/_?bytes$/i, ''))}: ${bytes(value)}`;
      if (/ms$/i.test(name)) return `${words(name.replace(/_?ms$/i, ''))}: ${duration(value)}`;
      return `${words(name)}: ${count(value)}`;
    })
    .join(', ');
}

function Drops({ overview }: { overview: Overview }) {
  const codes = Object.entries(overview.droppedByCode).filter(([, n]) => n > 0);
  return (
    <Card title="Dropped messages">
      {codes.length === 0 ? (
        <Empty title="Nothing was dropped.">
          <p>Every message that was published went to everybody who asked for it.</p>
        </Empty>
      ) : (
        <Table
          caption="Dropped messages by reason"
          rows={codes}
          keyOf={([code]) => code}
          columns={[
            { name: 'Reason', cell: ([code]) => <a href={linkTo(['why'], { code })}>{code}</a> },
            { name: 'Messages', isNumber: true, cell: ([, n]) => count(n) },
          ]}
        />
      )}
    </Card>
  );
}

function About({ overview }: { overview: Overview }) {
  const { store, logs, startedAt, version } = overview;
  return (
    <Card title="Broker">
      <Facts
        facts={[
          ['Version', version],
          ['Running for', ago(startedAt).replace(' ago', '')],
          ['Store', store.format === undefined ? store.kind : `${store.kind}, format ${store.format}`],
          ['NATS servers', store.servers && <span class="mono">{store.servers.join(', ')}</span>],
          [
            'Folder',
            store.folders?.length ? <span class="mono">{store.folders.join(', ')}</span> : undefined,
          ],
          ['Stored', store.bytes === undefined ? undefined : bytes(store.bytes)],
          ['Free on the disk', store.freeBytes === undefined ? undefined : bytes(store.freeBytes)],
          ['Logs', count(logs)],
        ]}
      />
      {logs === 0 && (
        <p class="hint">
          Nothing is kept in logs yet. Keep topics with <Command>broker -keep 'sensors/#'</Command>
        </p>
      )}
    </Card>
  );
}
