import { randomUUID } from 'node:crypto';
import { listLogs } from '../../../internal/admin/operations/logs.ts';
import { showOverview } from '../../../internal/admin/operations/overview.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { credentialsOf } from '../../cli/credentials.ts';
import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { countText, sizeText } from '../broker/words.ts';
import { Progress } from '../import/progress.ts';
import { ACKS } from '../kafka-flags.ts';
import { pemOf, type RunningBroker, withBroker } from '../reach/reach.ts';
import { targetOf } from '../reach/target.ts';
import { note } from '../report.ts';
import { benchProgram } from './flags.ts';
import { kafkaSpeech } from './kafka.ts';
import type { Latencies } from './latencies.ts';
import { FRAMES, MQTT, type Speech } from './parties.ts';
import { type Measured, measure, type Plan } from './run.ts';

type Options = Values<(typeof benchProgram)['options']>;

export const bench = command(benchProgram, async (invocation) => {
  const { values, given, stop, version } = invocation;
  const { protocol, qos, json, quiet } = values;
  checkFlags(values, given);
  const plan: Plan = {
    ...{ durationMs: values.duration, warmUpMs: values['warm-up'], sizeBytes: values.size },
    ...{ publishers: values.publishers, subscribers: values.subscribers },
    ...{ rate: values.rate, window: values.window },
  };
  // As a topic of Kafka it is the log of that name, and not beside it.
  const topic = `tinymq-bench${protocol === 'kafka' ? '.' : '/'}${randomUUID()}`;
  await withBroker(invocation, async (broker, login) => {
    const target = targetOf(invocation);
    const overview = await broker.call(showOverview, {});
    const url =
      values.address ?? placeOf(overview.listeners, protocol, target.kind === 'url' ? target.url : undefined);
    if (!quiet) note(`This loads the broker at ${url}: whoever uses it will notice.`);
    const progress = new Progress(process.stderr, quiet);
    const measured = await measure(
      speechOf(values),
      {
        ...{ url, topic, qos: qos === '1' ? 1 : 0, version, stop },
        credentials: login ?? (await credentialsOf(invocation)),
        ca: pemOf(target.kind === 'url' ? target.login.tlsCa : values['tls-ca']),
      },
      plan,
      (received) => progress.tell(() => `${countText(received)} messages received`),
    ).finally(() => progress.end());
    if (json) process.stdout.write(jsonLine(resultOf(measured, plan, { ...promiseOf(values), url })));
    else process.stdout.write(textOf(measured, plan, `${howText(values)} at ${url}`));
    await tellOfLog(broker, topic);
  });
});

/** The flags that say how safe a message is, and for which protocol they are. */
const PROMISES = { qos: 'mqtt', acks: 'kafka', partitions: 'kafka' } as const;

/** @throws UsageError where a flag is of no use. */
function checkFlags({ protocol, qos }: Options, given: ReadonlySet<string>): void {
  for (const [flag, wanted] of Object.entries(PROMISES)) {
    // QoS 0 is what frames have, too.
    const isUseless = protocol !== wanted && given.has(flag) && !(flag === 'qos' && qos === '0');
    if (isUseless) throw new UsageError(`-${flag} is for -protocol ${wanted}`);
  }
}

function speechOf({ protocol, acks, partitions }: Options): Speech {
  switch (protocol) {
    case 'frames':
      return FRAMES;
    case 'mqtt':
      return MQTT;
    case 'kafka':
      return kafkaSpeech({ acks: ACKS[acks], partitions });
  }
}

/** What the publishers asked for, for a program that reads the result. */
function promiseOf({ protocol, qos, acks, partitions }: Options): object {
  return protocol === 'kafka' ? { protocol, acks, partitions } : { protocol, qos: Number(qos) };
}

function howText({ protocol, qos, acks, partitions }: Options): string {
  if (protocol !== 'kafka') return `${protocol}${qos === '1' ? ' with QoS 1' : ''}`;
  return `kafka with acks ${acks}${partitions === 1 ? '' : ` and ${partitions} partitions`}`;
}

/** Where the broker takes messages, as it is seen from here. @throws Failure where it takes none. */
function placeOf(
  listeners: readonly { door: string; url: string }[],
  protocol: Options['protocol'],
  asked: URL | undefined,
): string {
  const wanted = protocol === 'kafka' ? 'kafka' : 'frames';
  const urls = listeners.filter(({ door }) => door === wanted).map(({ url }) => url);
  // By a unix socket on this machine only.
  const reachable = urls.filter((url) => asked === undefined || !url.startsWith('unix:'));
  const [first] = reachable;
  if (first === undefined)
    throw new Failure(`the broker says no address for clients of ${protocol}; name it with -address`);
  if (asked === undefined) return first;
  const found = new URL(first);
  // What it listens at on all its interfaces, or on its own machine, is where it was just reached.
  if (/^(0\.0\.0\.0|\[::\]|localhost|127\.|\[::1\])/.test(found.hostname)) found.hostname = asked.hostname;
  return found.href;
}

/** What a filter of -keep made of the messages stays, and is said. */
async function tellOfLog(broker: RunningBroker, topic: string): Promise<void> {
  const { logs } = await broker.call(listLogs, { search: topic.replace('/', '.'), limit: 1 });
  const [log] = logs;
  if (log !== undefined)
    note(`The broker keeps what was published in log ${log.name}: tinymq topics delete ${log.name}`);
}

const SHARES = { p50: 0.5, p90: 0.9, p99: 0.99, 'p99.9': 0.999 } as const;

function resultOf(
  { seconds, published, received, lost, latencies, acknowledgements }: Measured,
  plan: Plan,
  how: object,
): object {
  return {
    ...how,
    ...{ publishers: plan.publishers, subscribers: plan.subscribers, payloadBytes: plan.sizeBytes },
    ...{ ratePerSecond: plan.rate ?? null, seconds, published, received, lost },
    ...{ publishedPerSecond: published / seconds, receivedPerSecond: received / seconds },
    ...{ latencyMs: sharesOf(latencies), histogram: histogramOf(latencies) },
    ...(acknowledgements.count === 0
      ? {}
      : {
          acknowledged: acknowledgements.count,
          acknowledgedMs: sharesOf(acknowledgements),
          acknowledgedHistogram: histogramOf(acknowledgements),
        }),
  };
}

function sharesOf(latencies: Latencies): object {
  const ms = (us: number) => (Number.isFinite(us) ? us / 1_000 : null);
  return {
    min: ms(latencies.minUs),
    mean: ms(latencies.sumUs / latencies.count),
    ...Object.fromEntries(
      Object.entries(SHARES).map(([name, share]) => [name, ms(latencies.percentileUs(share))]),
    ),
    max: ms(latencies.maxUs),
  };
}

function histogramOf(latencies: Latencies): object[] {
  return latencies.histogram().map(({ atMostUs, count }) => ({ atMostMs: atMostUs / 1_000, count }));
}

const BAR_COLUMNS = 40;

function textOf(measured: Measured, plan: Plan, how: string): string {
  const { seconds, published, received, lost, latencies, acknowledgements } = measured;
  const rate = (count: number) =>
    `${countText(count / seconds)} messages/s, ${sizeText((count * plan.sizeBytes) / seconds)}/s`;
  const paced =
    plan.rate === undefined ? `${plan.window} of each on the way` : `${countText(plan.rate)}/s wanted`;
  const lines = [
    `${how}, ${sizeText(plan.sizeBytes)}, ${plan.publishers} to ${plan.subscribers}, ${seconds} s, ${paced}`,
    `published  ${rate(published)}`,
    `received   ${rate(received)}${lost === 0 ? '' : `, ${countText(lost)} lost`}`,
    ...(acknowledgements.count === 0
      ? []
      : [`acknowledged after  ${sharesText(acknowledgements)}`, ...bars(acknowledgements)]),
    `received after      ${sharesText(latencies)}`,
    ...bars(latencies),
  ];
  return `${lines.join('\n')}\n`;
}

function sharesText(latencies: Latencies): string {
  const shares = Object.entries(SHARES).map(
    ([name, share]) => `${name} ${timeText(latencies.percentileUs(share))}`,
  );
  return `${shares.join('  ')}  max ${timeText(latencies.maxUs)}`;
}

function bars(latencies: Latencies): string[] {
  const buckets = latencies.histogram();
  const most = Math.max(...buckets.map(({ count }) => count));
  return buckets.map(({ atMostUs, count }) => {
    const share = `${((100 * count) / latencies.count).toFixed(2)} %`;
    const bar = '█'.repeat(Math.round((BAR_COLUMNS * count) / most));
    return `≤ ${timeText(atMostUs).padStart(9)} ${share.padStart(8)} ${bar}`.trimEnd();
  });
}

function timeText(us: number): string {
  if (!Number.isFinite(us)) return '-';
  if (us < 1_000) return `${us.toFixed(0)} µs`;
  return us < 1_000_000
    ? `${(us / 1_000).toFixed(us < 10_000 ? 2 : 1)} ms`
    : `${(us / 1_000_000).toFixed(2)} s`;
}
