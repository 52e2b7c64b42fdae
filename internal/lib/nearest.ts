/**
 * The word that is meant by `written`, where one of `known` is so near that a slip of the keys explains the rest: a third
 * of its letters, but at least one.
 */
export function nearest(written: string, known: Iterable<string>): string | undefined {
  let found: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const word of known) {
    const distance = slipsBetween(written.toLowerCase(), word.toLowerCase());
    if (distance >= least || distance > Math.max(1, Math.floor(word.length / 3))) continue;
    least = distance;
    found = word;
  }
  return found;
}

/** `; did you mean …?`, or nothing where no word is near. */
export function suggestion(written: string, known: Iterable<string>, prefix = ''): string {
  const word = nearest(written, known);
  return word === undefined ? '' : `; did you mean ${prefix}${word}?`;
}

/** How many letters were left out, added, exchanged for others, or swapped with their neighbours. */
function slipsBetween(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      let slips = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (isSame ? 0 : 1));
      const areSwapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (areSwapped && row > 1 && column > 1) slips = Math.min(slips, beforeLast[column - 2]! + 1);
      current.push(slips);
    }
    beforeLast = last;
    last = current;
  }
  return last.at(-1)!;
}
