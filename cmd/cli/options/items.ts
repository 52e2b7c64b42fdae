/** Several items may stand behind one flag, with commas between, and spaces around them. */
export function itemsOf(texts: readonly string[]): string[] {
  return texts
    .flatMap((text) => text.split(','))
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
