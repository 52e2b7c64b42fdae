/**
 * Live messages during a storm of logins: `node bench/logins.ts [-seconds N] [-rounds N] [-rate N]`. It prints how long a
 * message takes to come back while nothing else happens, and while so many clients a second connect with a password: all as
 * one user, as another user each time, and as users who are not there. The four take turns, round by round, so that a machine
 * that has other work too has it in all of them; and the turns of the broker's event loop tell its own work from that.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makePassword } from '../internal/access/users/passwords.ts';
import { encodePacket } from '../internal/protocol/mqtt/encode.ts';
import { type Packet, PacketType } from '../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../internal/protocol/mqtt/properties.ts';
import { cpuSeconds } from './processes.ts';
import type { Turns } from './turns.ts';

const VERSION = 5;
const USERS = 20_000;
const PASSWORD = 'wonder land';
const PUBLISH_EVERY_MS = 5;
/** Users who log in: the same one, one after the other, or some who are not there. */
const STORMS = ['one user', 'new users', 'unknown users'] as const;
type Storm = (typeof STORMS)[number];
const QUIET = 'no logins';
const KINDS = [QUIET, ...STORMS] as const;

/** What a storm came to, by the reason code of CONNACK. */
type Outcome = Record<string, number>;

async function main(): Promise<void> {
  const flag = (name: string, otherwise: number) => {
    const at = process.argv.indexOf(name);
    return at === -1 ? otherwise : Number(process.argv[at + 1]);
  };
  const [seconds, rounds, rate] = [flag('-seconds', 5), flag('-rounds', 3), flag('-rate', 1_000)];
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-logins-'));
  const { broker, port } = await startBroker(folder);
  try {
    const live = await LiveClient.open(port);
    const measured = new Map(KINDS.map((kind) => [kind, newMeasured()]));
    for (let round = 0; round < rounds; round++) {
      for (const kind of KINDS) {
        const stormed = kind === QUIET ? {} : (await startStorm(kind, port, rate, seconds)).outcome;
        await turnsOf(broker);
        const cpuBefore = cpuSeconds(broker.pid!);
        const latencies = await live.latencies(seconds * 1000);
        const turns = await turnsOf(broker);
        const cores = (cpuSeconds(broker.pid!) - cpuBefore) / seconds / rounds;
        add(measured.get(kind)!, { latencies, ...turns, outcome: await stormed, cores });
      }
    }
    live.close();
    const quiet = measured.get(QUIET)!;
    for (const [kind, each] of measured) report(kind, each, quiet);
  } finally {
    broker.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the rounds of one kind came to; times in milliseconds. */
interface Measured extends Turns {
  latencies: number[];
  outcome: Outcome;
  cores: number;
}

function newMeasured(): Measured {
  return { latencies: [], wall: [], own: [], outcome: {}, cores: 0 };
}

function add(sum: Measured, { outcome, cores, ...times }: Measured): void {
  for (const name of ['latencies', 'wall', 'own'] as const) sum[name] = sum[name].concat(times[name]);
  for (const [code, count] of Object.entries(outcome)) sum.outcome[code] = (sum.outcome[code] ?? 0) + count;
  sum.cores += cores;
}

function report(what: string, { latencies, wall, own, outcome, cores }: Measured, quiet: Measured): void {
  const times = partAt(latencies, 0.99) / partAt(quiet.latencies, 0.99);
  const live = `${shown(latencies, 0.5, 0.99, 1)}, ${times.toFixed(1)} times the quiet p99`;
  const long = own.filter((ms) => ms > LONG_TURN_MS).length;
  const turns = `turns ${shown(wall, 0.99, 1)}, of that the broker's own ${shown(own, 0.99, 1)}`;
  const logins = Object.entries(outcome).map(([code, count]) => `${count} ${code}`);
  const machine = `broker ${cores.toFixed(2)} cores, load ${loadavg()[0]!.toFixed(1)}`;
  const parts = [
    `live ${live}`,
    turns,
    `${long} turns of its own above ${LONG_TURN_MS} ms`,
    ...logins,
    machine,
  ];
  console.log(`${what}: ${parts.join('; ')}`);
}

/** A turn that is longer than this is felt by everybody. */
const LONG_TURN_MS = 20;

function shown(times: number[], ...parts: number[]): string {
  const names = parts.map((part) => (part === 1 ? 'max' : `p${part * 100}`));
  return parts
    .map((part, index) => `${names[index]} ${partAt(times, part).toFixed(1)}`)
    .join(' / ')
    .concat(' ms');
}

function partAt(times: number[], part: number): number {
  const sorted = times.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

/** The turns of the broker's event loop since this was asked last. */
async function turnsOf(broker: ChildProcess): Promise<Turns> {
  const answer = once(broker, 'message');
  broker.send('turns');
  return (await answer)[0] as Turns;
}

/** All users have the same password, so that it is hashed once here; the broker has to hash it for each of them. */
async function startBroker(folder: string): Promise<{ broker: ChildProcess; port: number }> {
  const { password } = await makePassword(PASSWORD);
  const users = Object.fromEntries(Array.from({ length: USERS }, (_, index) => [`u${index}`, { password }]));
  const rules = [{ allow: ['publish', 'subscribe'], users: '*', topics: '#' }];
  writeFileSync(join(folder, 'users.json'), JSON.stringify({ users, rules }));
  const main = fileURLToPath(new URL('../cmd/broker/main.ts', import.meta.url));
  const flags = [
    '-address',
    '127.0.0.1:0',
    '-users',
    join(folder, 'users.json'),
    '-data-dir',
    folder,
    '-json',
  ];
  const args = ['--import', new URL('turns.ts', import.meta.url).href, main, ...flags];
  const broker = spawn(process.execPath, args, {
    // Its log costs what it costs, and goes nowhere.
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
  });
  const [line] = (await once(broker.stdout!, 'data')) as [Buffer];
  const port = Number(/:(\d+)"/.exec(line.toString())![1]);
  return { broker, port };
}

/** Begins once the other process has read its code. */
async function startStorm(
  kind: Storm,
  port: number,
  rate: number,
  seconds: number,
): Promise<{ outcome: Promise<Outcome> }> {
  const args = ['storm', kind, String(port), String(rate), String(seconds)];
  const child = fork(fileURLToPath(import.meta.url), args);
  await once(child, 'message');
  child.send('go');
  return { outcome: once(child, 'message').then(([outcome]) => outcome as Outcome) };
}

/** The other process: opens connections by the clock, whatever became of those before. */
async function storm(kind: Storm, port: number, rate: number, seconds: number): Promise<void> {
  const outcome: Outcome = {};
  const count = (what: string) => {
    outcome[what] = (outcome[what] ?? 0) + 1;
  };
  process.send!('ready');
  await once(process, 'message');
  const logins: Promise<void>[] = [];
  const beganAt = performance.now();
  for (let made = 0; made < rate * seconds; ) {
    const due = ((performance.now() - beganAt) / 1000) * rate;
    for (; made < Math.min(due, rate * seconds); made++)
      logins.push(login(port, userOf(kind, made)).then(count));
    await sleep(5);
  }
  await Promise.race([Promise.all(logins), sleep(15_000)]);
  process.send!(outcome, () => process.exit());
}

function userOf(kind: Storm, index: number): string {
  if (kind === 'one user') return 'u0';
  return kind === 'new users' ? `u${index % USERS}` : `nobody${index}`;
}

async function login(port: number, user: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(connectPacket(user));
  const code = await new Promise<number | undefined>((resolve) => {
    socket.once('data', (bytes: Buffer) => resolve(bytes[3]));
    socket.once('close', () => resolve(undefined));
  });
  socket.destroy();
  return code === undefined ? 'closed' : (ANSWERS[code] ?? `code ${code}`);
}

const ANSWERS: Record<number, string> = { 0: 'let in', 134: 'refused', 137: 'told to try again' };

function connectPacket(userName: string): Uint8Array {
  const clientId = `${userName}-${Math.random()}`;
  const common = { version: VERSION, cleanStart: true, keepAliveS: 0, properties: NO_PROPERTIES } as const;
  const credentials = { userName, password: Buffer.from(PASSWORD) };
  return encodePacket({ type: PacketType.connect, clientId, ...common, ...credentials }, VERSION);
}

/** A client that publishes to itself. */
class LiveClient {
  readonly #socket: Socket;
  #receive: (payload: Uint8Array) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(port: number): Promise<LiveClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const client = new LiveClient(socket);
    socket.write(connectPacket('u1'));
    await once(socket, 'data');
    client.#send({
      type: PacketType.subscribe,
      packetId: 1,
      subscriptions: [
        { filter: 'live', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
      properties: NO_PROPERTIES,
    });
    await once(socket, 'data');
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      // A message is 17 bytes: its header, the topic, no properties and a number of eight bytes.
      for (; rest.length >= 17; rest = rest.subarray(17)) client.#receive(rest.subarray(9, 17));
    });
    return client;
  }

  /** How long each message took, in milliseconds. */
  async latencies(forMs: number): Promise<number[]> {
    const found: number[] = [];
    this.#receive = (payload) => found.push(performance.now() - Buffer.from(payload).readDoubleBE());
    const endMs = performance.now() + forMs;
    while (performance.now() < endMs) {
      const payload = Buffer.alloc(8);
      payload.writeDoubleBE(performance.now());
      const plain = { qos: 0, retain: false, dup: false, packetId: 0 } as const;
      this.#send({ type: PacketType.publish, topic: 'live', payload, ...plain, properties: NO_PROPERTIES });
      await sleep(PUBLISH_EVERY_MS);
    }
    await sleep(200);
    return found;
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(packet: Packet): void {
    this.#socket.write(encodePacket(packet, VERSION));
  }
}

if (process.argv[2] === 'storm')
  await storm(
    process.argv[3] as Storm,
    Number(process.argv[4]),
    Number(process.argv[5]),
    Number(process.argv[6]),
  );
else await main();
