import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { afterAll, describe, expect, it } from 'vitest';
import { peerOfTest } from '../../../../test/support/access.ts';
import { directoryOf } from '../../../../test/support/users.ts';
import { isRefusal } from '../../authenticator.ts';
import { userNameProblem } from '../user.ts';
import { UserAuthenticator } from '../user-authenticator.ts';
import { parseTokenKeys } from './token-keys.ts';
import { Tokens } from './tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-tokens-'));
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const keys = join(folder, 'key.pem');
writeFileSync(keys, publicKey.export({ type: 'spki', format: 'pem' }));
const tokens = await Tokens.open({ keys });
const users = new UserAuthenticator({ directory: directoryOf(), allowsAnonymous: false, tokens });
afterAll(() => {
  tokens.close();
  rmSync(folder, { recursive: true });
});

const END = Math.floor(Date.now() / 1000) + 3600;
const right = await new SignJWT({ sub: 'alice', exp: END })
  .setProtectedHeader({ alg: 'EdDSA' })
  .sign(privateKey);

async function find(token: string) {
  return users.authenticate(peerOfTest('c'), { kind: 'token', token });
}

describe('any token', () => {
  it('that is not the right one is refused, and no part of it is repeated', async () => {
    const json = fc.json().map((text) => Buffer.from(text).toString('base64url'));
    const made = fc
      .array(fc.oneof(json, fc.base64String(), fc.string()), { maxLength: 5 })
      .map((parts) => parts.join('.'));
    const changed = fc
      .tuple(fc.nat(right.length - 1), fc.constantFrom(...'Az09-_.=+ \0'))
      .map(([at, character]) => {
        return right.slice(0, at) + character + right.slice(at + 1);
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(made, changed, fc.string()), async (token) => {
        const found = await find(token);
        // The last character of a signature has bits that mean nothing.
        if (!isRefusal(found)) {
          expect(token.slice(0, -1)).toBe(right.slice(0, -1));
          return;
        }
        expect(found.reason).toBe('the user name, password or token is wrong');
        if (token.length > 20) expect(found.cause).not.toContain(token.slice(10, 30));
      }),
      { numRuns: 2_000 },
    );
  });

  it('with any claims names a user whose name is one, or is refused', async () => {
    const claims = fc.record(
      {
        sub: fc.oneof(fc.string({ unit: 'binary' }), fc.anything()),
        groups: fc.oneof(fc.array(fc.string()), fc.string(), fc.anything()),
        exp: fc.oneof(fc.constant(END), fc.integer(), fc.double({ noNaN: true }), fc.anything()),
        nbf: fc.oneof(fc.constant(undefined), fc.integer()),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(claims, async (value) => {
        let token: string;
        try {
          const payload = Buffer.from(JSON.stringify(value));
          const { CompactSign } = await import('jose');
          token = await new CompactSign(payload).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey);
        } catch {
          // It is no JSON.
          return;
        }
        const found = await find(token);
        if (isRefusal(found)) return;
        expect(userNameProblem(found.user!)).toBeUndefined();
        expect(found.expiresAtMs).toBeGreaterThan(Date.now() - 60_000);
        expect(Number.isFinite(found.expiresAtMs)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('any file of keys', () => {
  it('is read, or refused in words that repeat nothing of it', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((text) => `{"keys":[${text}]}`),
        ),
        (text) => {
          try {
            parseTokenKeys(text);
          } catch (error) {
            expect((error as Error).message).toMatch(/^(it|the id|a secret) /);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
