import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { brokerProgram } from '../../../broker/flags.ts';
import { publisherProgram } from '../../../publisher/flags.ts';
import { placesOf } from './keys.ts';
import { readOptions } from './read-options.ts';
import { schemaOf } from './schema.ts';

const schema = schemaOf(brokerProgram);
const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);

function isRead(content: unknown): boolean {
  try {
    readOptions(brokerProgram, 'x.yaml', stringify(content));
    return true;
  } catch {
    return false;
  }
}

it('docs/tinymq.schema.json is the schema of the table of options (npx vitest -u writes it anew)', async () => {
  await expect(`${JSON.stringify(schema, undefined, 2)}\n`).toMatchFileSnapshot(
    '../../../../docs/tinymq.schema.json',
  );
});

it('is a schema of draft 2020-12, of other programs too', () => {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
  for (const program of [brokerProgram, publisherProgram])
    expect(ajv.validateSchema(schemaOf(program)), ajv.errorsText()).toBe(true);
});

describe('allows and refuses what the broker does', () => {
  const words = Object.values(brokerProgram.options).flatMap(({ placeholder, defaultText = '0' }) => [
    ...placeholder.split('|'),
    defaultText,
  ]);
  const scalar = fc.oneof(
    fc.constantFrom(...words),
    fc.constantFrom(
      true,
      false,
      0,
      1,
      7,
      660,
      1_000_000_000,
      -1,
      '7',
      '16MiB',
      '500ms',
      '30d',
      'yes',
      'off',
      '1,5k',
      '',
    ),
  );
  const value = fc.oneof(
    { weight: 5, arbitrary: scalar },
    fc.array(scalar, { minLength: 1, maxLength: 3 }),
    fc.constantFrom(null, {}, { a: 1 }),
  );
  const keys = placesOf(brokerProgram).flatMap(({ name, section, key }) => [
    [name],
    section === undefined ? [key] : [section, key],
  ]);

  it('of one key', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...keys, ['keep-four'], ['kafka', 'partition'], ['log']),
        value,
        ([first, second], given) => {
          const content = { [first]: second === undefined ? given : { [second]: given } };
          const isValid = validate(content);
          // Bounds of a number that is a text, or has a unit, are known to its reader only.
          if (isValid && /^[\d.]+\s*\w*$/.test(String(given))) return;
          expect([content, isValid]).toEqual([content, isRead(content)]);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['nothing', null],
    [
      'all of it',
      { tls: null, kafka: { listen: [':1'], partitions: 3 }, keep: ['a'], keepFor: '1d', $schema: 'x' },
    ],
  ])('%s', (_, content) => {
    expect(validate(content), JSON.stringify(validate.errors)).toBe(true);
    expect(isRead(content)).toBe(true);
  });
});
