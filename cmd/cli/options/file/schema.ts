import type { Option, OptionTable, ValueSchema } from '../option.ts';
import type { Program } from '../program.ts';
import { flatKeys, optionOfFlatKey, placesOf } from './keys.ts';

/** The name of the file beside a file of options, in which an editor finds the schema. */
export const SCHEMA_FILE = 'tinymq.schema.json';

/**
 * A JSON Schema (draft 2020-12) of a program's file of options, from its table of them. The other spellings of a key that the
 * program reads are in it too, as deprecated, so that an editor proposes one of them.
 */
export function schemaOf(program: Program<OptionTable>): ValueSchema {
  const places = placesOf(program);
  const definitions = places.map(({ name }) => [name, definitionOf(program.options[name])]);
  const canonical = new Set(
    places.map(({ section, key }) => (section === undefined ? key : `${section}.${key}`)),
  );
  const properties: Record<string, ValueSchema> = { $schema: { type: 'string' } };
  for (const key of flatKeys(program)) {
    const schema = referenceTo(optionOfFlatKey(program, key)!);
    for (const written of spellingsOf(key))
      properties[written] = canonical.has(written) ? schema : deprecated(schema);
  }
  for (const section of Object.keys(program.sections ?? {})) {
    const schema = sectionOf(program, section);
    for (const written of spellingsOf(section)) {
      const other = properties[written];
      const either =
        other === undefined ? schema : { description: schema.description, anyOf: [schema, other] };
      properties[written] = written === section ? either : deprecated(either);
    }
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:tinymq:${program.name}:options`,
    title: `The options of ${program.name}`,
    description: 'What tinymq.yaml may have in it: docs/configuration.md.',
    type: ['object', 'null'],
    additionalProperties: false,
    properties,
    $defs: Object.fromEntries(definitions),
  };
}

function sectionOf(program: Program<OptionTable>, section: string): ValueSchema {
  const { help, own } = program.sections![section];
  const properties: Record<string, ValueSchema> = {};
  for (const { name, key } of placesOf(program).filter((place) => place.section === section)) {
    for (const written of spellingsOf(key))
      properties[written] = written === key ? referenceTo(name) : deprecated(referenceTo(name));
  }
  return {
    description: help,
    // A section whose lines are all comments says nothing.
    type: own === undefined ? ['object', 'null'] : 'object',
    additionalProperties: false,
    properties,
  };
}

function definitionOf(option: Option<unknown>): ValueSchema {
  const { help, defaultText, isList, schema } = option;
  const value = isList ? { anyOf: [schema, { type: 'array', items: schema }] } : schema;
  return { description: help, ...(defaultText !== undefined && { default: defaultOf(option) }), ...value };
}

function defaultOf({ defaultText, isSwitch }: Option<unknown>): unknown {
  if (isSwitch) return defaultText === 'true';
  return /^(0|[1-9]\d*)$/.test(defaultText!) ? Number(defaultText) : defaultText;
}

function referenceTo(name: string): ValueSchema {
  return { $ref: `#/$defs/${name}` };
}

function deprecated(schema: ValueSchema): ValueSchema {
  return { ...schema, deprecated: true };
}

/** `keep-for` and `keepFor`. */
function spellingsOf(key: string): string[] {
  const camel = key.replace(/-(.)/g, (_dash, letter: string) => letter.toUpperCase());
  return camel === key ? [key] : [key, camel];
}
