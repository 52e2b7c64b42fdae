const NAMED: Record<string, string | undefined> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\\': '\\' };

/** A text in which `\n`, `\t`, `\r`, `\0`, `\\` and `\x1f` stand for what they mean. */
export function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{1,2})|([ntr0\\]))/g, (_, hex: string | undefined, name: string) =>
    hex === undefined ? NAMED[name]! : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
