import { describe, expect, it } from 'vitest';
import { traceContextOf } from './trace-context.ts';

const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const of = (headers: Record<string, string>) => traceContextOf((name) => headers[name]);

describe('the context of a trace', () => {
  it('is taken with its state', () => {
    expect(of({ traceparent: PARENT, tracestate: 'a=1,b=2' })).toEqual([
      ['traceparent', PARENT],
      ['tracestate', 'a=1,b=2'],
    ]);
    expect(of({ traceparent: `cc${PARENT.slice(2)}-more` })).toHaveLength(1);
  });

  it.each([
    '',
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    PARENT.toUpperCase(),
    `${PARENT}\r\nx: y`,
    `${PARENT}-${'x'.repeat(600)}`,
  ])('is none: %j', (traceparent) => expect(of({ traceparent, tracestate: 'a=1' })).toEqual([]));

  it('goes without a state that is too long or no text', () => {
    for (const tracestate of ['', 'x'.repeat(513), 'a=\n'])
      expect(of({ traceparent: PARENT, tracestate })).toEqual([['traceparent', PARENT]]);
  });
});
