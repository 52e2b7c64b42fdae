import { describe, expect, it } from 'vitest';
import { factsOf, isForeign } from './messages.ts';

const FACTS = {
  'l.8.-': '1,3,5,10,11,2,7,7,100,50',
  'l.8.-7': '2,3,5,10,11,2,-1,7,100,50,2',
  m: '1,3,0,5',
  'f.8': '1,3,5,10,11,7,100,150',
  'd.8': '1,3,5',
  'g.abc.def.0': '1,3,5',
  'h.abc': '1,3,5',
};
const all = Object.entries(FACTS);
/** What no field of a message of a broker is. */
const NO_NUMBERS = ['', ' ', 'x', 'NaN', 'Infinity', '1e999', '0x1', '0.5', '9007199254740993', '--1', '1 '];

describe('what a message of a shard says of itself', () => {
  it('is read where a broker wrote it', () => {
    for (const [subject, facts] of all) {
      expect(isForeign({ subject, facts }), facts).toBe(false);
      expect(factsOf({ subject, facts })).toMatchObject({ epoch: 3 });
    }
    expect(factsOf({ subject: 'l.8.-7', facts: FACTS['l.8.-7'], producer: 'AAAA' })).toMatchObject({
      ...{ kind: 'batch', partition: 8, baseOffset: 10, lastOffset: 11, batchCount: 2 },
      producer: { id: -7n, state: 'AAAA' },
    });
  });

  it('is foreign where one field is no number, or missing', () => {
    for (const [subject, facts] of all) {
      const fields = facts.split(',');
      for (const [at] of fields.entries()) {
        for (const other of NO_NUMBERS) {
          const wrong = { subject, facts: fields.with(at, other).join(',') };
          expect(isForeign(wrong), wrong.facts).toBe(true);
          expect(factsOf(wrong)).toBeUndefined();
        }
        expect(factsOf({ subject, facts: fields.slice(0, at).join(',') })).toBeUndefined();
      }
    }
  });

  it('is foreign where numbers contradict each other, or the subject', () => {
    const wrong = [
      ['l.8.-', '1,3,5,10,9,2,7,7,100,50'],
      ['l.8.-', '1,3,5,-1,9,2,7,7,100,50'],
      ['l.8.-', '1,3,5,10,11,2,8,7,100,50'],
      ['l.8.-', '1,3,5,10,11,2,7,7,100,0'],
      ['l.8.-', '1,2147483648,5,10,11,2,7,7,100,50'],
      ['l.8.-', '0,3,5,10,11,2,7,7,100,50'],
      ['m', '2,3,0,5'],
      ['m', '1,3,0,-5'],
      ['f.8', '1,3,5,11,10,7,100,150'],
      ['f.8', '1,3,5,10,11,7,150,100'],
      ...['l.x.-', 'l.-8.-', 'l.8.y', 'l.8', 'l'].map((subject) => [subject, FACTS['l.8.-']]),
      ...['f', 'f.x', 'd', 'd.x', 'g.a', 'h', 'h.a.b', 'unknown', 'k.a'].map((subject) => [
        subject,
        '1,3,5,10,11,7,100,150',
      ]),
    ] as [string, string][];
    for (const [subject, facts] of wrong)
      expect(factsOf({ subject, facts }), `${subject} ${facts}`).toBeUndefined();
  });

  it('is not passed over where a later version wrote it', () => {
    const later = { subject: 'm', facts: '3,1,0,5' };
    expect(isForeign(later)).toBe(false);
    expect(() => factsOf(later)).toThrow('is of another version');
  });
});
