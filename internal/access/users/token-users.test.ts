import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, describe, expect, it } from 'vitest';
import { peerOfTest } from '../../../test/support/access.ts';
import { accepted, say } from '../../../test/support/sasl.ts';
import { directoryOf, userWithout } from '../../../test/support/users.ts';
import { isRefusal } from '../authenticator.ts';
import { Tokens } from './tokens/tokens.ts';
import { UserAuthenticator } from './user-authenticator.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-tokens-'));
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const keys = join(folder, 'key.pem');
writeFileSync(keys, publicKey.export({ type: 'spki', format: 'pem' }));

const directory = directoryOf(
  userWithout('alice', { groups: ['a'] }),
  userWithout('gone', { isEnabled: false }),
);
const tokens = await Tokens.open({ keys });
const users = new UserAuthenticator({ directory, allowsAnonymous: false, tokens });
afterAll(() => {
  tokens.close();
  rmSync(folder, { recursive: true });
});

const END = Math.floor(Date.now() / 1000) + 3600;
const signed = (sub: string) =>
  new SignJWT({ sub, groups: ['a', 'b'], exp: END }).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey);

const peer = peerOfTest('c');

describe('a token', () => {
  it('lets in whom it names, in the groups that token and directory name, until it ends', async () => {
    const token = await signed('alice');
    const found = { user: 'alice', groups: ['a', 'b'], expiresAtMs: END * 1000 };
    expect(await users.authenticate(peer, { kind: 'token', token })).toMatchObject(found);
    // The directory need not know the user.
    const other = await users.authenticate(peer, { kind: 'token', token: await signed('bob') });
    expect(other).toMatchObject({ user: 'bob' });
  });

  it('may stand where a protocol has a password, beside no user name or that of the token', async () => {
    const password = Buffer.from(await signed('alice'));
    for (const [user, isIn] of [
      ['', true],
      ['alice', true],
      ['bob', false],
    ] as const) {
      const found = await users.authenticate(peer, { kind: 'password', user, password });
      expect(isRefusal(found)).toBe(!isIn);
    }
  });

  it('is shown by OAUTHBEARER', async () => {
    const exchange = users.beginExchange(peer, 'OAUTHBEARER');
    if (isRefusal(exchange)) throw new Error(exchange.reason);
    const end = await say(exchange, `n,a=alice,\x01auth=Bearer ${await signed('alice')}\x01\x01`);
    expect(accepted(end).user).toBe('alice');
  });

  it('of a disabled user is refused, in the words of every refusal', async () => {
    const found = await users.authenticate(peer, { kind: 'token', token: await signed('gone') });
    expect(found).toMatchObject({ reason: 'the user name, password or token is wrong' });
    expect(await users.authenticate(peer, { kind: 'token', token: 'abc' })).toMatchObject({
      reason: 'the user name, password or token is wrong',
    });
  });
});
