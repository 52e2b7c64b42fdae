import { describe, expect, it } from 'vitest';
import { peerOfTest } from '../../../test/support/access.ts';
import { directoryOf, userOf, userWithout } from '../../../test/support/users.ts';
import type { CertificateNames } from '../../lib/certificate-names.ts';
import { type Credentials, isRefusal, NO_CREDENTIALS } from '../authenticator.ts';
import { CertificateUsers } from './certificate-users.ts';
import { UserAuthenticator } from './user-authenticator.ts';

const NAMES: CertificateNames = {
  subject: 'CN=Sensor-7,OU=Plant,O=Example,C=DE',
  commonNames: ['Sensor-7'],
  dnsNames: ['s7.example.com'],
  emails: ['s7@example.com'],
  uris: ['spiffe://example.com/s7'],
  problem: undefined,
};

describe('the user of a certificate', () => {
  it.each([
    [['cn'], 'Sensor-7'],
    [['dns'], 's7.example.com'],
    [['email'], 's7@example.com'],
    [['uri'], 'spiffe://example.com/s7'],
    [['subject'], 'CN=Sensor-7,OU=Plant,O=Example,C=DE'],
    // The documentation of Kafka's ssl.principal.mapping.rules.
    [
      ['RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/', 'RULE:^CN=(.*?),OU=(.*?),O=(.*?),C=(.*?)$/$1@$2/L'],
      'sensor-7@plant',
    ],
    [['RULE:^.*[Cc][Nn]=([a-zA-Z0-9.-]*).*$/$1/U'], 'SENSOR-7'],
    [['RULE:CN=(.+),OU=.*/plant\\/$1/'], 'plant/Sensor-7'],
    // A rule has to fit the whole subject.
    [['RULE:CN=Sensor/part/', 'dns'], 's7.example.com'],
    [['RULE:nothing/x/'], undefined],
  ])('is found by %j', (mappings, user) => {
    expect(new CertificateUsers(mappings).userOf(NAMES)).toBe(user);
  });

  it.each<[string, string[], Partial<CertificateNames>, string]>([
    ['several common names', ['cn'], { commonNames: ['a', 'b'] }, 'several names (cn)'],
    ['several hosts', ['dns'], { dnsNames: ['a', 'b'] }, 'several names (dns)'],
    [
      'names that cannot be trusted',
      ['cn'],
      { problem: 'a name has control characters' },
      'control characters',
    ],
    ['a name that rules mean otherwise', ['cn'], { commonNames: ['ANONYMOUS'] }, 'meaning in rules'],
    ['a name that is empty', ['RULE:.*//'], {}, 'empty'],
    ['a name that reads from right to left', ['cn'], { commonNames: ['a\u202eb'] }, 'direction'],
  ])('is nobody where there are %s', (_, mappings, names, problem) => {
    expect(() => new CertificateUsers(mappings).userOf({ ...NAMES, ...names })).toThrow(problem);
  });

  it.each(['', 'CN', 'ou', 'RULE:', 'RULE:a', 'RULE:a/b', 'RULE:a/b/X', 'RULE:(/b/', 'toString'])(
    'is not looked for by %j',
    (mapping) => {
      expect(() => new CertificateUsers([mapping])).toThrow();
    },
  );
});

describe('a client with a certificate', () => {
  const peer = { ...peerOfTest('c'), certificate: NAMES };
  const alice = userOf('alice', 'wonder land');
  const password = (text: string): Credentials => ({
    kind: 'password',
    user: 'alice',
    password: Buffer.from(text),
  });

  async function answer(
    credentials: Credentials,
    isEnabled = true,
    certificate: Partial<CertificateNames> = {},
  ) {
    const directory = directoryOf(await alice, userWithout('Sensor-7', { isEnabled, groups: ['devices'] }));
    const users = new UserAuthenticator({ directory, allowsAnonymous: false });
    const found = await users.authenticate(
      { ...peer, certificate: { ...NAMES, ...certificate } },
      credentials,
    );
    return isRefusal(found) ? undefined : found;
  }

  it('is its user, in the groups of the directory', async () => {
    expect(await answer(NO_CREDENTIALS)).toMatchObject({ user: 'Sensor-7', groups: ['devices'] });
  });

  it('is whoever its password says where it shows one', async () => {
    expect(await answer(password('wonder land'))).toMatchObject({ user: 'alice' });
    expect(await answer(password('wrong'))).toBeUndefined();
  });

  it('is refused where its user is disabled, or nobody knows who is meant', async () => {
    expect(await answer(NO_CREDENTIALS, false)).toBeUndefined();
    expect(await answer(NO_CREDENTIALS, true, { commonNames: ['Sensor-7', 'root'] })).toBeUndefined();
    expect(await answer(NO_CREDENTIALS, true, { commonNames: [] })).toBeUndefined();
    expect(await answer(NO_CREDENTIALS, true, { commonNames: ['unknown to the directory'] })).toMatchObject({
      user: 'unknown to the directory',
    });
  });
});
