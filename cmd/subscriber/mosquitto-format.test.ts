import { describe, expect, it } from 'vitest';
import { Message } from '../../pkg/client/index.ts';
import { mosquittoFormat } from './mosquitto-format.ts';
import { strftime } from './strftime.ts';

function formatted(format: string, payload: string | Uint8Array = '22.5', topic = 'sensors/temp'): string {
  const bytes = Buffer.from(payload as string);
  const line = mosquittoFormat(format, '', complain)(new Message(topic, 'kitchen', bytes, 0, bytes.length));
  return Buffer.from(line).toString('latin1');
}

const complaints: string[] = [];
const complain = (problem: string) => complaints.push(problem);

describe('a format of mosquitto_sub', () => {
  // As mosquitto_sub 2.0.11 prints 22.5 on sensors/temp.
  it.each([
    ['[%10t]', '[sensors/temp]'],
    ['[%-14t]', '[sensors/temp  ]'],
    ['[%14t]', '[  sensors/temp]'],
    ['[%.3t]', '[sen]'],
    ['[%10.3t]', '[       sen]'],
    ['[%x]', '[32322e35]'],
    ['[%X]', '[32322E35]'],
    ['[%8x]', '[    3232]'],
    ['[%-8x]', '[3232    ]'],
    ['[%010x]', '[0000003232]'],
    ['[%3p]', '[22.]'],
    ['[%-8p]', '[22.5    ]'],
    ['[%05l]', '[00004]'],
    ['[%-5l]', '[4    ]'],
    ['[%5l]', '[    4]'],
    ['[%05m]', '[00000]'],
    ['[%q%r]', '[00]'],
    ['[%5E]', '[     ]'],
    ['[%05A]', '[00000]'],
    ['[%8C]', '[        ]'],
    ['[%R]', '[]'],
    ['[%D%P]', '[]'],
    ['[%S]', '[]'],
    ['@@ %% \\\\ \\t|\\e\\0\\a', '@ % \\ \t|\x1b\0\x07'],
  ])('%s', (format, line) => {
    expect(formatted(format)).toBe(line);
  });

  it('has the payload as it is, whatever it is', () => {
    expect(formatted('%p', Uint8Array.of(0, 0xff, 0x0a))).toBe('\0\xff\n');
    expect(Buffer.from(formatted('%.3t', '', 'aäb'), 'latin1').toString()).toBe('aä');
    expect(Buffer.from(formatted('%.2t', '', 'aäb'), 'latin1').toString()).toBe('a');
  });

  it('has JSON with the payload as text, or as what it is', () => {
    const tst = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d{4}$/);
    const common = { tst, topic: 'sensors/temp', qos: 0, retain: 0 };
    expect(JSON.parse(formatted('%j'))).toEqual({ ...common, payloadlen: 4, payload: '22.5' });
    expect(JSON.parse(formatted('%J'))).toEqual({ ...common, payloadlen: 4, payload: 22.5 });
    expect(JSON.parse(formatted('%j', ''))).toEqual({ ...common, payloadlen: 0, payload: null });
    expect(formatted('%J|', 'no json')).toBe('|');
    expect(complaints.splice(0)).toEqual(['Message payload is not valid JSON on topic sensors/temp']);
  });

  it('has the time', () => {
    expect(formatted('%I')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}$/);
    expect(Number(formatted('%U'))).toBeCloseTo(Date.now() / 1000, -2);
    expect(formatted('@Y @N')).toMatch(/^\d{4} \d{9}$/);
  });

  it.each(['%', '%y', '\\q', '@', '@!', 'a\\'])('refuses %j, which means nothing', (format) => {
    expect(() => formatted(format)).toThrow('is not one of the sequences');
  });
});

describe('strftime', () => {
  // As strftime(3) has these in the locale C and UTC.
  it.each<[letters: string, time: string, text: string]>([
    ['a A b B c', '2026-11-29T02:19:25Z', 'Sun|Sunday|Nov|November|Sun Nov 29 02:19:25 2026'],
    ['C d D e F g G h', '2026-11-29T02:19:25Z', '20|29|11/29/26|29|2026-11-29|26|2026|Nov'],
    ['H I j k l p P r', '2026-11-29T02:19:25Z', '02|02|333| 2| 2|AM|am|02:19:25 AM'],
    ['R s T u U V w W', '2026-11-29T02:19:25Z', '02:19|1795918765|02:19:25|7|48|48|0|47'],
    ['x X y z Z', '2026-11-29T02:19:25Z', '11/29/26|02:19:25|26|+0000|UTC'],
    ['e I p j U W V G g', '2027-01-01T12:00:00Z', ' 1|12|PM|001|00|00|53|2026|26'],
    ['V G j', '2024-12-31T23:59:59Z', '01|2025|366'],
  ])('%s of %s', (letters, time, text) => {
    const zone = process.env.TZ;
    process.env.TZ = 'UTC';
    try {
      expect(
        letters
          .split(' ')
          .map((letter) => strftime(letter, new Date(time)))
          .join('|'),
      ).toBe(text);
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
  });
});
