import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToNats, makeStream } from '../../internal/cluster/connection.ts';
import { JetStream } from '../../internal/cluster/jetstream.ts';
import { JetStreamShard } from '../../internal/cluster/jetstream-shard.ts';
import { factsOf } from '../../internal/cluster/messages.ts';
import { batchesOf } from '../../internal/cluster/packed-batches.ts';
import { patiently } from '../../internal/cluster/patience.ts';
import type { StoredMessage } from '../../internal/cluster/stream.ts';
import { eventually } from '../support/eventually.ts';
import { type NatsServers, natsServer, startNats } from '../support/nats-servers.ts';
import type { Order, OwnerOptions, Report } from '../support/shard-owner.ts';
import { rounds } from '../support/torture.ts';

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
const PATIENCE_MS = 120_000 + STOPS * 60_000;

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
    timeout: PATIENCE_MS,
  }, async () => {
    const { problems, acknowledged, stops } = await stoppedAgainAndAgain(nats, 'rounds', STOPS);
    if (STOP_MS > 500) console.info(`${stops} stops of ${STOP_MS} ms, ${acknowledged} batches acknowledged`);
    expect(problems).toEqual([]);
    expect(acknowledged).toBeGreaterThan(IN_FLIGHT);
  });

  it('would be found to do so if it sent ahead', { timeout: PATIENCE_MS }, async () => {
    const { problems } = await stoppedAgainAndAgain(nats, 'pipelined', 10);
    // What it wrote behind a marker, or the gap where one of its own was refused and those behind it were not.
    expect(problems).not.toEqual([]);
  });
});

async function stoppedAgainAndAgain(nats: NatsServers, kind: 'rounds' | 'pipelined', most: number) {
  const connection = await connectToNats({ urls: nats.urls, fsync: 'commit' });
  const jetStream = new JetStream(connection);
  const names = { stream: `${kind}-L0`, prefix: `${kind}.0.` };
  const wanted = { name: names.stream, subjects: [`${names.prefix}>`], isLastOnly: false };
  await patiently(() => makeStream(jetStream, wanted, 'commit'));
  const stored = new Stored(new JetStreamShard(jetStream, names.stream, names.prefix));
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
        problems = await stored.problems(owners);
        return problems.length > 0;
      }, 'an owner that writes, or what keeps it from that');
      if (problems.length > 0) break;
      await stopOnce(owner, other, since);
      problems = await stored.problems(owners);
      if (STOP_MS > 500) console.info(`stop ${stops + 1}: ${problems.length} problems`);
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

/** What is stored, read up to now: a long run stores much. */
class Stored {
  readonly #stream: JetStreamShard;
  readonly #problems: string[] = [];
  readonly #offsets = new Map<string, number>();
  #read = 0;
  #epoch = 0;
  #next = 0;

  constructor(stream: JetStreamShard) {
    this.#stream = stream;
  }

  /** What lies where it must not, and what was acknowledged and lies elsewhere or nowhere. */
  async problems(owners: readonly Owner[]): Promise<string[]> {
    // What is acknowledged while the stream is read may lie behind what was read.
    const reports = owners.flatMap((owner) => owner.reports);
    const messages = await eventually(
      async () =>
        this.#stream.readBetween(this.#read, await this.#stream.lastSequence()).catch(() => undefined),
      'all that is stored',
    );
    for (const message of messages) this.#take(message);
    const moved = reports.flatMap((report) => {
      if (report.kind !== 'acknowledged') return [];
      const there = this.#offsets.get(report.name);
      return there === report.baseOffset ? [] : [`${report.name} is at ${there}, not ${report.baseOffset}`];
    });
    return [...this.#problems, ...moved];
  }

  #take(message: StoredMessage): void {
    const facts = factsOf(message)!;
    this.#read = message.sequence;
    if (facts.epoch < this.#epoch)
      this.#problems.push(`${message.sequence} is of epoch ${facts.epoch}, behind epoch ${this.#epoch}`);
    this.#epoch = Math.max(this.#epoch, facts.epoch);
    if (facts.kind !== 'batch') return;
    if (facts.baseOffset !== this.#next)
      this.#problems.push(`offset ${facts.baseOffset} where ${this.#next} comes next`);
    this.#next = facts.lastOffset + 1;
    for (const { bytes, baseOffset } of batchesOf(facts, message.body))
      this.#offsets.set(Buffer.from(bytes).toString(), baseOffset);
  }
}

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
