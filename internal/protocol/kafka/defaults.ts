import { type Field, type ScalarType, type StructField, ZERO_UUID } from './schema.ts';

const NO_BYTES = Buffer.alloc(0);
/** Shared by all values that were read, whose types do not let anybody write to it. */
export const NO_ELEMENTS: readonly never[] = Object.freeze([]);

/** The value of a field in a version that does not have it, or of a tagged field that was not sent. */
export function defaultOf(field: Field): unknown {
  if (field.default !== undefined) return field.default;
  if (field.kind === 'array') return NO_ELEMENTS;
  if (field.kind === 'struct') return defaultsOf(field);
  return zeroOf(field.type);
}

/** All the defaults of a struct, in one value that is never written to. */
function defaultsOf(struct: StructField): object {
  const defaults = Object.entries(struct.fields).map(([name, field]) => [name, defaultOf(field)]);
  return Object.freeze(Object.fromEntries(defaults));
}

function zeroOf(type: ScalarType): unknown {
  switch (type) {
    case 'bool':
      return false;
    case 'string':
      return '';
    case 'uuid':
      return ZERO_UUID;
    case 'bytes':
    case 'records':
      return NO_BYTES;
    default:
      return 0;
  }
}

/** Whether a value that is to be written is the default of its field, so that a tag can be left out. */
export function isDefault(field: Field, value: unknown): boolean {
  if (value === undefined) return true;
  const otherwise = defaultOf(field);
  if (value === null || otherwise === null) return value === otherwise;
  if (field.kind === 'array') return (value as readonly unknown[]).length === 0;
  if (field.kind === 'struct') return hasOnlyDefaults(field, value as Record<string, unknown>);
  // Several pieces of records count as their list: none of them, none to write.
  if (field.type === 'bytes' || field.type === 'records') return (value as Uint8Array).length === 0;
  return value === otherwise;
}

function hasOnlyDefaults(struct: StructField, value: Record<string, unknown>): boolean {
  for (const name in struct.fields) if (!isDefault(struct.fields[name]!, value[name])) return false;
  return true;
}
