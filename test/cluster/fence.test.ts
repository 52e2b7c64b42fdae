import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToNats, makeStream } from '../../internal/cluster/connection.ts';
import { JetStream } from '../../internal/cluster/jetstream.ts';
import { JetStreamShard } from '../../internal/cluster/jetstream-shard.ts';
import { factsOf } from '../../internal/cluster/messages.ts';
import { eventually } from '../support/eventually.ts';
import { type NatsServers, natsServer, startNats } from '../support/nats-servers.ts';
import type { Order, OwnerOptions, Report } from '../support/shard-owner.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

/*
 * An owner of a shard is stopped with 64 batches under way, another one claims the shard, and the first one goes on where it was.
 * Nothing that it writes then may lie behind the marker of the other one. Writers that send ahead, with sequences that they
 * expect, are found by this test.
 */

const program = await natsServer();
const OWNER = fileURLToPath(new URL('../support/shard-owner.ts', import.meta.url));
const IN_FLIGHT = 64;
const STOPS = rounds(2, 5);
const STOP_MS = rounds(1) === 1 ? 500 : 10_000;

/** A process that owns the shard from time to time. */
class Owner {
  readonly reports: Report[] = [];
  readonly #child: ChildProcess;

  constructor(options: OwnerOptions) {
    this.#child = fork(OWNER, [JSON.stringify(options)]);
    this.#child.on('message', (report: Report) => this.reports.push(report));
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  async until(kind: Report['kind'], since = 0): Promise<void> {
    await eventually(() => this.#count(kind, since) > 0, `an owner that says '${kind}'`);
  }

  acknowledgedSince(since: number): number {
    return this.#count('acknowledged', since);
  }

  #count(kind: Report['kind'], since: number): number {
    return this.reports.slice(since).filter((report) => report.kind === kind).length;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

describe.runIf('there' in program)('an owner that was stopped', () => {
  let nats: NatsServers;

  beforeAll(async () => {
    nats = await startNats('there' in program ? program.there : '');
  });
  afterAll(() => nats?.close());

  it('writes nothing behind the marker of the next one', {
    timeout: torturePatienceMs(120_000),
  }, async () => {
    const { problems, acknowledged, stops } = await stoppedAgainAndAgain(nats, 'rounds', STOPS);
    if (STOP_MS > 500) console.info(`${stops} stops of ${STOP_MS} ms, ${acknowledged} batches acknowledged`);
    expect(problems).toEqual([]);
    expect(acknowledged).toBeGreaterThan(IN_FLIGHT);
  });

  it('would be found to do so if it sent ahead', { timeout: torturePatienceMs(120_000) }, async () => {
    const { problems } = await stoppedAgainAndAgain(nats, 'pipelined', 10);
    // What it wrote behind a marker, or the gap where one of its own was refused and those behind it were not.
    expect(problems).not.toEqual([]);
  });
});

async function stoppedAgainAndAgain(nats: NatsServers, kind: 'rounds' | 'pipelined', most: number) {
  const connection = await connectToNats({ urls: nats.urls, fsync: 'commit' });
  const jetStream = new JetStream(connection);
  const names = { stream: `${kind}-L0`, prefix: `${kind}.0.` };
  await makeStream(
    jetStream,
    { name: names.stream, subjects: [`${names.prefix}>`], isLastOnly: false },
    'commit',
  );
  const stored = new JetStreamShard(jetStream, names.stream, names.prefix);
  const owners = [1, 2].map(
    (node) => new Owner({ ...names, urls: nats.urls, node, pipelines: kind === 'pipelined' }),
  ) as [Owner, Owner];
  let problems: string[] = [];
  let stops = 0;
  try {
    await Promise.all(owners.map((owner) => owner.until('ready')));
    owners[0].order({ claim: true });
    await owners[0].until('owns');
    for (; stops < most && problems.length === 0; stops++) {
      const [owner, other] = stops % 2 === 0 ? owners : (owners.toReversed() as [Owner, Owner]);
      const since = owner.reports.length;
      owner.order({ inFlight: IN_FLIGHT });
      // An owner behind whose marker another one has written is none any more.
      await eventually(async () => {
        if (owner.acknowledgedSince(since) >= IN_FLIGHT) return true;
        problems = await problemsOf(stored, owners);
        return problems.length > 0;
      }, 'an owner that writes, or what keeps it from that');
      if (problems.length > 0) break;
      await stopOnce(owner, other, since);
      problems = await problemsOf(stored, owners);
    }
  } finally {
    await Promise.all(owners.map((owner) => owner.end()));
    await connection.close();
  }
  const acknowledged = owners.flatMap(({ reports }) =>
    reports.filter((each) => each.kind === 'acknowledged'),
  );
  return { problems, acknowledged: acknowledged.length, stops };
}

/** Stops the owner with its batches under way, has the other one claim, and lets the first one go on. */
async function stopOnce(owner: Owner, other: Owner, since: number): Promise<void> {
  const sinceOther = other.reports.length;
  owner.signal('SIGSTOP');
  const stopped = pause(STOP_MS);
  other.order({ claim: true });
  await other.until('owns', sinceOther);
  await stopped;
  owner.signal('SIGCONT');
  await owner.until('ended', since);
}

/** What lies where it must not, and what was acknowledged and lies elsewhere or nowhere. */
async function problemsOf(stream: JetStreamShard, owners: readonly Owner[]): Promise<string[]> {
  // What is acknowledged while the stream is read may lie behind what was read.
  const reports = owners.flatMap((owner) => owner.reports);
  const messages = await eventually(
    async () => stream.readBetween(0, await stream.lastSequence()).catch(() => undefined),
    'all that is stored',
  );
  const problems: string[] = [];
  const offsets = new Map<string, number>();
  let epoch = 0;
  let next = 0;
  for (const message of messages) {
    const facts = factsOf(message);
    if (facts.epoch < epoch)
      problems.push(`${message.sequence} is of epoch ${facts.epoch}, behind epoch ${epoch}`);
    epoch = Math.max(epoch, facts.epoch);
    if (facts.kind !== 'batch') continue;
    if (facts.baseOffset !== next) problems.push(`offset ${facts.baseOffset} where ${next} comes next`);
    next = facts.lastOffset + 1;
    offsets.set(Buffer.from(message.body).toString(), facts.baseOffset);
  }
  for (const report of reports) {
    if (report.kind !== 'acknowledged') continue;
    const { name, baseOffset } = report;
    if (offsets.get(name) !== baseOffset)
      problems.push(`${name} is at ${offsets.get(name)}, not ${baseOffset}`);
  }
  return problems;
}

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
