import { describe, expect, it } from 'vitest';
import { anonymous } from './identity.ts';
import { refusingFilters } from './refused-filters.ts';

const who = anonymous({
  clientId: 'me',
  door: 'mqtt',
  listener: '',
  remote: 'here',
  certificateName: undefined,
});

describe('a guard that refuses filters', () => {
  const guard = refusingFilters(['test/nosubscribe', 'secret/#']);

  it.each(['test/nosubscribe', 'secret', 'secret/#', 'secret/+/a'])('refuses %s', (filter) => {
    expect(guard.maySubscribe(who, filter)).toMatch(/this broker refuses '(test\/nosubscribe|secret\/#)'/);
  });

  it.each(['#', 'test/+', 'test/nosubscribe/a', 'secrets'])('grants %s', (filter) => {
    expect(guard.maySubscribe(who, filter)).toBeUndefined();
  });

  it('has nothing against anything else', () => {
    expect([guard.mayConnect(who), guard.mayPublish(who, 'secret/a')]).toEqual([undefined, undefined]);
  });
});
