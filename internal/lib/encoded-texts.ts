/** They take some 100 KiB. */
const MAX_TEXTS = 1_024;
/** Longer ones are encoded each time: they rarely come again. */
const MAX_CHARACTERS = 256;

const utf8 = new TextEncoder();

/** The UTF-8 of texts that come again and again, such as names of clients, topics and headers. Nobody writes into what it returns. */
export class EncodedTexts {
  readonly #maxTexts: number;
  readonly #known = new Map<string, Uint8Array>();

  /** @param maxTexts how many it remembers before it begins anew */
  constructor(maxTexts = MAX_TEXTS) {
    this.#maxTexts = maxTexts;
  }

  bytesOf(text: string): Uint8Array {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const bytes = utf8.encode(text);
    if (text.length > MAX_CHARACTERS) return bytes;
    if (this.#known.size >= this.#maxTexts) this.#known.clear();
    this.#known.set(text, bytes);
    return bytes;
  }
}
