import { Chalk } from 'chalk';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Message } from '../../pkg/client/index.ts';
import { ReplayedMessage } from '../../pkg/client/message.ts';
import { UsageError } from '../cli/options/program.ts';
import { type RenderOptions, rendererOf } from './render.ts';

const plain = new Chalk({ level: 0 });
const nothing: RenderOptions = {
  ...{ format: undefined, 'mosquitto-format': undefined, verbose: false, 'omit-newline': false },
  ...{ raw: false, json: false, stats: false },
};
const NOT_UTF8 = Uint8Array.of(0x61, 0xff);

function messageOf(payload: string | Uint8Array, topic = 'sensors/temp', clientId = 'kitchen'): Message {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return new Message(topic, clientId, bytes, 0, bytes.length);
}

function replayed(log: string, publishedAtMs: number): Message {
  const place = { log, partition: 2, offset: 41, publishedAtMs };
  return new ReplayedMessage('sensors/temp', 'kitchen', Buffer.from('22.5'), 0, 4, place);
}

function rendered(options: Partial<RenderOptions>, message: Message): string | Uint8Array {
  return rendererOf({ ...nothing, ...options }, plain)!(message);
}

describe('a message', () => {
  it('is a line', () => {
    expect(rendered({}, messageOf('22.5'))).toBe('Received on sensors/temp: 22.5\n');
    expect(rendered({}, messageOf('a\nb', 'x\u001b'))).toBe('Received on x\\x1b: a\\nb\n');
    expect(rendered({}, messageOf(NOT_UTF8))).toBe('Received on sensors/temp: a\\xff\n');
  });

  it('has colours on a terminal only', () => {
    const colourful = rendererOf(nothing, new Chalk({ level: 1 }))!(messageOf('22.5'));
    expect(colourful).toBe('Received on \u001b[36msensors/temp\u001b[39m: 22.5\n');
  });

  it('is an object with -json', () => {
    const line = rendered({ json: true }, messageOf('a\nb')) as string;
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(JSON.parse(line)).toEqual({
      topic: 'sensors/temp',
      payload: 'a\nb',
      clientId: 'kitchen',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
    expect(JSON.parse(rendered({ json: true }, messageOf(NOT_UTF8)) as string)).toMatchObject({
      payload: 'Yf8=',
      encoding: 'base64',
    });
  });

  it('of a replay has its place and its time of publishing with -json', () => {
    expect(JSON.parse(rendered({ json: true }, replayed('sensors.temp', 0)) as string)).toEqual({
      topic: 'sensors/temp',
      payload: '22.5',
      clientId: 'kitchen',
      log: 'sensors.temp',
      partition: 2,
      offset: 41,
      publishedAt: '1970-01-01T00:00:00.000Z',
      time: expect.any(String),
    });
  });

  it('is its bytes with -raw', () => {
    expect(Buffer.from(rendered({ raw: true }, messageOf(NOT_UTF8)) as Uint8Array)).toEqual(
      Buffer.from(NOT_UTF8),
    );
  });

  it('is nothing with -stats alone', () => {
    expect(rendererOf({ ...nothing, stats: true }, plain)).toBeUndefined();
    expect(rendered({ stats: true, json: true }, messageOf(''))).toContain('"payload":""');
  });
});

describe('-format', () => {
  it.each<[string, string]>([
    ['%p', '22.5\n'],
    ['%t %p', 'sensors/temp 22.5\n'],
    ['%t\\t%p\\n', 'sensors/temp\t22.5\n'],
    ['%l bytes of %i', '4 bytes of kitchen\n'],
    ['%x', '32322e35\n'],
    ['100%% \\\\', '100% \\\n'],
    ['', '\n'],
    ['ü 🌡', 'ü 🌡\n'],
  ])('%j', (format, expected) => {
    expect(rendered({ format }, messageOf('22.5'))).toBe(expected);
  });

  it('%T is the time', () => {
    expect(rendered({ format: '%T' }, messageOf(''))).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n$/);
  });

  it.each([
    [replayed('sensors.temp', 1_500), '41 sensors.temp 2 1970-01-01T00:00:01.500Z\n'],
    [replayed('x\u001b', -1), '41 x\\x1b 2 -\n'],
    [replayed('a', 9e15), '41 a 2 -\n'],
    [messageOf(''), '- - - -\n'],
  ])('%o, %L, %n and %P are its place and its time of publishing', (message, expected) => {
    expect(rendered({ format: '%o %L %n %P' }, message)).toBe(expected);
  });

  it.each(['%z', '%', '\\q', '50%'])('%j is wrong usage', (format) => {
    expect(() => rendererOf({ ...nothing, format }, plain)).toThrow(UsageError);
  });

  it.each<Partial<RenderOptions>>([
    { format: '%p', raw: true },
    { format: '', json: true },
    { raw: true, json: true },
  ])('and its like exclude each other: %j', (options) => {
    expect(() => rendererOf({ ...nothing, ...options }, plain)).toThrow('do not go together');
  });
});

it('whatever is published, a terminal gets no control character but the line break at the end', () => {
  const text = fc.string({ unit: 'binary' });
  const options = fc.constantFrom<Partial<RenderOptions>>({}, { format: '%t %p %i %x' }, { json: true });
  fc.assert(
    fc.property(fc.uint8Array(), text, text, options, (payload, topic, clientId, chosen) => {
      const line = rendered(chosen, messageOf(payload, topic, clientId)) as string;
      expect(line.at(-1)).toBe('\n');
      expect(line.slice(0, -1)).not.toMatch(/\p{Cc}/u);
    }),
  );
});
