import { describe, expect, it } from 'vitest';
import { maxUsersFileProblems } from '../../limits/access.ts';
import { AccessFileError } from './access-file-error.ts';
import { parseAccessFile } from './parse-access-file.ts';

const HASH = `scrypt$16384$8$1$${'A'.repeat(22)}==$${'B'.repeat(42)}A=`;
const KEY = `${'C'.repeat(42)}A=`;
const SCRAM = `SCRAM-SHA-256$4096:${'A'.repeat(22)}==$${KEY}:${KEY}`;

/** What is wrong with a text; empty where nothing is. */
function problemsOf(text: string): readonly string[] {
  try {
    parseAccessFile(text);
    return [];
  } catch (error) {
    if (error instanceof AccessFileError) return error.problems;
    throw error;
  }
}

describe('a file of users and rules', () => {
  const yaml = `# kept in git
users:
  anna:
    password: ${HASH}
    scram: [${SCRAM}]
    groups: [staff, 'plant 1']
  "00:11":
    enabled: false
  ben:
rules:
  - id: staff
    allow: [publish, subscribe]
    groups: staff
    topics: 'sensors/#'
  - deny: subscribe
    users: '*'
    topics: [secret/#]
`;

  it('in YAML is read', () => {
    const { users, rules } = parseAccessFile(yaml);
    expect(users).toMatchObject([
      { name: 'anna', isEnabled: true, groups: ['staff', 'plant 1'], password: HASH, origin: 'file' },
      { name: '00:11', isEnabled: false, groups: [], scram: {} },
      { name: 'ben', isEnabled: true },
    ]);
    expect(users[0]!.scram['SCRAM-SHA-256']?.iterations).toBe(4096);
    expect(rules).toMatchObject([
      { id: 'staff', effect: 'allow', groups: ['staff'], topics: ['sensors/#'], origin: 'file' },
      { id: 'file-2', effect: 'deny', users: ['*'] },
    ]);
  });

  it('in JSON is read as well, also without a line break at its end', () => {
    const json = {
      users: { anna: { password: HASH, scram: [SCRAM], groups: ['staff'] } },
      rules: [{ allow: 'publish', users: ['anna'], topics: ['a'] }],
    };
    for (const text of [JSON.stringify(json), JSON.stringify(json, undefined, 2)])
      expect(parseAccessFile(text)).toMatchObject({ users: [{ name: 'anna', password: HASH }] });
  });

  it('that is cut off is refused wherever that is not between two lines', () => {
    const ends = [...yaml.matchAll(/\n/g)].map(({ index }) => index + 1);
    for (let length = 0; length < yaml.length; length++) {
      if (!ends.includes(length)) expect(problemsOf(yaml.slice(0, length)), `${length}`).not.toEqual([]);
    }
    const json = JSON.stringify({ users: { anna: { groups: ['a'] } } });
    for (let length = 0; length < json.length; length++)
      expect(problemsOf(json.slice(0, length)), `${length}`).not.toEqual([]);
  });

  it('names limits, each with what it is for', () => {
    const text =
      'users: {a: {groups: [b]}}\nlimits:\n  - {user: a, connections: 3, bytesInPerSecond: 1000}\n';
    const { limits } = parseAccessFile(text);
    expect(limits).toEqual([
      { id: 'file-1', user: 'a', values: { connections: 3, bytesInPerSecond: 1000 }, origin: 'file' },
    ]);
    const problems = problemsOf(
      'limits:\n  - {user: a, speed: 3}\n  - {group: [b], connections: 1}\n  - 7\n',
    );
    expect(problems).toEqual([
      expect.stringContaining("line 2: limit 'file-1': there is no limit of 'speed'"),
      expect.stringContaining('line 3: group is the name of one'),
      expect.stringContaining('line 4: a limit is a group of keys'),
    ]);
  });

  it.each<[string, string, string[]]>([
    ['nothing', '', ['it is empty']],
    ['nothing but a comment', '# users\n', ['it names neither users nor rules']],
    ['nobody', 'users: {}\nrules: []\n', ['it names neither users nor rules']],
    ['a list', '- a\n', ['it is no group of keys; its keys are users, rules, limits']],
    [
      'a password',
      'users:\n  anna:\n    password: hunter2\n',
      ["line 3: the password of 'anna' is no hash: make one with `tinymq users hash`"],
    ],
    ['a number as password', 'users: {a: {password: 1234}}\n', [expect.stringContaining('is no hash')]],
    [
      'another hash',
      "users:\n  a: {password: '$2b$10$abcdef'}\n",
      [expect.stringContaining("line 2: the user 'a': its password is no hash as")],
    ],
    [
      'unknown keys',
      'users:\n  a:\n    gruops: [x]\nrule: []\n',
      [
        "line 3: the user 'a' has no key 'gruops'; did you mean groups?",
        "line 4: the file has no key 'rule'; did you mean rules?",
      ],
    ],
    [
      'a key of a rule',
      'rules:\n  - alow: publish\n    users: a\n',
      [
        expect.stringContaining("line 2: rule file-1: has no key 'alow'; did you mean allow?"),
        expect.stringContaining('has either allow or deny'),
      ],
    ],
    ['a user twice', 'users:\n  a:\n  b:\n  a:\n', ["line 4: users has 'a' twice"]],
    [
      'a key twice',
      'users:\n  a: {enabled: true, enabled: false}\n',
      ["line 2: the user 'a' has 'enabled' twice"],
    ],
    [
      'two rules of one id',
      'rules:\n- {id: x, deny: all, users: a}\n- {id: x, deny: all, users: b}\n',
      ["line 3: rule 2 has the id of that in line 2, 'x'"],
    ],
    [
      'a name that is no text',
      'users:\n  12: {}\n',
      ['line 2: a key is a text: write it in quotation marks'],
    ],
    ['a reserved name', 'users:\n  anonymous: {}\n', [expect.stringContaining('a meaning in rules')]],
    ['a line break in a name', 'users:\n  "a\\nb": {}\n', [expect.stringContaining('line 2: the user')]],
    [
      'references',
      'users:\n  a: &a {groups: [x]}\n  b: *a\n',
      [expect.stringContaining("line 3: the user 'b'")],
    ],
    ['a tag', 'users:\n  a: !!binary Zm9v\n', [expect.stringContaining('line 2')]],
    ['tabs', 'users:\n\ta: {}\n', [expect.stringContaining('line 2: Tabs')]],
    [
      'two documents',
      'users: {a: }\n---\nusers: {b: }\n',
      ['line 2: a second document begins; a file has one'],
    ],
    ['a truth of its own', 'users:\n  a: {enabled: perhaps}\n', ["line 2: enabled of 'a' is true or false"]],
    ['keys of no form', 'users:\n  a: {scram: abc}\n', [expect.stringContaining('are not in their form')]],
    ['a flood of brackets', `${'['.repeat(100_000)}\n`, expect.anything()],
  ])('with %s is refused', (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
    expect(problemsOf(text)).not.toEqual([]);
  });

  it('says no secret of what it refuses', () => {
    for (const text of [
      'users:\n  a: {password: hunter2}\n',
      'users:\n  a: {password: "hunter2}\n',
      'users:\n  a: {password: "hunter2" hunter2: hunter2\n',
      'users:\n  a:\n    password: hunter2\n   hunter2\n',
      'hunter2\n',
      'users:\n  a: {password: [hunter2]}\n  b: {scram: [hunter2]}\n',
      'users:\n  a: {password: !hunter2 hunter2}\n',
      'users:\n  a: {password: *hunter2}\n',
      'users:\n  a: {password: `hunter2}\n',
    ]) {
      expect(problemsOf(text), text).not.toEqual([]);
      expect(problemsOf(text).join('\n'), text).not.toContain('hunter2');
    }
  });

  it('shows the first of very many problems', () => {
    const text = `users:\n${Array.from({ length: 100 }, (_, index) => `  u${index}: {x: }\n`).join('')}`;
    const error = (() => {
      try {
        return parseAccessFile(text) as never;
      } catch (thrown) {
        return thrown as AccessFileError;
      }
    })();
    expect(error.problems).toHaveLength(100);
    expect(error.message.split('\n')).toHaveLength(maxUsersFileProblems + 1);
    expect(error.message).toMatch(/\nand 80 more$/);
  });

  it('of ten thousand users is read in seconds, whatever the library does with their names', () => {
    const text = `users:\n${Array.from({ length: 10_000 }, (_, index) => `  user${index}: {groups: [a]}\n`).join('')}`;
    expect(parseAccessFile(text).users).toHaveLength(10_000);
  });
});
