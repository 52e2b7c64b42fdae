import type { ConsumedRecord, InteropRecord } from './client-program.ts';

interface Plain extends Partial<Omit<InteropRecord, 'key' | 'value' | 'headers'>> {
  key?: string | null;
  value?: string | null;
  headers?: Record<string, string | string[]>;
}

/** A record out of texts. */
export function record({ key = null, value = null, headers = {}, ...rest }: Plain): InteropRecord {
  const list = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((each): [string, string | null] => [name, base64(each)]),
  );
  return { key: base64(key), value: base64(value), headers: list, ...rest };
}

/** So many records with keys that come again and again, numbered in their values and in a header. */
export function numbered(count: number, keys = 50): InteropRecord[] {
  return Array.from({ length: count }, (_, number) =>
    record({
      key: `key-${number % keys}`,
      value: `value-${number}`,
      headers: { number: String(number), kind: ['first', 'second'] },
    }),
  );
}

/** What of a record must be the same on both sides. */
export function content({ key, value, headers }: InteropRecord): Omit<InteropRecord, 'partition'> {
  return { key, value, headers };
}

/** The values as texts, in the order of their offsets, by partition. */
export function valuesByPartition(records: readonly ConsumedRecord[]): Map<number, string[]> {
  const byPartition = new Map<number, string[]>();
  for (const { partition, value } of records) {
    const values = byPartition.get(partition) ?? [];
    byPartition.set(partition, values);
    values.push(Buffer.from(value ?? '', 'base64').toString());
  }
  return byPartition;
}

function base64(text: string | null): string | null {
  return text === null ? null : Buffer.from(text).toString('base64');
}
