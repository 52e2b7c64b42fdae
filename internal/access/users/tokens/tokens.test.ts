import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JWTPayload, SignJWT } from 'jose';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { MovableClock } from '../../../lib/clock.ts';
import { accessFilesWatchMs, keySetCooldownMs, keySetMaxAgeMs } from '../../../limits/access.ts';
import { parsePublishedKeys, parseTokenKeys } from './token-keys.ts';
import { type TokenOptions, Tokens } from './tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-tokens-'));
afterAll(() => rmSync(folder, { recursive: true }));

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const secret = Buffer.alloc(32, 7);

const IN_AN_HOUR = Math.floor(Date.now() / 1000) + 3600;

function sign(
  claims: JWTPayload = {},
  {
    alg = 'RS256',
    kid = undefined as string | undefined,
    key = rsa.privateKey as KeyObject | Uint8Array,
  } = {},
): Promise<string> {
  const all = { sub: 'alice', exp: IN_AN_HOUR, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg, kid }).sign(key);
}

const opened: Tokens[] = [];
afterEach(() => {
  for (const tokens of opened.splice(0)) tokens.close();
});

async function open(keys: string, more: Partial<TokenOptions> = {}, clock?: MovableClock): Promise<Tokens> {
  const tokens = await Tokens.open({ keys, ...more }, undefined, clock);
  opened.push(tokens);
  return tokens;
}

function file(name: string, content: string | object): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
const jwk = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: 'jwk' }), ...more });

const rsaFile = file('rsa.pem', pem(rsa.publicKey));

describe('tokens', () => {
  it.each([
    ['RS256', rsa],
    ['PS512', rsa],
    ['ES256', ec],
    ['EdDSA', ed],
  ])('signed with %s name a user, groups and an end', async (alg, { publicKey, privateKey }) => {
    const tokens = await open(file(`${alg}.pem`, pem(publicKey)));
    const token = await sign({ groups: ['a', 'b'] }, { alg, key: privateKey });
    expect(await tokens.check(token)).toEqual({
      user: 'alice',
      groups: ['a', 'b'],
      expiresAtMs: IN_AN_HOUR * 1000,
    });
  });

  it('are checked with each of several keys, whether those have an id or not', async () => {
    const tokens = await open(
      file('set.json', {
        keys: [jwk(otherRsa.publicKey), jwk(rsa.publicKey), jwk(ec.publicKey, { kid: 'e' })],
      }),
    );
    await tokens.check(await sign());
    await tokens.check(await sign({}, { kid: 'unknown' }));
    await tokens.check(await sign({}, { kid: 'e', alg: 'ES256', key: ec.privateKey }));
    await expect(
      tokens.check(await sign({}, { kid: 'f', alg: 'ES256', key: ec.privateKey })),
    ).rejects.toThrow();
  });

  it('are refused if another key signed them, or nobody', async () => {
    const tokens = await open(rsaFile);
    const token = await sign();
    const [header, claims, signature] = token.split('.');
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const byRsaAsSecret = createHmac('sha256', pem(rsa.publicKey));
    const confused = `${part({ alg: 'HS256' })}.${claims}`;
    const forged = [
      await sign({}, { key: otherRsa.privateKey }),
      `${part({ alg: 'none' })}.${claims}.`,
      `${part({ alg: 'None' })}.${claims}.${signature}`,
      `${confused}.${byRsaAsSecret.update(confused).digest('base64url')}`,
      `${header}.${part({ sub: 'root', exp: IN_AN_HOUR })}.${signature}`,
      `${header}.${claims}.`,
      `${header}.${claims}`,
      `${part({ alg: 'RS256', crit: ['x'], x: 1 })}.${claims}.${signature}`,
      `${part({ alg: 'RS256', jwk: jwk(otherRsa.publicKey) })}.${claims}.${signature}`,
      '',
      '...',
      'x'.repeat(100_000),
    ];
    for (const bad of forged) await expect(tokens.check(bad)).rejects.toThrow();
    await tokens.check(token);
  });

  it('with a secret are served only where that was asked for', async () => {
    const key = file('secret.json', { kty: 'oct', k: secret.toString('base64url') });
    const token = await sign({}, { alg: 'HS256', key: secret });
    await expect((await open(key)).check(token)).rejects.toThrow('alg');
    expect((await (await open(key, { algorithms: ['HS256'] })).check(token)).user).toBe('alice');
  });

  it('with a secret are never checked with a public key', async () => {
    const tokens = await open(rsaFile, { algorithms: ['HS256', 'RS256'] });
    const token = await sign({}, { alg: 'HS256', key: Buffer.from(pem(rsa.publicKey)) });
    await expect(tokens.check(token)).rejects.toThrow('no applicable key');
    await tokens.check(await sign());
  });

  it.each([
    ['an issuer', { iss: 'b' }],
    ['no issuer', { iss: undefined }],
    ['an audience', { aud: 'other' }],
    ['no end', { exp: undefined }],
    ['an end that was', { exp: IN_AN_HOUR - 2 * 3600 }],
    ['a beginning to come', { nbf: IN_AN_HOUR }],
    ['no user', { sub: undefined }],
    ['a user that is no name', { sub: 'a\nb' }],
    ['a user that rules mean otherwise', { sub: 'anonymous' }],
    ['a user that is a number', { sub: 7 as unknown as string }],
    ['groups that are none', { groups: { a: 1 } }],
    ['a group that is none', { groups: ['a', 1] }],
    ['very many groups', { groups: Array(1_001).fill('a') }],
  ])('with %s are refused', async (_, claims) => {
    const tokens = await open(rsaFile, { issuer: 'a', audience: ['tinymq'] });
    const right = { iss: 'a', aud: ['x', 'tinymq'] };
    await tokens.check(await sign(right));
    const problem = await tokens.check(await sign({ ...right, ...claims })).catch(String);
    expect(problem).toMatch(/^\w*(Error|Expired|Failed|Invalid)/);
    expect(problem).not.toContain('\n');
  });

  it('may differ from our clock by a little', async () => {
    const tokens = await open(rsaFile, { clockToleranceMs: 60_000 });
    const now = Math.floor(Date.now() / 1000);
    await tokens.check(await sign({ exp: now - 50, nbf: now + 50 }));
    await expect(tokens.check(await sign({ exp: now - 70 }))).rejects.toThrow();
  });

  it('name user and groups in the claims that are asked for', async () => {
    const tokens = await open(rsaFile, {
      userClaim: 'preferred_username',
      groupsClaim: 'realm_access.roles',
    });
    const claims = { preferred_username: 'bob', realm_access: { roles: ['r'] } };
    expect(await tokens.check(await sign(claims))).toMatchObject({ user: 'bob', groups: ['r'] });
    const url = await open(rsaFile, { groupsClaim: 'https://example.com/groups' });
    expect((await url.check(await sign({ 'https://example.com/groups': 'a  b' }))).groups).toEqual([
      'a',
      'b',
    ]);
    const proto = await open(rsaFile, { userClaim: '__proto__.constructor.name' });
    await expect(proto.check(await sign())).rejects.toThrow('no text');
  });
});

describe('files of keys', () => {
  it('are read again when they change, and go on as they were where they are broken', async () => {
    const path = file('changing.pem', pem(rsa.publicKey));
    const clock = new MovableClock();
    let told: (error: Error | undefined) => void = () => {};
    const opened = await Tokens.open({ keys: path }, (error) => told(error), clock);
    const look = async () => {
      const outcome = new Promise<Error | undefined>((resolve) => {
        told = resolve;
      });
      await clock.advance(accessFilesWatchMs);
      return await outcome;
    };
    writeFileSync(path, '');
    expect((await look())?.message).toContain('neither PEM nor JSON');
    await opened.check(await sign());
    writeFileSync(path, pem(otherRsa.publicKey));
    expect(await look()).toBeUndefined();
    await expect(opened.check(await sign())).rejects.toThrow();
    await opened.check(await sign({}, { key: otherRsa.privateKey }));
    opened.close();
  });

  it.each([
    ['nothing', '', 'neither PEM nor JSON'],
    ['no keys', '{"keys":[]}', 'no key'],
    ['no key', '{}', 'no JWK'],
    ['a list', '[]', 'no JWK'],
    ['a private key', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 'private key'],
    ['a private JWK', JSON.stringify(jwk(rsa.privateKey)), 'private key'],
    ['a short secret', '{"kty":"oct","k":"c2VjcmV0"}', 'shorter than'],
    ['half a PEM', '-----BEGIN PUBLIC KEY-----\nAAAA', 'no key'],
    ['a broken PEM', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'no public key'],
    ['very many keys', JSON.stringify({ keys: Array(101).fill(jwk(ec.publicKey)) }), 'more than'],
  ])('that hold %s are refused, and nothing of them is repeated', (_, text, problem) => {
    expect(() => parseTokenKeys(text)).toThrow(problem);
    expect(() => parseTokenKeys(text)).not.toThrow('c2VjcmV0');
  });

  it('name the option that does not work', async () => {
    await expect(Tokens.open({ keys: join(folder, 'none') })).rejects.toThrow('no such file');
    await expect(Tokens.open({ keys: rsaFile, algorithms: ['none'] })).rejects.toThrow(
      "'none' is no algorithm",
    );
    await expect(Tokens.open({ keys: 'https://example.com/' })).rejects.toThrow('issuer and audience');
    const named = { issuer: 'a', audience: ['b'] };
    await expect(Tokens.open({ keys: 'http://example.com/', ...named })).rejects.toThrow('by https');
  });
});

describe('keys at a URL', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  /** A provider; `state.answer` is what it says. */
  async function provider() {
    const state = { answer: '' as string | undefined, asked: 0, url: '' };
    const server = createServer((_, response) => {
      state.asked++;
      if (state.answer === undefined) response.writeHead(503).end();
      else response.end(state.answer);
    }).listen(0, '127.0.0.1');
    servers.push(server);
    await new Promise((resolve) => server.on('listening', resolve));
    state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    return state;
  }

  const set = (...keys: object[]) => JSON.stringify({ keys });
  const named = { issuer: 'a', audience: ['b'] };
  const token = (kid: string, key: KeyObject) => sign({ iss: 'a', aud: 'b' }, { kid, key });

  it('are fetched once, and again for a key that is not known, but not again and again', async () => {
    const state = await provider();
    state.answer = set(jwk(rsa.publicKey, { kid: '1' }));
    const clock = new MovableClock();
    const tokens = await open(state.url, named, clock);
    // What was asked before the answer was there waits for it.
    await Promise.all([
      tokens.check(await token('1', rsa.privateKey)),
      tokens.check(await token('1', rsa.privateKey)),
    ]);
    expect(state.asked).toBe(1);
    state.answer = set(jwk(otherRsa.publicKey, { kid: '2' }));
    const newer = await token('2', otherRsa.privateKey);
    await expect(tokens.check(newer)).rejects.toThrow();
    expect(state.asked).toBe(1);
    await clock.advance(keySetCooldownMs);
    await Promise.all([tokens.check(newer), tokens.check(newer)]);
    expect(state.asked).toBe(2);
    await expect(tokens.check(await token('1', rsa.privateKey))).rejects.toThrow();
  });

  it.each([
    undefined,
    '',
    '{"keys":[]}',
    set({ kty: 'oct', k: secret.toString('base64url') }),
    ' '.repeat(2_000_000),
  ])('hold while the provider answers with nothing useful (%#)', async (answer) => {
    const state = await provider();
    state.answer = set(jwk(rsa.publicKey, { kid: '1' }));
    const clock = new MovableClock();
    const tokens = await open(state.url, named, clock);
    const known = await token('1', rsa.privateKey);
    await tokens.check(known);
    state.answer = answer;
    await clock.advance(keySetMaxAgeMs + 1);
    await tokens.check(known);
    await expect(tokens.check(await token('3', rsa.privateKey))).rejects.toThrow();
    expect(state.asked).toBe(2);
    await tokens.check(known);
  });

  it('never are secrets', () => {
    expect(() => parsePublishedKeys(set({ kty: 'oct', k: secret.toString('base64url') }))).toThrow(
      'no public key',
    );
  });
});
