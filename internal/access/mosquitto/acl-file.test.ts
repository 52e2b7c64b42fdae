import { describe, expect, it } from 'vitest';
import { describeRule } from '../rules/rule.ts';
import { parseAclFile } from './acl-file.ts';

function read(...lines: string[]) {
  const { rules, problems } = parseAclFile(lines.join('\n'));
  return {
    rules: rules.map((rule) => describeRule(rule)),
    problems: problems.map(({ line, problem }) => `${line}: ${problem}`),
  };
}

describe('an ACL file of mosquitto', () => {
  it('is the example of its manual', () => {
    const { rules, problems } = read(
      '# This affects access control for clients with no username.',
      'topic read $SYS/#',
      '',
      '# This only affects clients with username "roger".',
      'user roger',
      'topic foo/bar',
      'topic deny foo/bar/secret',
      '',
      '# This affects all clients.',
      'pattern write $SYS/broker/connection/%c/state',
      'pattern deny x/%u',
    );
    expect(problems).toEqual([]);
    expect(rules).toEqual([
      'allow subscribe on topics $SYS/# for users anonymous',
      'deny publish, subscribe on topics foo/bar/secret for users roger',
      'allow publish, subscribe on topics foo/bar for users roger',
      'deny publish, subscribe on topics x/%u for everybody',
      'allow publish on topics $SYS/broker/connection/%c/state for everybody',
    ]);
  });

  it('takes names and topics with spaces, a line of Windows, and a user who comes twice', () => {
    expect(
      read(
        'user  ann lee ',
        'topic read a b/c\r',
        'user bob',
        'topic read',
        'user ann lee',
        'topic   read   d',
      ),
    ).toEqual({
      rules: [
        'allow subscribe on topics a b/c, d for users ann lee',
        'allow publish, subscribe on topics read for users bob',
      ],
      problems: [],
    });
  });

  it.each([
    ['topic', "1: topic '': a filter has at least one byte"],
    ['topic reads a', "1: 'reads' is none of read, write, readwrite, deny"],
    ['topic read a/#/b', "1: topic 'a/#/b': # must be the whole last level"],
    ['users a', '1: begins with neither user, topic nor pattern'],
    ['user', '1: the name of the user is empty: its lines are left out'],
    ['user anonymous\ntopic a', '1: the name of the user stands for others here: its lines are left out'],
    ['topic a/%u', "1: topic 'a/%u': in a rule %u and %c always stand for names; the line is left out"],
    ['pattern a/%u-%c', "1: topic 'a/%u-%c': a level has one of %u and %c, once; the line is left out"],
  ])('says what is wrong with %j, which allows nothing', (text, problem) => {
    expect(read(...text.split('\n'))).toEqual({ rules: [], problems: [problem] });
  });

  it('denies more where what is denied has no equal', () => {
    expect(read('pattern deny a/%u-%c/x', 'topic deny b/%u')).toEqual({
      rules: [
        'deny publish, subscribe on topics b/+ for users anonymous',
        'deny publish, subscribe on topics a/+/x for everybody',
      ],
      problems: [
        "1: topic 'a/%u-%c/x': a level has one of %u and %c, once; denied is 'a/+/x'",
        "2: topic 'b/%u': in a rule %u and %c always stand for names; denied is 'b/+'",
      ],
    });
  });
});
