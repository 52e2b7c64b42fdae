import { describe, expect, it } from 'vitest';
import { parseRule, parseRules, RuleError } from './parse-rules.ts';
import { describeRule, ruleForm } from './rule.ts';

const devices = { allow: ['publish', 'subscribe'], groups: ['devices'], topics: ['devices/%u/#'] };

describe('a list of rules', () => {
  it('is read as people write it', () => {
    const list = [
      devices,
      { id: 'no-sys', deny: 'subscribe', users: '*', topics: '$SYS/#' },
      {
        allow: ['subscribe', 'delete'],
        users: ['a', 'anonymous'],
        consumerGroups: ['team-*'],
        hosts: ['10.0.0.0/8', 'unix'],
      },
      { allow: ['connect'], users: ['*'], sessions: ['%u-*'] },
      { allow: ['all'], users: ['root'] },
      { allow: ['Read'], users: ['a'], kafka: { resource: 'topic', name: 'orders', pattern: 'prefixed' } },
    ];
    const rules = parseRules(list, 'file');
    expect(rules.map(({ id }) => id)).toEqual(['file-1', 'no-sys', 'file-3', 'file-4', 'file-5', 'file-6']);
    expect(rules[1]).toEqual({
      id: 'no-sys',
      origin: 'file',
      effect: 'deny',
      actions: ['subscribe'],
      users: ['*'],
      topics: ['$SYS/#'],
    });
    expect(rules.map((rule) => describeRule(rule))).toEqual([
      'allow publish, subscribe on topics devices/%u/# for groups devices',
      'deny subscribe on topics $SYS/# for everybody',
      'allow subscribe, delete on consumer groups team-* for users a, anonymous from 10.0.0.0/8, unix',
      'allow connect on sessions %u-* for everybody',
      'allow all for users root',
      'allow Read on topics that begin with orders for users a',
    ]);
    expect(describeRule(rules[0], false)).toBe('allow publish, subscribe on topics devices/%u/#');
  });

  it('comes back as it was after it was kept as JSON', () => {
    const list = [
      devices,
      { allow: ['Describe'], users: ['*'], kafka: { resource: 'cluster', name: 'kafka-cluster' } },
    ];
    const rules = parseRules(list, 'store');
    const kept = JSON.parse(JSON.stringify(rules.map(ruleForm)));
    expect(parseRules(kept, 'store')).toEqual(rules);
  });

  it.each<[string, unknown, string]>([
    ['no rule', 'x', 'rule 1: is a group of keys, such as allow, users and topics'],
    ['an unknown key', { ...devices, topic: 'a' }, "rule 1: has no key 'topic'"],
    ['two effects', { ...devices, deny: ['publish'] }, 'rule 1: has either allow or deny'],
    ['no effect', { users: ['a'], topics: ['a'] }, 'rule 1: has either allow or deny'],
    ['nobody', { allow: ['publish'], topics: ['a'] }, 'rule 1: says whom it is for'],
    ['an empty list', { ...devices, groups: [] }, 'rule 1, groups: is empty'],
    ['a number', { ...devices, groups: ['a', 7] }, 'rule 1, groups 2: is no text'],
    [
      'an unknown action',
      { ...devices, allow: ['publish', 'write'] },
      "rule 1, allow 2: 'write': is one of connect, ",
    ],
    [
      'a bad filter',
      { ...devices, topics: ['a', 'a/#/b'] },
      "rule 1, topics 2: 'a/#/b': # must be the whole last level",
    ],
    [
      'a bad filter of a named rule',
      { ...devices, id: 'x', topics: ['+a'] },
      "rule 1 (x), topics: '+a': + must be",
    ],
    ['a shared filter', { ...devices, topics: ['$share/g/a'] }, 'a rule names the filter itself'],
    ['two variables in a level', { ...devices, topics: ['d/%u-%c'] }, 'a level has one of %u and %c, once'],
    ['a line break', { ...devices, groups: ['a\nb'] }, "rule 1, groups: 'a\\x0ab': has control characters"],
    [
      'a line break in a topic',
      { ...devices, topics: ['a\u2028b'] },
      'has control characters or line breaks',
    ],
    [
      'no host',
      { ...devices, hosts: ['example.org'] },
      'is an address, a network such as 10.0.0.0/8, or unix',
    ],
    ['a network that is too long', { ...devices, hosts: ['10.0.0.0/33'] }, 'is an address'],
    [
      'no resource',
      { allow: ['publish'], users: ['a'] },
      'rule 1: publish needs a resource: topics, transactionalIds, broker',
    ],
    [
      'a resource without an action',
      { allow: ['publish'], users: ['a'], topics: ['a'], consumerGroups: ['g'] },
      'rule 1, consumerGroups: none of its actions is about these; they are for subscribe',
    ],
    ['broker: false', { allow: ['describe'], users: ['a'], broker: false }, 'rule 1, broker: is true'],
    [
      'a variable in a group',
      { allow: ['subscribe'], users: ['a'], consumerGroups: ['%u'] },
      '%u and %c stand in topics',
    ],
    ['a bad id', { ...devices, id: 'a b' }, 'rule 1, id: is 1 to 64 letters'],
    [
      'an operation of Kafka without its resource',
      { allow: ['Read'], users: ['a'], kafka: { name: 'a' } },
      'rule 1, kafka: is one of topic, group, cluster, transactional-id',
    ],
    [
      'two operations of Kafka',
      { allow: ['Read', 'Write'], users: ['a'], kafka: { resource: 'topic', name: 'a' } },
      'rule 1, allow: is one operation of Kafka',
    ],
    [
      'an action of ours on what is Kafka’s',
      { allow: ['subscribe'], users: ['a'], kafka: { resource: 'topic', name: 'a' } },
      "rule 1, allow: 'subscribe': is one of All, Read",
    ],
    [
      'a topic that Kafka cannot have',
      { allow: ['Read'], users: ['a'], kafka: { resource: 'topic', name: 'a/b' } },
      "no topic can be called 'a/b'",
    ],
  ])('with %s is refused where it stands', (_, form, problem) => {
    expect(() => parseRules([form], 'file')).toThrow(problem);
  });

  it('tells all problems at once', () => {
    const list = [{ ...devices, topics: ['#/a'] }, devices, { ...devices, hosts: ['x'], id: 'file-2' }];
    try {
      parseRules(list, 'file');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(RuleError);
      expect((error as RuleError).problems).toHaveLength(3);
      expect((error as RuleError).problems[2]).toBe("rule 3: has the id of rule 2, 'file-2'");
    }
  });

  it('is a list', () => {
    expect(() => parseRules({}, 'file')).toThrow('rules: is a list');
  });
});

it('a rule of the store is called by its id', () => {
  expect(() => parseRule({ ...devices, topics: ['+a'] }, 'store', 'r1')).toThrow("rule r1, topics: '+a'");
});
