import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textWidth } from '../../internal/lib/text-width.ts';
import { tableText } from './table.ts';

const columns = ['ID', 'CLIENT', 'REMOTE'].map((title) => ({ title, minWidth: 0 }));
const rows = [
  ['7', 'センサー-玄関', '10.0.0.1:50123'],
  ['12345', 'a-client-with-a-name-that-nobody-would-choose', '[2001:db8::1]:50123'],
];

describe('a table', () => {
  it('keeps wide characters in line', () => {
    expect(tableText(columns, [rows[0]!, ['12', 'b', 'x']], 80)).toBe(
      'ID CLIENT        REMOTE\n7  センサー-玄関 10.0.0.1:50123\n12 b             x\n',
    );
  });

  it('cuts the widest columns to the width of the terminal, and no more than that takes', () => {
    expect(tableText(columns, rows, 50).split('\n')).toEqual([
      'ID    CLIENT                   REMOTE',
      '7     センサー-玄関            10.0.0.1:50123',
      '12345 a-client-with-a-name-th… [2001:db8::1]:50123',
      '',
    ]);
  });

  it('gives a pipe everything', () => {
    const [, , line] = tableText(columns, rows, undefined).split('\n');
    expect(line).toBe('12345 a-client-with-a-name-that-nobody-would-choose [2001:db8::1]:50123');
  });

  it('gives up the room that it only has by habit before it cuts anything', () => {
    const usual = [{ title: 'GROUP' }, { title: 'TOPIC' }, { title: 'LAG' }];
    expect(tableText(usual, [['g', 'orders', 12]], 40)).toBe(
      'GROUP           TOPIC           LAG\ng               orders          12\n',
    );
    expect(tableText(usual, [['g', 'orders', 12]], 20)).toBe('GROUP TOPIC  LAG\ng     orders 12\n');
  });

  it('never makes a line that is longer than the terminal, whatever is in it', () => {
    const cell = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('温度', '👨‍👩‍👧', 'x'.repeat(200)),
    );
    fc.assert(
      fc.property(
        fc.array(fc.array(cell, { minLength: 3, maxLength: 3 })),
        fc.integer({ min: 1, max: 120 }),
        (some, width) => {
          for (const line of tableText(columns, some, width).split('\n'))
            expect(textWidth(line)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });
});
