/** The text that was read last out of some bytes: most messages of a run have the same topic, and all have the same publisher. */
export class LastText {
  readonly #read: (start: number, end: number) => string;
  #text = '';
  #start = 0;
  #end = 0;

  /** @param read what lies between two places. */
  constructor(read: (start: number, end: number) => string) {
    this.#read = read;
  }

  /** @param bytes the same each time. */
  of(bytes: Uint8Array, start: number, end: number): string {
    if (this.#isAt(bytes, start, end)) return this.#text;
    this.#text = this.#read(start, end);
    this.#start = start;
    this.#end = end;
    return this.#text;
  }

  #isAt(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start !== this.#end - this.#start) return false;
    for (let index = 0; index < end - start; index++) {
      if (bytes[start + index] !== bytes[this.#start + index]) return false;
    }
    return true;
  }
}
