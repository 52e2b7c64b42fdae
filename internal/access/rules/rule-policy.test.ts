import { describe, expect, it } from 'vitest';
import { type Identity, identityOf } from '../identity.ts';
import type { Action, ResourceKind } from '../policy.ts';
import { parseRules } from './parse-rules.ts';
import { RulePolicy, type RulePolicyOptions } from './rule-policy.ts';

function policyOf(forms: readonly object[], options?: RulePolicyOptions): RulePolicy {
  const policy = new RulePolicy(options);
  policy.replace(parseRules(forms, 'file'), true);
  return policy;
}

interface Who {
  user?: string;
  groups?: string[];
  clientId?: string;
  remote?: string;
}

function client({ user, groups = [], clientId = 'c', remote = '10.1.2.3:4' }: Who = {}): Identity {
  const peer = { clientId, door: 'mqtt', listener: '', remote, certificateName: undefined };
  return identityOf(peer, { user, groups });
}

const alice = client({ user: 'alice' });

/** Why something is refused; undefined where it is allowed. */
function refusal(
  policy: RulePolicy,
  who: Identity,
  action: Action,
  name: string,
  kind: ResourceKind = 'topic',
) {
  return policy.may(who, action, { kind, name });
}

describe('a list of rules', () => {
  it('is decided by the first rule that is about the action', () => {
    const policy = policyOf([
      { id: 'no-b', deny: ['publish'], users: ['*'], topics: ['a/b'] },
      { allow: ['publish'], users: ['alice'], topics: ['a/#'] },
      { deny: ['publish'], users: ['*'], topics: ['a/c'] },
    ]);
    expect(refusal(policy, alice, 'publish', 'a/c')).toBeUndefined();
    expect(refusal(policy, alice, 'publish', 'a/b')).toBe('rule 1, no-b: deny publish on topics a/b');
    expect(refusal(policy, alice, 'publish', 'b')).toBe('no rule allows it');
    expect(refusal(policy, client({ user: 'bob' }), 'publish', 'a/c')).toBe(
      'rule 3, file-3: deny publish on topics a/c',
    );
  });

  it('is open until there are users or rules, and says when that changes', () => {
    const policy = new RulePolicy();
    const epochs: number[] = [];
    const stop = policy.onChange(() => epochs.push(policy.epoch));
    expect(policy.isOpen).toBe(true);
    expect(refusal(policy, client(), 'admin', 'broker', 'broker')).toBeUndefined();
    policy.replace([], true);
    expect(policy.isOpen).toBe(false);
    expect(refusal(policy, alice, 'publish', 'a')).toBe('no rule allows it');
    policy.replace([], false);
    expect(refusal(policy, client(), 'publish', 'a')).toBeUndefined();
    stop();
    policy.replace([], true);
    expect(epochs).toEqual([1, 2]);
  });

  it('lets in whoever showed who they are, and anonymous clients where a rule names them', () => {
    const connect = (forms: object[], who: Identity) =>
      refusal(policyOf(forms), who, 'connect', 'broker', 'broker');
    const anonymous = client();
    expect(connect([], alice)).toBeUndefined();
    expect(connect([{ deny: ['connect'], users: ['alice'] }], alice)).toBe('rule 1, file-1: deny connect');
    expect(connect([{ deny: ['all'], users: ['alice'] }], alice)).toBe('rule 1, file-1: deny all');
    expect(connect([], anonymous)).toBe('clients have to show who they are');
    expect(connect([{ allow: ['subscribe'], users: ['*'], topics: ['#'] }], anonymous)).toMatch(
      'have to show',
    );
    expect(
      connect([{ allow: ['subscribe'], users: ['anonymous'], topics: ['#'] }], anonymous),
    ).toBeUndefined();
    expect(connect([{ allow: ['connect'], users: ['*'] }], anonymous)).toBeUndefined();
  });

  it('keeps a user who is called like a word of the rules apart from what the word means', () => {
    const policy = policyOf([
      { allow: ['publish'], users: ['anonymous'], topics: ['a'] },
      { allow: ['publish'], users: ['root'], topics: ['#'] },
    ]);
    expect(refusal(policy, client({ user: 'anonymous' }), 'publish', 'a')).toBe('no rule allows it');
    expect(refusal(policy, client(), 'publish', 'a')).toBeUndefined();
    expect(refusal(policy, client({ user: '*' }), 'publish', 'a')).toBe('no rule allows it');
  });

  it('is asked about users or groups, and by hosts', () => {
    const policy = policyOf([
      {
        allow: ['publish'],
        users: ['root'],
        groups: ['ops'],
        topics: ['a'],
        hosts: ['10.0.0.0/8', '::1', 'unix'],
      },
      { deny: ['publish'], users: ['*'], topics: ['b'], hosts: ['10.0.0.0/8'] },
      { allow: ['publish'], users: ['*'], topics: ['b'] },
    ]);
    const from = (remote: string) => client({ groups: ['ops'], remote });
    for (const remote of [
      '10.1.2.3:4',
      '[::ffff:10.9.9.9]:4',
      '::ffff:10.9.9.9:4',
      '[::1]:1883',
      'unix socket',
    ]) {
      expect(refusal(policy, from(remote), 'publish', 'a'), remote).toBeUndefined();
    }
    for (const remote of ['11.1.2.3:4', '[::2]:4', 'somewhere', '']) {
      expect(refusal(policy, from(remote), 'publish', 'a'), remote).toBe('no rule allows it');
    }
    expect(refusal(policy, from('11.1.1.1:1'), 'publish', 'b')).toBeUndefined();
    expect(refusal(policy, from('10.1.1.1:1'), 'publish', 'b')).toMatch('rule 2');
    // Nobody gets around a rule that denies by an address that cannot be told.
    expect(refusal(policy, from('somewhere'), 'publish', 'b')).toMatch('rule 2');
  });

  it('covers all doors with one rule, and lets describe what may be used', () => {
    const policy = policyOf([
      { allow: ['publish'], users: ['alice'], topics: ['p'] },
      { allow: ['subscribe'], users: ['alice'], topics: ['s'], consumerGroups: ['team-*', 'x'] },
      { deny: ['publish'], users: ['alice'], topics: ['d'] },
      { allow: ['alter'], users: ['alice'], topics: ['d'] },
    ]);
    const may = (name: string, ...actions: Action[]) =>
      actions.map((action) => refusal(policy, alice, action, name) === undefined);
    const every: Action[] = [
      'publish',
      'write',
      'subscribe',
      'read',
      'describe',
      'describe-configs',
      'alter-configs',
    ];
    expect(may('p', ...every)).toEqual([true, true, false, false, true, false, false]);
    expect(may('s', ...every)).toEqual([false, false, true, true, true, false, false]);
    expect(may('d', ...every)).toEqual([false, false, false, false, true, true, true]);
    const group = (name: string) => refusal(policy, alice, 'read', name, 'group') === undefined;
    expect(['team-', 'team-a/b', 'x', 'teams', 'xx'].map(group)).toEqual([true, true, true, false, false]);
  });

  it('knows sessions by their ids', () => {
    const policy = policyOf([
      { allow: ['connect'], users: ['*'], sessions: ['%u', '%u-*'] },
      { deny: ['connect'], users: ['*'] },
    ]);
    const connect = (who: Who) => refusal(policy, client(who), 'connect', 'broker', 'broker') === undefined;
    expect(connect({ user: 'alice', clientId: 'alice-7' })).toBe(true);
    expect(connect({ user: 'alice', clientId: 'bob-7' })).toBe(false);
    // The name is no glob.
    expect(connect({ user: '*', clientId: 'bob-7' })).toBe(false);
    expect(connect({ user: 'a[bc]', clientId: 'ab-7' })).toBe(false);
    expect(connect({ user: 'a[bc]', clientId: 'a[bc]-7' })).toBe(true);
  });

  it('lets who administers the broker see and change users and rules', () => {
    const policy = policyOf([
      { allow: ['admin'], groups: ['ops'] },
      { allow: ['all'], users: ['root'] },
    ]);
    const ops = client({ user: 'o', groups: ['ops'] });
    expect(refusal(policy, ops, 'alter', 'broker', 'broker')).toBeUndefined();
    expect(refusal(policy, ops, 'alter', 'a')).toBe('no rule allows it');
    const root = client({ user: 'root' });
    for (const [kind, name] of [
      ['topic', '$SYS/x'],
      ['group', 'g'],
      ['broker', 'broker'],
      ['session', 's'],
    ] as const)
      expect(refusal(policy, root, 'delete', name, kind)).toBeUndefined();
  });
});

describe('a subscription', () => {
  const policy = policyOf([
    { id: 'secret', deny: ['subscribe'], users: ['*'], topics: ['secret/#'] },
    { allow: ['subscribe'], users: ['alice'], topics: ['a', 'a/+/#', 'b/#', 'secret/x', '$SYS/+/x'] },
    { deny: ['subscribe'], users: ['*'], topics: ['b/c', '$replay/#'] },
  ]);

  it.each(['a', 'a/#', 'a/+', 'a/b/#', 'b/#', '$SYS/a/x', '$SYS/+/x', '$share/g/a/#'])(
    'to %s is allowed',
    (filter) => {
      expect(refusal(policy, alice, 'subscribe', filter)).toBeUndefined();
    },
  );

  it.each([
    ['#', "it matches '+': no rule allows it"],
    ['+/#', "it matches '+': no rule allows it"],
    ['+', 'no rule allows it'],
    ['secret/x', 'rule 1, secret: deny subscribe on topics secret/#'],
    ['secret/+', 'rule 1, secret: deny subscribe on topics secret/#'],
    ['$share/g/secret/+', 'rule 1, secret: deny subscribe on topics secret/#'],
    ['$share/g/$replay/earliest/b', 'rule 3, file-3: deny subscribe on topics b/c, $replay/#'],
    ['$replay/earliest/a', 'rule 3, file-3: deny subscribe on topics b/c, $replay/#'],
    ['$SYS/#', "it matches '$SYS': no rule allows it"],
    ['$SYS/+/#', "it matches '$SYS/+': no rule allows it"],
  ])('to %s is refused', (filter, reason) => {
    expect(refusal(policy, alice, 'subscribe', filter)).toBe(reason);
  });

  it('that asks for history is allowed where what it asks for is', () => {
    const other = policyOf([{ allow: ['subscribe'], users: ['alice'], topics: ['a/#'] }]);
    expect(refusal(other, alice, 'subscribe', '$replay/earliest/a/#')).toBeUndefined();
    expect(refusal(other, alice, 'subscribe', '$replay/earliest/#')).toMatch("it matches '+'");
    expect(other.coverage(alice, 'subscribe', '$replay/earliest/#')).toBe('partly');
  });

  it('is covered wholly, partly or not at all', () => {
    const of = (filter: string) => policy.coverage(alice, 'subscribe', filter);
    expect(['a/#', '#', 'secret/#', 'c', '$SYS/#', '$replay/latest/a'].map(of)).toEqual([
      'all',
      'partly',
      'none',
      'none',
      'partly',
      'none',
    ]);
    expect(new RulePolicy().coverage(alice, 'subscribe', '#')).toBe('all');
  });

  it('is refused where rules are so many and so mixed that nobody can tell', () => {
    const users = ['*'];
    const ofLevels = (last: string, at?: number) =>
      Array.from({ length: 24 }, (_, level) => (level === at ? 'x' : level === 23 ? last : '+')).join('/');
    const complex = policyOf([
      ...Array.from({ length: 23 }, (_, at) => ({
        allow: ['subscribe'],
        users,
        topics: [ofLevels('r', at)],
      })),
      { allow: ['subscribe'], users, topics: [ofLevels('q')] },
      { deny: ['subscribe'], users, topics: [ofLevels('q')] },
      { allow: ['subscribe'], users, topics: ['#'] },
    ]);
    expect(refusal(complex, alice, 'subscribe', '#')).toBe(
      'the rules are too complex to tell for this filter',
    );
    expect(refusal(complex, alice, 'subscribe', 'a/#')).toMatch('too complex');
    expect(refusal(complex, alice, 'subscribe', 'a/b')).toBeUndefined();
  });
});

describe('names in rules', () => {
  const policy = policyOf([
    { deny: ['publish'], users: ['*'], topics: ['d/%u/no'] },
    { allow: ['publish'], users: ['*'], topics: ['d/%u/#', 'c/%c'] },
    { allow: ['publish'], topics: ['d/#'], groups: ['all'] },
  ]);
  const may = (who: Who, topic: string) => refusal(policy, client(who), 'publish', topic) === undefined;

  it('are those of the client', () => {
    const own = policyOf([{ allow: ['publish'], users: ['*'], topics: ['d/%u/#', 'c/%c/x', 'p-%u'] }]);
    const mayOwn = (who: Who, topic: string) => refusal(own, client(who), 'publish', topic) === undefined;
    expect(mayOwn({ user: 'u' }, 'd/u/x')).toBe(true);
    expect(mayOwn({ user: 'u' }, 'd/v/x')).toBe(false);
    expect(mayOwn({ user: 'u', clientId: 'i' }, 'c/i/x')).toBe(true);
    expect(mayOwn({ user: 'u' }, 'p-u')).toBe(true);
    expect(mayOwn({ user: 'u' }, 'd/%u/x')).toBe(false);
  });

  it.each(['a/b', '+', '#', '*', '$SYS', '', 'a\nb', 'a\r', 'a\0', 'a\u2028', 'a\u0085', '\ud800'])(
    'that could say more than a name allow nothing, and a rule that denies them does not vanish: %j',
    (user) => {
      const own = policyOf([{ allow: ['publish'], users: ['*'], topics: ['d/%u/#', '%u/#'] }]);
      for (const topic of [`d/${user}/x`, 'd/a/b/x', 'd/a', 'd/q/x', `${user}/x`, '$SYS/x']) {
        expect(refusal(own, client({ user }), 'publish', topic), topic).toBe('no rule allows it');
      }
      expect(may({ user, groups: ['all'] }, 'd/anything')).toBe(false);
      const first = policyOf([
        { deny: ['subscribe'], users: ['*'], topics: ['%u/#'] },
        { allow: ['subscribe'], users: ['*'], topics: ['#', '$SYS/#'] },
      ]);
      expect(refusal(first, client({ user }), 'subscribe', '$SYS/a')).toMatch('rule 1');
    },
  );

  it('of nobody are no names', () => {
    // What is denied to each user below their name is nothing to somebody without one.
    const own = policyOf([
      { deny: ['publish'], users: ['*'], topics: ['d/%u/no'] },
      { deny: ['connect'], users: ['*'], sessions: ['%u-no'] },
      { allow: ['publish'], users: ['anonymous'], topics: ['#'] },
    ]);
    expect(refusal(own, client(), 'publish', 'd/a/no')).toBeUndefined();
    expect(refusal(own, client(), 'connect', 'broker', 'broker')).toBeUndefined();
    expect(may({}, 'd//x')).toBe(false);
    expect(may({}, 'd/undefined/x')).toBe(false);
    expect(may({ clientId: '' }, 'c/')).toBe(false);
  });
});

describe('a topic and its log', () => {
  it('are one resource in rules, whichever way the rule spells it', () => {
    const policy = policyOf([
      { deny: ['subscribe', 'publish'], users: ['*'], topics: ['sensors/#', 'a.b', 'living room/+'] },
      { allow: ['subscribe', 'publish'], users: ['*'], topics: ['#'] },
    ]);
    for (const topic of ['sensors/temp', 'sensors', 'a/b', 'a.b', 'living room/x', 'living_room/x']) {
      expect(refusal(policy, alice, 'read', topic), topic).toMatch('rule 1');
      expect(refusal(policy, alice, 'subscribe', topic), topic).toMatch('rule 1');
    }
    // Another log, whose messages are not those of sensors/temp.
    expect(refusal(policy, alice, 'read', 'sensors_temp')).toBeUndefined();
  });

  it('are not one where the dots are those of a name', () => {
    const policy = policyOf([{ allow: ['publish'], users: ['*'], topics: ['d/%u/#'] }]);
    const john = client({ user: 'john.doe' });
    expect(refusal(policy, john, 'publish', 'd/john.doe/x')).toBeUndefined();
    // The tree of the user john.
    expect(refusal(policy, john, 'write', 'd/john/doe/x')).toBe('no rule allows it');
    expect(refusal(policy, client({ user: 'john' }), 'write', 'd/john/doe/x')).toBeUndefined();
  });

  it('are asked both where other topics have the same log', () => {
    const sharedLogOf = (topic: string) => (topic.includes('.') ? topic.replaceAll('.', '/') : undefined);
    const policy = policyOf(
      [
        { deny: ['publish'], users: ['*'], topics: ['sensors/#'] },
        { allow: ['publish'], users: ['alice'], topics: ['+'] },
        { allow: ['publish'], users: ['bob'], topics: ['#'] },
      ],
      { sharedLogOf },
    );
    expect(refusal(policy, alice, 'publish', 'sensors.temp')).toMatch('rule 1');
    expect(refusal(policy, alice, 'publish', 'x.y')).toBe(
      "it is kept in the log of 'x/y': no rule allows it",
    );
    expect(refusal(policy, client({ user: 'bob' }), 'publish', 'x.y')).toBeUndefined();
  });
});

it('ten thousand rules are as right as ten', () => {
  const forms = Array.from({ length: 10_000 }, (_, n) => ({
    allow: ['publish', 'subscribe'],
    users: [n % 2 === 0 ? `u${n}` : '*'],
    topics: [`t/${n}/#`],
  }));
  const policy = policyOf([{ deny: ['subscribe'], users: ['*'], topics: ['t/77/x', '+/78'] }, ...forms]);
  const who = client({ user: 'u4' });
  expect(refusal(policy, who, 'publish', 't/4/a')).toBeUndefined();
  expect(refusal(policy, who, 'publish', 't/6/a')).toBe('no rule allows it');
  expect(refusal(policy, who, 'publish', 't/9999/a')).toBeUndefined();
  expect(refusal(policy, who, 'subscribe', 't/79/#')).toBeUndefined();
  expect(refusal(policy, who, 'subscribe', 't/77/#')).toMatch("it matches 't/77/x': rule 1");
  expect(refusal(policy, who, 'subscribe', 't/78')).toMatch('rule 1');
  expect(refusal(policy, who, 'subscribe', 't/#')).toMatch('no rule allows it');
});
