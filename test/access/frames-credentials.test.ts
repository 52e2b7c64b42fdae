import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Authenticator, Credentials } from '../../internal/access/authenticator.ts';
import { identityOf } from '../../internal/access/identity.ts';
import { FrameDecoder } from '../../internal/protocol/frame/decoder.ts';
import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { type Client, type ConnectOptions, connect, RefusedError } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { openStream } from '../support/raw-client.ts';

const PASSWORD = 'sesame-8d1f';

let broker: RunningBroker | undefined;
let clients: Client[] = [];
let lines: string[] = [];
/** What the broker's passwords and tokens are; a test may change them. */
let valid: { password: string; token: string };
const shown: Credentials[] = [];

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await broker?.close();
  clients = [];
  lines = [];
  shown.length = 0;
});

/** As slow as a hash of a password. */
const authenticator: Authenticator = {
  async authenticate(peer, credentials) {
    shown.push(credentials);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const { kind } = credentials;
    const isPassword =
      kind === 'password' && Buffer.from(credentials.password ?? []).toString() === valid.password;
    const isToken = kind === 'token' && credentials.token === valid.token;
    if (!isPassword && !isToken) return { reason: 'wrong user name or password' };
    return identityOf(peer, { user: kind === 'password' ? credentials.user : 'of the token' });
  },
};

async function started(options: Parameters<typeof startBroker>[0] = {}): Promise<string> {
  valid = { password: PASSWORD, token: 'first-token' };
  const note = (fields: object, message: string) => void lines.push(`${JSON.stringify(fields)} ${message}`);
  const logger = { debug: note, info: note, warn: note, error: note };
  broker = await startBroker({
    listen: ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0'],
    authenticator,
    logger,
    ...options,
  });
  return broker.url;
}

async function connected(url: string, options: ConnectOptions): Promise<Client> {
  const client = await connect(url, options);
  clients.push(client);
  return client;
}

/** What comes back until the broker closes. */
async function answers(url: string, bytes: Uint8Array): Promise<string[]> {
  const stream = await openStream(url);
  stream.write(bytes);
  const decoder = new FrameDecoder(1_000_000);
  const found: string[] = [];
  for await (const chunk of stream) {
    for (const { type, payload } of decoder.frames(chunk)) found.push(`${type} ${Buffer.from(payload)}`);
    if (found.some((each) => each.startsWith(`${FrameType.pong} `))) break;
  }
  stream.destroy();
  return found;
}

const connectWith = (offer: string) => encodeFrame(FrameType.connect, '', offer, 'c');
const ping = encodeFrame(FrameType.ping, '', '', 'c');
const fredsOffer = `credentials user=${btoa('fred')} password=${btoa(PASSWORD)}`;

describe('a CONNECT with credentials', () => {
  it('is answered when they were checked, and what came behind it is taken then', async () => {
    const url = await started();
    const all = Buffer.concat([connectWith(fredsOffer), ping]);
    expect(await answers(url, all)).toEqual(['1 credentials', '8 ']);
    // Cut anywhere.
    const stream = await openStream(url);
    stream.resume();
    for (const byte of all) stream.write(Uint8Array.of(byte));
    await expect.poll(() => shown.length).toBe(2);
    expect(shown[1]).toEqual(shown[0]);
    stream.destroy();
  });

  it.each([
    ['none', ''],
    ['a wrong password', `credentials user=${btoa('fred')} password=${btoa('guess')}`],
    ['no password', `credentials user=${btoa('fred')}`],
    ['a wrong token', `credentials token=${btoa('guess')}`],
    ['words that have no meaning', 'credentials user=*'],
    ['credentials that are not offered as such', fredsOffer.replace('credentials ', '')],
  ])('or with %s is refused, and nothing behind it is done', async (_, offer) => {
    const url = await started();
    const publish = encodeFrame(FrameType.publish, 'a', 'x', 'c');
    const [only, ...more] = await answers(url, Buffer.concat([connectWith(offer), publish, ping]));
    expect(only).toMatch(/^9 bad-credentials: /);
    expect(more).toEqual([]);
    expect(broker!.stats().messages_received_total).toBe(0);
  });

  it('may have no more bytes than a token needs, before anything of it is kept', async () => {
    const url = await started();
    const head = Buffer.from('000000' + '00100000', 'hex');
    const [only] = await answers(url, head);
    expect(only).toMatch(/^9 message-too-large: /);
  });

  it('is let in by a broker that asks for nothing', async () => {
    broker = await startBroker({ listen: ['tcp://127.0.0.1:0'] });
    expect(await answers(broker.url, Buffer.concat([connectWith(fredsOffer), ping]))).toEqual([
      '1 credentials',
      '8 ',
    ]);
  });
});

describe('the SDK', () => {
  it.each(['tcp', 'ws'])('shows user and password, or a token, over %s', async (scheme) => {
    await started();
    const { url } = broker!.listeners.find((each) => each.url.startsWith(scheme))!;
    await connected(url, { user: 'fred', password: PASSWORD });
    await connected(url, { token: 'first-token' });
    expect(shown).toEqual([
      { kind: 'password', user: 'fred', password: Uint8Array.from(Buffer.from(PASSWORD)) },
      { kind: 'token', token: 'first-token' },
    ]);
  });

  it('is told what is wrong, with nothing secret in it', async () => {
    const url = await started();
    const failure: RefusedError = await connect(url, {
      user: 'fred',
      password: 'guess-17',
      connectRetry: true,
    }).catch((error) => error);
    expect(failure).toBeInstanceOf(RefusedError);
    expect([failure.code, failure.message]).toEqual([
      'bad-credentials',
      expect.not.stringContaining('guess-17'),
    ]);
    expect(lines.join('\n')).not.toMatch(/guess-17|Z3Vlc3MtMTc/);
  });

  it('asks a function for a fresh secret at each connect, and gives up where that is refused', async () => {
    const relay = await openRelay(await started());
    let calls = 0;
    const client = await connected(relay.url, {
      token: async () => (++calls === 1 ? 'first-token' : 'second-token'),
      reconnect: { minDelayMs: 1, maxDelayMs: 5 },
    });
    valid.token = 'second-token';
    const reconnected = new Promise<void>((resolve) => client.on('connect', () => resolve()));
    relay.cut();
    await reconnected;
    expect(calls).toBe(2);

    valid.token = 'third-token';
    const ended = new Promise<Error | undefined>((resolve) => client.on('close', resolve));
    relay.cut();
    expect(await ended).toMatchObject({ code: 'bad-credentials' });
    expect(calls).toBe(3);
    relay.close();
  });

  it('does not connect where there is no secret to show', async () => {
    const url = await started();
    const token = () => Promise.reject(new Error('the provider is down'));
    await expect(connect(url, { token })).rejects.toThrow(
      'there are no credentials to show: the provider is down',
    );
    await expect(
      connect(url, { token: () => new Promise(() => {}), connectTimeoutMs: 50 }),
    ).rejects.toMatchObject({
      code: 'timeout',
    });
    expect(shown).toEqual([]);
  });

  it.each<[string, ConnectOptions]>([
    ['token comes in place of', { user: 'a', token: 'b' }],
    ['password needs user', { password: 'a' }],
    ['user is text', { user: 1 as unknown as string }],
    ['password is text, or a function', { user: 'a', password: 1 as unknown as string }],
  ])('says that %s', (problem, options) => {
    expect(() => connect('tcp://127.0.0.1:1', options)).toThrow(problem);
  });
});

/** Between a client and the broker, so that their connection can break off. */
async function openRelay(url: string): Promise<{ url: string; cut(): void; close(): void }> {
  const sockets: Socket[] = [];
  const { hostname, port } = new URL(url);
  const server = createServer((socket) => {
    const onwards = connectTcp(Number(port), hostname);
    sockets.push(socket, onwards);
    for (const each of [socket, onwards]) each.on('error', () => {});
    socket.pipe(onwards).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets.splice(0)) socket.destroy();
  };
  const relayed = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: relayed, cut, close: () => server.close() };
}
