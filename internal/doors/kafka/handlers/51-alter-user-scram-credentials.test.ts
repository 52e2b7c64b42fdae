import { pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { accessOfTest, changeablePolicy, identityOfTest } from '../../../../test/support/access.ts';
import { askHandler } from '../../../../test/support/kafka-handlers.ts';
import { accepted, challengeOf, reasonOf, ScramClient, say } from '../../../../test/support/sasl.ts';
import { keepsNothing } from '../../../access/access-store.ts';
import { AccessDirectory } from '../../../access/directory.ts';
import { makePassword } from '../../../access/users/passwords.ts';
import type { ScramMechanism, User } from '../../../access/users/user.ts';
import { UserAuthenticator } from '../../../access/users/user-authenticator.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { describeUserScramCredentialsHandler } from './50-describe-user-scram-credentials.ts';
import { alterUserScramCredentialsHandler } from './51-alter-user-scram-credentials.ts';

const { duplicateResource, policyViolation, resourceNotFound, securityDisabled } = KafkaErrorCode;
const { unacceptableCredential, unsupportedSaslMechanism } = KafkaErrorCode;

const SHA_256 = 1;
const SHA_512 = 2;
const HASHES: Record<number, { mechanism: ScramMechanism; hash: string; bytes: number }> = {
  [SHA_256]: { mechanism: 'SCRAM-SHA-256', hash: 'sha256', bytes: 32 },
  [SHA_512]: { mechanism: 'SCRAM-SHA-512', hash: 'sha512', bytes: 64 },
};

/** A directory that has somebody already, so that the broker is not open. */
async function open(...users: Partial<User>[]) {
  const directory = await AccessDirectory.open(keepsNothing);
  for (const user of [{ name: 'root' }, ...users]) {
    await directory.edit([
      { kind: 'put-user', user: { name: '', isEnabled: true, groups: [], scram: {}, ...user } },
    ]);
  }
  const parts = { directory };
  return {
    directory,
    alter: async (request: Parameters<typeof askAlter>[0]) => (await askAlter(request, parts)).results,
    describe: async (...names: string[]) => {
      const request = { users: names.length === 0 ? null : names.map((name) => ({ name })) };
      return (await askHandler(describeUserScramCredentialsHandler, 0, request, { parts })).results;
    },
    user: (name: string) => directory.current.users.get(name),
  };
}

function askAlter(
  request: { deletions?: object[]; upsertions?: object[] },
  parts: { directory: AccessDirectory },
  access = accessOfTest('admin'),
) {
  const { deletions = [], upsertions = [] } = request;
  const body = { deletions, upsertions } as never;
  return askHandler(alterUserScramCredentialsHandler, 0, body, { parts, access });
}

/** What kafka-configs sends for a password. */
function upsertion(name: string, password: string, mechanism = SHA_256, more: object = {}) {
  const salt = Buffer.from('salt of the client');
  const { hash, bytes } = HASHES[mechanism]!;
  const saltedPassword = pbkdf2Sync(password, salt, 4096, bytes, hash);
  return { name, mechanism, iterations: 4096, salt, saltedPassword, ...more };
}

async function logIn(directory: AccessDirectory, name: string, password: string, type = SHA_256) {
  const { mechanism } = HASHES[type]!;
  const authenticator = new UserAuthenticator({ directory, allowsAnonymous: false });
  const exchange = authenticator.beginExchange(identityOfTest('c'), mechanism);
  if ('reason' in exchange) throw new Error(exchange.reason);
  const client = new ScramClient(mechanism, name, password);
  const end = await say(exchange, client.final(challengeOf(await say(exchange, client.first))));
  return 'reason' in end ? reasonOf(end) : accepted(end).user;
}

describe('AlterUserScramCredentials', () => {
  it.each([SHA_256, SHA_512])('makes a user who can log in by mechanism %i', async (type) => {
    const door = await open();
    expect(await door.alter({ upsertions: [upsertion('ann', 'secret', type)] })).toEqual([
      { user: 'ann', errorCode: 0, errorMessage: null },
    ]);
    expect(await logIn(door.directory, 'ann', 'secret', type)).toBe('ann');
    expect(await logIn(door.directory, 'ann', 'Secret', type)).toContain('wrong');
    expect(await door.describe('ann')).toEqual([
      {
        user: 'ann',
        errorCode: 0,
        errorMessage: null,
        credentialInfos: [{ mechanism: type, iterations: 4096 }],
      },
    ]);
  });

  it.each([SHA_256, SHA_512])('gives it a password for other doors, too: mechanism %i', async (type) => {
    const door = await open();
    await door.alter({ upsertions: [upsertion('ann', 'secret', type)] });
    const authenticator = new UserAuthenticator({ directory: door.directory, allowsAnonymous: false });
    const found = (password: string) =>
      authenticator.authenticate(identityOfTest('c'), {
        kind: 'password',
        user: 'ann',
        password: Buffer.from(password),
      });
    expect(await found('secret')).toMatchObject({ user: 'ann' });
    expect(await found('Secret')).toMatchObject({ reason: expect.any(String) });
  });

  it('sets both mechanisms in one request, and takes one of them away', async () => {
    const door = await open();
    const both = [upsertion('ann', 'secret'), upsertion('ann', 'secret', SHA_512)];
    expect(await door.alter({ upsertions: both })).toMatchObject([{ user: 'ann', errorCode: 0 }]);
    await door.alter({ deletions: [{ name: 'ann', mechanism: SHA_256 }] });
    expect((await door.describe('ann'))[0]!.credentialInfos).toEqual([
      { mechanism: SHA_512, iterations: 4096 },
    ]);
    expect(await logIn(door.directory, 'ann', 'secret', SHA_512)).toBe('ann');
  });

  it('lets a new password take the place of the former one, and leaves the rest of the user', async () => {
    const before = { isEnabled: false, groups: ['team'] };
    const door = await open({ name: 'ann', ...before, password: await hash() });
    await door.alter({ upsertions: [upsertion('ann', 'new')] });
    expect(door.user('ann')).toMatchObject({ ...before, password: undefined });
  });

  it('removes a user with the last thing that it had', async () => {
    const door = await open({ name: 'bob', groups: ['team'] });
    await door.alter({ upsertions: [upsertion('ann', 'a'), upsertion('bob', 'b')] });
    const deletions = ['ann', 'bob'].map((name) => ({ name, mechanism: SHA_256 }));
    expect(await door.alter({ deletions })).toMatchObject([{ errorCode: 0 }, { errorCode: 0 }]);
    expect(door.user('ann')).toBeUndefined();
    expect(door.user('bob')).toMatchObject({ groups: ['team'], scram: {} });
  });

  it.each([
    ['a user without a name', upsertion('', 'x'), unacceptableCredential],
    ['a name that no user can have', upsertion('a\nb', 'x'), unacceptableCredential],
    ['a name with a meaning in rules', upsertion('*', 'x'), unacceptableCredential],
    ['too few iterations', upsertion('ann', 'x', SHA_256, { iterations: 4095 }), unacceptableCredential],
    ['too many iterations', upsertion('ann', 'x', SHA_256, { iterations: 16_385 }), unacceptableCredential],
    ['no salt', upsertion('ann', 'x', SHA_256, { salt: Buffer.alloc(0) }), unacceptableCredential],
    [
      'a password that was salted for the other one',
      upsertion('ann', 'x', SHA_256, { saltedPassword: Buffer.alloc(64) }),
      unacceptableCredential,
    ],
    ['an unknown mechanism', upsertion('ann', 'x', SHA_256, { mechanism: 3 }), unsupportedSaslMechanism],
  ])('refuses %s, and does the rest', async (_, wrong, errorCode) => {
    const door = await open();
    const results = await door.alter({ upsertions: [wrong, upsertion('bob', 'b')] });
    expect(results).toMatchObject([
      { user: wrong.name, errorCode },
      { user: 'bob', errorCode: 0 },
    ]);
    expect(door.user(wrong.name)).toBeUndefined();
  });

  it('does nothing for a user of whom the same is said twice, or what is not there is to go', async () => {
    const door = await open();
    const twice = [upsertion('ann', 'x'), upsertion('ann', 'y')];
    expect(await door.alter({ upsertions: twice })).toMatchObject([{ errorCode: duplicateResource }]);
    const deletions = [{ name: 'ann', mechanism: SHA_512 }];
    expect(await door.alter({ deletions, upsertions: [upsertion('ann', 'x')] })).toMatchObject([
      { user: 'ann', errorCode: resourceNotFound },
    ]);
    expect(door.user('ann')).toBeUndefined();
  });

  it('leaves users alone whom the file declares', async () => {
    const door = await open();
    const user: User = { name: 'ann', isEnabled: true, groups: [], scram: {}, origin: 'file' };
    door.directory.replaceFile({ users: [user], rules: [], limits: [] });
    expect(await door.alter({ upsertions: [upsertion('ann', 'x')] })).toMatchObject([
      { errorCode: policyViolation, errorMessage: expect.stringContaining('file') },
    ]);
  });

  it('is for who may alter the cluster', async () => {
    const { directory } = await open();
    const policy = changeablePolicy((action) => (action === 'alter' ? 'no' : undefined));
    const request = { upsertions: [upsertion('ann', 'x'), upsertion('ann', 'x', SHA_512)] };
    const { results } = await askAlter(request, { directory }, accessOfTest('somebody', policy));
    expect(results).toEqual([
      { user: 'ann', errorCode: KafkaErrorCode.clusterAuthorizationFailed, errorMessage: 'no' },
    ]);
    expect(directory.current.users.get('ann')).toBeUndefined();
  });

  // Whoever reaches an open broker would shut everybody else out with the first user.
  it('does not make the first user', async () => {
    const directory = await AccessDirectory.open(keepsNothing);
    const { results } = await askAlter({ upsertions: [upsertion('ann', 'x')] }, { directory });
    expect(results).toMatchObject([
      { errorCode: securityDisabled, errorMessage: expect.stringContaining('users add') },
    ]);
  });
});

describe('DescribeUserScramCredentials', () => {
  it('names all users with keys in order, and nobody else', async () => {
    const door = await open({ name: 'without' });
    await door.alter({ upsertions: [upsertion('bob', 'b'), upsertion('ann', 'a')] });
    expect((await door.describe()).map(({ user }) => user)).toEqual(['ann', 'bob']);
  });

  it('tells apart who has no keys, and who is named twice', async () => {
    const door = await open({ name: 'without' });
    await door.alter({ upsertions: [upsertion('ann', 'a')] });
    expect(await door.describe('without', 'nobody', 'ann', 'ann')).toMatchObject([
      { user: 'without', errorCode: resourceNotFound },
      { user: 'nobody', errorCode: resourceNotFound },
      { user: 'ann', errorCode: duplicateResource, credentialInfos: [] },
    ]);
  });

  it('is for who may describe the cluster', async () => {
    const { directory } = await open();
    const policy = changeablePolicy(() => 'no');
    const asker = { parts: { directory }, access: accessOfTest('somebody', policy) };
    expect(await askHandler(describeUserScramCredentialsHandler, 0, { users: null }, asker)).toMatchObject({
      errorCode: KafkaErrorCode.clusterAuthorizationFailed,
      results: [],
    });
  });
});

async function hash(): Promise<string> {
  return (await makePassword('old')).password;
}
