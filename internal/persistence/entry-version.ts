/**
 * Every value that this room gives the store begins with one byte: its high bit is set, the other seven are the version of
 * its layout.
 *
 * Version 2 puts the user before a retained message (session-records.ts), and a checksum before users, rules and limits
 * (access-entries.ts).
 *
 * The rule for a change of a layout: raise {@link ENTRY_VERSION}, write the new layout only, and go on reading all older
 * ones by their version. Values of version 0 have no such byte; none of them begins with a byte whose high bit is set. A
 * version that is not known was written by a newer tinymq: the value is reported and left where it is. Where an older
 * tinymq would misread the new layout, the store's own format is raised too (store/sqlite/schema.ts), so that it refuses
 * the file.
 */
const ENTRY_VERSION = 2;

const VERSIONED = 0x80;

/** The byte with which a value begins. */
export const VERSION_BYTE = VERSIONED | ENTRY_VERSION;

/** The version of a value's layout. */
export function versionOf(value: Uint8Array): number {
  const first = value[0] ?? 0;
  return (first & VERSIONED) === 0 ? 0 : first & ~VERSIONED;
}

/**
 * A value without its version byte.
 *
 * @throws Error for a value of a newer version.
 */
export function bodyOf(value: Uint8Array): Uint8Array {
  const version = versionOf(value);
  if (version > ENTRY_VERSION)
    throw new Error(`its layout has version ${version}, which a newer tinymq wrote`);
  return version === 0 ? value : value.subarray(1);
}
