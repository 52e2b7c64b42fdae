/** Names that stand in a field, one on each line: in a name may stand anything but a line break. */
export function linesOf(fields: FormData, name: string): string[] {
  const text = String(fields.get(name) ?? '');
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
}

/** The same for lists that are left out where nothing stands in them. */
export function listsOf(fields: FormData, names: readonly string[]): Record<string, string[]> {
  const lists = names.map((name): [string, string[]] => [name, linesOf(fields, name)]);
  return Object.fromEntries(lists.filter(([, lines]) => lines.length > 0));
}

/** What a form of the broker has in a list: one name stands without one. */
export function namesIn(value: unknown): readonly string[] {
  if (value === undefined) return [];
  return [value].flat().map(String);
}
