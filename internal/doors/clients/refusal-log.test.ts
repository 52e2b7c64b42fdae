import { describe, expect, it } from 'vitest';
import { identityOfTest } from '../../../test/support/access.ts';
import { BrokerError } from '../../errors.ts';
import { refusalsLoggedPerSecond } from '../../limits/doors.ts';
import { Fates } from '../../observe/fates.ts';
import { Metrics } from '../../observe/metrics.ts';
import { RefusalLog } from './refusal-log.ts';

describe('the log of refusals', () => {
  // A client that published to names of the broker's own made a line of each of its messages.
  it('has so many of a client in a second, and says how many it left out', () => {
    const lines: object[] = [];
    const note = (fields: object) => lines.push(fields);
    let nowMs = 0;
    const identity = { ...identityOfTest('me'), remote: 'here' };
    const metrics = new Metrics();
    const fates = new Fates(metrics, { debug: note, info: note, warn: note, error: note });
    const log = new RefusalLog(fates, identity, () => nowMs);
    const refusal = new BrokerError('reserved-topic', 'x');
    for (let count = 0; count < refusalsLoggedPerSecond + 1_000; count++) log.add(refusal, 'refused');
    expect(lines).toHaveLength(refusalsLoggedPerSecond);
    expect(lines[0]).toEqual({
      client: 'me',
      remote: 'here',
      code: 'reserved-topic',
      reason: refusal.message,
    });
    nowMs += 1_000;
    log.add(refusal, 'refused');
    log.add(refusal, 'refused');
    const told = refusalsLoggedPerSecond + 1_002;
    expect(metrics.snapshot()['refusals_total{code="reserved-topic"}']).toBe(told);
    expect(lines.slice(refusalsLoggedPerSecond)).toEqual([{ ...lines[0], unlogged: 1_000 }, lines[0]]);
  });
});
