import { describe, expect, it } from 'vitest';
import { prettyLine } from './logger.ts';

describe('a log line for people', () => {
  it('has the time, the level, the message and the fields', () => {
    const line = JSON.stringify({
      level: 'warn',
      time: '2026-01-02T03:04:05.678Z',
      client: 'kitchen',
      dropped: 3,
      nested: { a: 1 },
      msg: 'slow',
    });
    expect(prettyLine(line)).toBe('03:04:05 warn  slow  client=kitchen  dropped=3  nested={"a":1}\n');
  });

  it('never brings an escape sequence of a client to the terminal', () => {
    const line = JSON.stringify({ level: 'info', time: '', msg: '\u001b[2J', client: 'a\nb' });
    expect(prettyLine(line)).toMatch(/\\x1b\[2J {2}client=a\\nb\n$/);
  });
});
