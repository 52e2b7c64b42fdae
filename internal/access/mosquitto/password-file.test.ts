import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { peerOfTest } from '../../../test/support/access.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { directoryOf, userWithout } from '../../../test/support/users.ts';
import { isRefusal } from '../authenticator.ts';
import { UserAuthenticator } from '../users/user-authenticator.ts';
import { parsePasswordFile } from './password-file.ts';

/** As mosquitto_passwd of 1.6, 2.0 and 2.1 writes them, for the password `wonder land`. */
const HASHES = {
  sha512:
    '$6$F2AzuYH1MB560Jc3$kCuXF7FhCYON/CYXGFFcEKLL4mMymqV/v8Wk/uND3jSehLDvnkcOtp2/Q9q7eeDppBHf0Kc8hFI/ldRhwskXpg==',
  pbkdf2:
    '$7$101$r8q83xZH7DYJ4GWI$Dwr0w3eh/vI/rKbzlEKqv+C/KmbWwK2fHj6XwncE8sJb0e4ffCOPcd/4DG98NkC6CQ8PuFN8SAscyv/XJ+Ndbg==',
  argon2id:
    '$argon2id$v=19$m=47104,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$ZmQnvbOw68M7mCaeLe7YahdfbAaNTYT+fcgdm7ZGZsd5xkogh3efBd0cGYZVYp7aaGCwDgF5/AfPuBgtHN4uFw',
  argon2idOfOtherCost:
    '$argon2id$v=19$m=64,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$u74LUvFExI7HNAMxuNbXVqZBp8H2pGdkt+xa+HoEpNk',
};

const folder = mkdtempSync(join(tmpdir(), 'tinymq-mosquitto-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the broker makes of the users of a file. */
function importedFrom(text: string) {
  const { users, problems } = parsePasswordFile(text);
  const directory = directoryOf(...users.map(({ name, password }) => userWithout(name, { password })));
  const authenticator = new UserAuthenticator({ directory, allowsAnonymous: false });
  const login = async (user: string, password: string | Uint8Array) => {
    const credentials = { kind: 'password', user, password: Buffer.from(password) } as const;
    return !isRefusal(await authenticator.authenticate(peerOfTest('c'), credentials));
  };
  return { directory, problems, login };
}

describe('a password file of mosquitto', () => {
  it.each(Object.entries(HASHES))('lets its users in with their old password: %s', async (_, hash) => {
    const { login, problems } = importedFrom(`alice:${hash}\n`);
    expect(problems).toEqual([]);
    expect(await login('alice', 'wonder land')).toBe(true);
    expect(await login('alice', 'wonderland')).toBe(false);
    expect(await login('alice', '')).toBe(false);
  });

  it('gives them keys for SCRAM with their first login', async () => {
    const { login, directory } = importedFrom(`alice:${HASHES.pbkdf2}`);
    const alice = () => directory.current.users.get('alice')!;
    expect(await login('alice', 'wrong')).toBe(false);
    expect(alice().scram).toEqual({});
    await Promise.all([login('alice', 'wonder land'), login('alice', 'wonder land')]);
    await eventually(() => alice().password?.startsWith('scrypt$'), 'a hash of ours');
    expect(Object.keys(alice().scram)).toEqual(['SCRAM-SHA-256', 'SCRAM-SHA-512']);
    expect(await login('alice', 'wonder land')).toBe(true);
    expect(await login('alice', 'wrong')).toBe(false);
  });

  it('keeps a password that was changed during that login', async () => {
    const { login, directory } = importedFrom(`alice:${HASHES.pbkdf2}`);
    await login('alice', 'wonder land');
    directory.change(userWithout('alice', { password: HASHES.sha512 }));
    const changed = directory.current;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(directory.current).toBe(changed);
  });

  it('checks what they were hashed from, the bytes as they came', async () => {
    // mosquitto_passwd hashed the letter as it was composed; SASLprep would make another text of it.
    const path = join(folder, 'composed');
    execFileSync('mosquitto_passwd', ['-c', '-b', path, 'bob', 'Zu\u0308rich']);
    const { login } = importedFrom(readFileSync(path, 'utf8'));
    expect(await login('bob', 'Zu\u0308rich')).toBe(true);
    expect(await login('bob', 'Z\u00fcrich')).toBe(false);
  });

  it.each(['sha512', 'sha512-pbkdf2'])('is read as mosquitto_passwd writes it: -H %s', async (kind) => {
    const path = join(folder, kind);
    const run = (...args: string[]) => execFileSync('mosquitto_passwd', ['-H', kind, ...args]);
    run('-c', '-b', path, 'alice', 'a:b$c');
    run('-b', path, 'two words', '  spaces  ');
    const { login, problems } = importedFrom(readFileSync(path, 'utf8'));
    expect(problems).toEqual([]);
    expect(await login('alice', 'a:b$c')).toBe(true);
    expect(await login('two words', '  spaces  ')).toBe(true);
    expect(await login('two words', 'spaces')).toBe(false);
  });

  it('says of each line that cannot be taken over what is to be done, and repeats no secret', () => {
    const { problems } = parsePasswordFile(
      [
        '# a comment',
        '',
        `ok:${HASHES.sha512}\r`,
        'plain:geheim',
        'nothing:',
        'no colon geheim',
        `:${HASHES.sha512}`,
        `anonymous:${HASHES.sha512}`,
        `a\u202eb:${HASHES.sha512}`,
        'other:$5$geheim$geheim',
        'costly:$7$999999999$r8q83xZH7DYJ4GWI$',
        `costly:$7$999999999$r8q83xZH7DYJ4GWI$${HASHES.pbkdf2.split('$').at(-1)}`,
        'costly:$argon2id$v=19$m=9999999,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$ZmQnvbOw68M7mCaeLe7YaA',
        `ok:${HASHES.pbkdf2}`,
      ].join('\n'),
    );
    const told = problems.map(({ line, name, problem }) => `${line} ${name ?? '-'}: ${problem}`);
    expect(told).toEqual([
      expect.stringMatching(/^4 plain: the password is no hash/),
      expect.stringMatching(/^5 nothing: the password is no hash/),
      expect.stringMatching(/^6 -: it is not a name/),
      expect.stringMatching(/^7 -: '': the name is empty/),
      expect.stringMatching(/^8 -: 'anonymous': .*meaning in rules/),
      expect.stringMatching(/^9 .*direction/),
      expect.stringMatching(/^10 other: the hash is of a kind/),
      expect.stringMatching(/^11 costly: the password is no hash/),
      expect.stringMatching(/^12 costly: the hash asks for more/),
      expect.stringMatching(/^13 costly: the hash asks for more/),
      expect.stringMatching(/^14 ok: the name stands twice; this line counts/),
    ]);
    expect(told.join('\n')).not.toContain('geheim');
  });

  it('of any text gives users whose hash can be checked, and problems, and never an error', async () => {
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom(...Object.values(HASHES), ':', '$', '\n', '$7$', '$6$', '$argon2id$v=19$', '=', '\0'),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const { users, problems } = parsePasswordFile(parts.join(''));
        for (const { name } of users) expect(name).not.toMatch(/[:\n\0]/);
        for (const { problem } of problems) expect(problem).not.toMatch(/[\n\0]/);
      }),
      { numRuns: 1_000 },
    );
  });
});
