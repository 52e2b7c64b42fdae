/** Headers by their names; a name that comes several times has a list of values. */
export type HeaderValues = Readonly<Record<string, string | readonly string[]>>;

export type HeaderPair = [name: string, value: string];

export function headersOf(pairs: readonly HeaderPair[] = []): HeaderValues {
  const headers = new Map<string, string | readonly string[]>();
  for (const [name, value] of pairs) {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : [before, value].flat());
  }
  // A header may be called `__proto__`, which has to be a name like any other.
  return Object.fromEntries(headers);
}

export function pairsOf(headers: HeaderValues): HeaderPair[] {
  return Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value): HeaderPair => [name, String(value)]),
  );
}
