import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { brokerProgram } from '../../../broker/flags.ts';
import { UsageErrors } from '../program.ts';
import { optionOfFlatKey, placesOf } from './keys.ts';
import { readOptions } from './read-options.ts';

/** A file in which each kind of value stands, in sections and at the top. */
const CONTENT = {
  listen: ['mqtt://localhost:1883', 'ws://localhost:8083'],
  'socket-mode': '0660',
  tls: { cert: 'server.crt', key: 'server.key' },
  'allow-anonymous': true,
  kafka: { listen: 'localhost:9092', partitions: 3, 'auto-create': false },
  'max-message': '16MiB',
  'max-clients': 500,
  'slow-consumer': { policy: 'drop-oldest', wait: '500ms' },
  keep: { topics: ['sensors/#', 'alarms/#=ALARMS'], for: '30d' },
  'data-dir': '/var/lib/tinymq',
  log: { level: 'warn' },
};
const FORMATS = {
  yaml: stringify(CONTENT),
  json: JSON.stringify(CONTENT, undefined, 2),
};

/** Numbers that look random, and are the same each time. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type Outcome = { read: Map<string, readonly string[]> } | { problems: readonly string[] };

function outcomeOf(text: string, file: string): Outcome {
  try {
    const given = readOptions(brokerProgram, file, text);
    return { read: new Map([...given].map(([name, { texts }]) => [name, texts])) };
  } catch (error) {
    // Anything else would be a stack.
    expect(error, text).toBeInstanceOf(UsageErrors);
    return { problems: (error as UsageErrors).problems };
  }
}

/** What an independent reading of the text gives, by the names of flags. */
function meantBy(text: string): Map<string, string[]> {
  const meant = new Map<string, string[]>();
  const take = (name: string, value: unknown) =>
    meant.set(
      name,
      [value].flat().map((item) => String(item)),
    );
  for (const [key, value] of Object.entries(
    (parse(text, { schema: 'failsafe', merge: false }) ?? {}) as object,
  )) {
    const dashedKey = dashedOf(key);
    const isSection = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isSection) {
      const name = optionOfFlatKey(brokerProgram, dashedKey);
      if (name !== undefined) take(name, value);
      continue;
    }
    for (const [inner, each] of Object.entries(value as object)) {
      const place = placesOf(brokerProgram).find(
        ({ section, key: known }) => section === dashedKey && known === dashedOf(inner),
      );
      if (place !== undefined) take(place.name, each);
    }
  }
  return meant;
}

function dashedOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const PIECES = [
  '',
  ' ',
  '\n',
  '\t',
  ':',
  '-',
  '"',
  "'",
  '[',
  ']',
  '{',
  '}',
  ',',
  '#',
  '&a',
  '*a',
  '!',
  '%',
  '|',
  '\\',
  '0',
  'x',
  '~',
  '<<',
  '\u0000',
  'ä',
];

it.each(Object.keys(FORMATS) as (keyof typeof FORMATS)[])(
  'a thousand changed files (%s) give faults with their place, or what stands in them',
  (format) => {
    const original = FORMATS[format];
    const file = join('/etc', `tinymq.${format}`);
    const random = randomFrom(format.length);
    let refused = 0;
    for (let round = 0; round < 1_000; round++) {
      let text = original;
      for (let change = 0; change <= random(3); change++) {
        const at = random(text.length);
        text = text.slice(0, at) + PIECES[random(PIECES.length)] + text.slice(at + random(4));
      }
      const outcome = outcomeOf(text, file);
      if ('problems' in outcome) {
        refused++;
        for (const problem of outcome.problems)
          expect(problem).toMatch(/^\/etc\/tinymq\.(yaml|json):(\d+:\d+: \S|and \d+ more)/s);
        continue;
      }
      const meant = meantBy(text);
      for (const [name, texts] of outcome.read) {
        const isPath = /^(FILE|FOLDER)/.test(brokerProgram.options[name as 'users'].placeholder);
        const wanted = meant
          .get(name)
          ?.map((item) => (isPath && !item.startsWith('/') ? join('/etc', item) : item));
        expect([name, texts], text).toEqual([name, wanted]);
      }
      expect([...outcome.read.keys()].sort()).toEqual([...meant.keys()].sort());
    }
    expect(refused).toBeGreaterThan(300);
  },
);

it('names the key that was meant, for every slip of one letter in every key', () => {
  const places = placesOf(brokerProgram);
  const names = new Set(places.flatMap(({ name, key }) => [name, key]));
  for (const { name, section, key } of places) {
    const slips = [key.slice(0, -1), `${key}x`, key.slice(0, 1) + key, key.slice(1)];
    for (const slip of slips.filter((written) => written.length > 2 && !names.has(written))) {
      const content = section === undefined ? `${slip}: 1` : `${section}:\n  ${slip}: 1`;
      const outcome = outcomeOf(content, 'x.yaml');
      const at = section === undefined ? 'x.yaml:1:1' : 'x.yaml:2:3';
      expect(outcome, name).toMatchObject({ problems: [expect.stringMatching(/did you mean|the keys of/)] });
      expect((outcome as { problems: string[] }).problems[0]).toContain(at);
    }
  }
});
