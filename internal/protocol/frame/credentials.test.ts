import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CredentialsError,
  type FrameCredentials,
  formatCredentials,
  parseCredentials,
} from './credentials.ts';

const parsed = (text: string) => parseCredentials(Buffer.from(text));

describe('credentials in CONNECT', () => {
  it('are written like this', () => {
    const password = Buffer.from('pa ss');
    expect(formatCredentials({ kind: 'password', user: 'fred', password })).toBe(
      'user=ZnJlZA== password=cGEgc3M=',
    );
    expect(formatCredentials({ kind: 'password', user: 'fred', password: undefined })).toBe('user=ZnJlZA==');
    expect(formatCredentials({ kind: 'token', token: 'a.b.c' })).toBe('token=YS5iLmM=');
  });

  it('are read as they were written, whatever is in them', () => {
    const user = fc.string({ unit: 'binary', maxLength: 200 });
    const password = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined });
    const shown: fc.Arbitrary<FrameCredentials> = fc.oneof(
      fc.record({ kind: fc.constant('password' as const), user, password }),
      fc.record({ kind: fc.constant('token' as const), token: user }),
    );
    fc.assert(
      fc.property(shown, (credentials) => {
        expect(parsed(`refusals credentials ${formatCredentials(credentials)} tomorrow`)).toEqual(
          credentials,
        );
      }),
    );
  });

  it.each(['', 'refusals positions credentials', 'credentials =YQ== users=YQ=='])(
    'are none in %j',
    (text) => {
      expect(parsed(text)).toBeUndefined();
    },
  );

  it.each([
    ['a password of nobody', 'password=YQ=='],
    ['two ways', 'user=YQ== token=YQ=='],
    ['two users', 'user=YQ== user=Yg=='],
    ['no base64', 'user=*** password=YQ=='],
    ['no UTF-8', 'user=/w=='],
  ])('are refused where they are %s', (_, text) => {
    expect(() => parsed(text)).toThrow(CredentialsError);
  });

  it('are refused by their writer where they would be too long', () => {
    expect(() => formatCredentials({ kind: 'token', token: 'x'.repeat(20_000) })).toThrow(CredentialsError);
  });
});
