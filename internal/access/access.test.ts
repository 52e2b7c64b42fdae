import { describe, expect, it } from 'vitest';
import { changeablePolicy } from '../../test/support/access.ts';
import type { BrokerError } from '../errors.ts';
import { Access } from './access.ts';
import { allowAll, policyOfGuard } from './guard.ts';
import { anonymous } from './identity.ts';
import { type Action, openPolicy } from './policy.ts';

const who = anonymous({
  clientId: 'c',
  door: 'frames',
  listener: 'tcp://localhost:1883',
  remote: '127.0.0.1:5',
  certificateName: undefined,
});

describe('what one connection may do', () => {
  it('is everything with the open policy', () => {
    const access = new Access(who, openPolicy);
    expect(access.refusal('delete', 'topic', 'a')).toBeUndefined();
    expect(() => access.checkPublish(entryOf('a'))).not.toThrow();
  });

  it('is refused with the resource and the reason', () => {
    const access = new Access(
      who,
      changeablePolicy(() => 'not yours'),
    );
    expect(() => access.check('write', 'topic', 'a/b')).toThrow("topic 'a/b': not yours");
    expect(() => access.check('subscribe', 'topic', 'a/#')).toThrow("filter 'a/#': not yours");
    expect(codeOf(() => access.checkConnect())).toBe('not-authorized');
    expect(codeOf(() => access.checkPublish(entryOf('a')))).toBe('not-authorized');
  });

  it('is asked once, and again after each change of the rules', () => {
    const asked: string[] = [];
    const policy = changeablePolicy((action, { name }) => {
      asked.push(`${action} ${name}`);
      return undefined;
    });
    const access = new Access(who, policy);
    const entry = entryOf('a');
    for (let time = 0; time < 3; time++) {
      access.check('read', 'topic', 'b');
      access.checkPublish(entry);
    }
    expect(asked).toEqual(['read b', 'publish a']);
    policy.change();
    access.check('read', 'topic', 'b');
    access.checkPublish(entry);
    expect(asked).toEqual(['read b', 'publish a', 'read b', 'publish a']);
  });

  it('that was allowed is refused once the rules say so', () => {
    let answer: string | undefined;
    const policy = changeablePolicy(() => answer);
    const access = new Access(who, policy);
    const entry = entryOf('a');
    access.checkPublish(entry);
    answer = 'no longer';
    policy.change();
    expect(codeOf(() => access.checkPublish(entry))).toBe('not-authorized');
  });

  it('is not what another client that publishes there may do', () => {
    const policy = changeablePolicy((_, __, { clientId }) =>
      clientId === 'other' ? 'not yours' : undefined,
    );
    const access = new Access(who, policy);
    const other = new Access({ ...who, clientId: 'other' }, policy);
    const entry = entryOf('a');
    for (let time = 0; time < 3; time++) {
      access.checkPublish(entry);
      expect(codeOf(() => other.checkPublish(entry))).toBe('not-authorized');
    }
  });

  it('is asked about a filter for history as a whole, and about what is wanted of it', () => {
    const asked: string[] = [];
    const policy = changeablePolicy((action, { name }) => void asked.push(`${action} ${name}`));
    const access = new Access(who, policy);
    expect(access.filterRefusal('$share/g/$replay/earliest/a/#')).toBeUndefined();
    expect(access.filterRefusal('$share/g/b')).toBeUndefined();
    expect(asked).toEqual(['subscribe a/#', 'subscribe $replay/earliest/a/#', 'subscribe b']);
  });

  it('covers a filter wholly or not at all where the policy cannot tell more', () => {
    const access = new Access(
      who,
      changeablePolicy((_, { name }) => (name === 'a/#' ? 'no' : undefined)),
    );
    expect(['b', 'a/#', '$share/g/a/#'].map((filter) => access.coverage('subscribe', filter))).toEqual([
      'all',
      'none',
      'none',
    ]);
  });

  it('remembers a bounded number of answers', () => {
    let asked = 0;
    const access = new Access(
      who,
      changeablePolicy(() => {
        asked++;
        return undefined;
      }),
    );
    for (let topic = 0; topic < 10_000; topic++) access.check('describe', 'topic', `t/${topic}`);
    access.check('describe', 'topic', 't/9999');
    access.check('describe', 'topic', 't/0');
    expect(asked).toBe(10_001);
  });
});

describe('a guard', () => {
  it('is asked about every action on a topic, and about nothing but connecting otherwise', () => {
    const asked: string[] = [];
    const policy = policyOfGuard({
      mayConnect: () => void asked.push('connect'),
      mayPublish: (_, topic) => void asked.push(`publish ${topic}`),
      maySubscribe: (_, filter) => void asked.push(`subscribe ${filter}`),
    });
    const actions: Action[] = [
      'publish',
      'write',
      'create',
      'delete',
      'alter',
      'subscribe',
      'read',
      'describe',
    ];
    for (const action of actions) policy.may(who, action, { kind: 'topic', name: 't' });
    policy.may(who, 'read', { kind: 'group', name: 'g' });
    expect(asked).toEqual([...Array(5).fill('publish t'), ...Array(3).fill('subscribe t'), 'connect']);
  });

  it('that allows everything refuses nothing', () => {
    expect(policyOfGuard(allowAll).may(who, 'delete', { kind: 'topic', name: 't' })).toBeUndefined();
  });
});

function codeOf(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as BrokerError).code;
  }
}

function entryOf(topic: string): { topic: string; permit: object | undefined } {
  return { topic, permit: undefined };
}
