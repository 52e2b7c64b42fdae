import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Client, type ConnectOptions, connect } from '../../pkg/client/index.ts';
import { Faults, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { useLastingBrokers } from '../mqtt/lasting-broker.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

const APP = fileURLToPath(new URL('queue-app.ts', import.meta.url));
/** How often the app is killed; more by `make torture`. */
const CYCLES = rounds(6, 30);
const MESSAGES = 200;
const startLasting = useLastingBrokers();

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinymq-queue-'));
  file = join(folder, 'queue');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** An app with a queue in a file, in a process that can be killed. */
class App {
  readonly published: string[] = [];
  readonly answered = new Set<string>();
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #changed = () => {};

  constructor(url: string) {
    this.#child = spawn(process.execPath, [APP, url, file], { stdio: ['pipe', 'pipe', 'inherit'] });
    // It is killed while lines are on their way to it.
    this.#child.stdin!.on('error', () => {});
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    createInterface(this.#child.stdout!).on('line', (line) => this.#take(line));
  }

  publish(text: string): void {
    this.#child.stdin!.write(`${text}\n`);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#changed = resolve));
  }

  /** What it has said before counts. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #take(line: string): void {
    const [what, text = ''] = line.split(' ');
    if (what === 'published') this.published.push(text);
    if (what === 'answered') this.answered.add(text);
    this.#changed();
  }
}

/** All that the log has up to this text. */
async function kept(url: string, last: string): Promise<string[]> {
  const reader = await connect(url);
  const texts: string[] = [];
  for await (const message of await reader.subscribe('kept/#', undefined, { from: 'earliest' })) {
    texts.push(message.text());
    if (texts.at(-1) === last) break;
  }
  await reader.close();
  return texts;
}

it(
  'an app that is killed again and again, as is its broker, loses nothing that it published, and nothing comes twice',
  async () => {
    const restart = () => startLasting('broker', ['-log', 'kept/#', '-fsync', 'commit']);
    let broker: BrokerProcess = await restart();
    const published: string[] = [];
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const app = new App(broker.url);
      const publish = (from: number, to: number) => {
        for (let index = from; index < to; index++) app.publish(`${cycle}-${index}`);
      };
      const count = MESSAGES + 1 + ((cycle * 37) % MESSAGES);
      // In every third run there is no broker.
      if (cycle % 3 === 1) await broker.stop('SIGKILL');
      publish(0, MESSAGES);
      if (cycle % 3 !== 1) await app.until(() => app.answered.size === MESSAGES);
      // In the others the app or the broker is killed while messages and their answers are on the way.
      publish(MESSAGES, 2 * MESSAGES);
      await app.until(() => app.published.length >= count);
      if (cycle % 3 === 2) await broker.stop('SIGKILL');
      await app.kill();
      published.push(...app.published);
      if (cycle % 3 !== 0) broker = await restart();
    }
    const last = new App(broker.url);
    last.publish('end');
    await last.until(() => last.answered.has('end'));
    await last.kill();
    const texts = await kept(broker.url, 'end');
    expect(new Set(texts).size).toBe(texts.length);
    // The end of a run may have been published before it could say so.
    const told = new Set(published);
    expect(texts.filter((text) => told.has(text))).toEqual(published);
  },
  torturePatienceMs(240_000),
);

it('another process has the file until it ends, kill -9 included', async () => {
  const broker = await startLasting('another');
  const app = new App(broker.url);
  app.publish('1');
  await app.until(() => app.answered.has('1'));
  const options = { clientId: 'app', queue: { file } };
  await expect(connect(broker.url, options)).rejects.toMatchObject({ code: 'queue-in-use', file });
  await app.kill();
  const client = await connect(broker.url, options);
  await client.publish('kept/a', '2', { qos: 2 });
  await client.close();
});

describe('a queue in a file', () => {
  const FAST: ConnectOptions = { clientId: 'kitchen', reconnect: { minDelayMs: 1, maxDelayMs: 5 } };
  let broker: RunningBroker;
  let faults: Faults;
  const clients: Client[] = [];

  beforeEach(async () => {
    faults = new Faults();
    broker = await startBroker({ listen: ['tcp://localhost:0'], memory: true, faults, record: true });
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close().catch(() => {})));
    await broker.close();
  });

  async function open(options: ConnectOptions = {}): Promise<Client> {
    const client = new Client({ ...FAST, url: broker.url, queue: { file }, ...options });
    clients.push(client);
    return client.connect();
  }

  /** A client that publishes and finds no broker, and is closed. */
  async function publishAway(...texts: string[]): Promise<void> {
    faults.refuseClients(() => ({ code: 'too-many-clients', reason: 'full' }));
    const client = new Client({ ...FAST, url: broker.url, queue: { file }, connectRetry: true });
    client.connect().catch(() => {});
    const refused = texts.map((text) => client.publish('a', text, { qos: 1 }));
    await client.close();
    for (const each of refused) await expect(each).rejects.toMatchObject({ code: 'closed' });
    faults.clear();
  }

  const received = () => broker.received('a').map((message) => message.text());

  it('sends what an earlier client could not, ahead of what is new, and says how much that is', async () => {
    await publishAway('1', '2');
    const client = new Client({ ...FAST, url: broker.url, queue: { file } });
    clients.push(client);
    const connected = client.connect();
    expect(client.unacknowledged).toBe(2);
    await connected;
    await client.publish('a', '3', { qos: 1 });
    expect([received(), client.unacknowledged]).toEqual([['1', '2', '3'], 0]);
  });

  it('counts what it has kept towards its bounds', async () => {
    await publishAway('1', '2');
    faults.loseAcknowledgements({ client: 'kitchen' });
    const client = await open({ queue: { file, messages: 2 }, reconnect: { minDelayMs: 10_000 } });
    await expect(client.publish('a', '3', { qos: 1 })).rejects.toMatchObject({ code: 'queue-full' });
  });

  it('tells by an event what becomes of a message whose publisher is gone', async () => {
    await publishAway('1');
    await broker.close();
    const guard = { mayConnect: () => undefined, mayPublish: () => 'no', maySubscribe: () => undefined };
    broker = await startBroker({ listen: ['tcp://localhost:0'], memory: true, guard });
    const client = new Client({ ...FAST, url: broker.url, queue: { file } });
    clients.push(client);
    const told = new Promise((resolve) => client.on('error', resolve));
    await client.connect();
    expect(await told).toMatchObject({ code: 'not-authorized', topic: 'a' });
    expect(client.unacknowledged).toBe(0);
  });

  it('is refused to a second client, which may come when the first is closed', async () => {
    const first = await open();
    await expect(open()).rejects.toMatchObject({ code: 'queue-in-use', file });
    expect(clients.at(-1)!.state).toBe('closed');
    await first.close();
    await (await open()).publish('a', 'x', { qos: 2 });
  });

  it('has no secrets of the connection', async () => {
    const secrets = { user: 'user-secret', password: 'password-secret' };
    const will = { topic: 'gone', payload: 'will-secret' };
    const client = await open({ ...secrets, will });
    await client.publish('a', 'x', { qos: 2 });
    const refused = new Client({
      ...FAST,
      clientId: 'kitchen',
      token: 'token-secret',
      url: broker.url,
      queue: { file },
    });
    await expect(refused.connect()).rejects.toMatchObject({ code: 'queue-in-use' });
    for (const name of readdirSync(folder))
      expect(readFileSync(join(folder, name), 'latin1')).not.toContain('secret');
  });

  it('tells what it could not read after a client is connected', async () => {
    await publishAway('1', '2');
    const bytes = readFileSync(file);
    bytes[bytes.length - 5]! ^= 1;
    writeFileSync(file, bytes);
    const client = await open();
    const error = await new Promise((resolve) => client.on('error', resolve));
    expect(error).toMatchObject({ code: 'queue-damaged', file });
    await client.publish('a', '3', { qos: 1 });
    expect(received()).toEqual(['1', '3']);
  });

  it('needs a client id and a path', () => {
    const refused = (options: ConnectOptions) => expect(() => new Client(options));
    refused({ queue: { file } }).toThrow('a queue in a file needs a clientId');
    refused({ clientId: 'a', queue: { file: '' } }).toThrow("file is the path of a file, not ''");
  });

  it('is not offered to a page', async () => {
    const { Client: PageClient } = await import('../../pkg/client/browser.ts');
    expect(() => new PageClient({ url: 'ws://localhost:1', clientId: 'a', queue: { file } })).toThrow(
      'a page has no files',
    );
  });
});
