import type { HeaderField } from '../header-field.ts';

/** The fields of a connection that both sides remember, the newest first (RFC 7541, section 2.3.2). */
export class DynamicTable {
  #maxBytes: number;
  #bytes = 0;
  /** The oldest first; those before `#first` are gone. */
  #fields: (HeaderField | undefined)[] = [];
  #first = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  get count(): number {
    return this.#fields.length - this.#first;
  }

  /** The field that was added as the one before the last `age` others; undefined where it is not there. */
  get(age: number): HeaderField | undefined {
    return age < this.count ? this.#fields[this.#fields.length - 1 - age] : undefined;
  }

  /** How many fields were added after this very one; -1 where it is not there. */
  ageOf(field: HeaderField): number {
    const last = this.#fields.length - 1;
    for (let index = last; index >= this.#first; index--)
      if (this.#fields[index] === field) return last - index;
    return -1;
  }

  /** Adds a field. One that is larger than the table empties it, which is no error (RFC 7541, section 4.4). */
  add(field: HeaderField): void {
    this.#evictTo(this.#maxBytes - field.sizeBytes);
    if (field.sizeBytes > this.#maxBytes) return;
    this.#fields.push(field);
    this.#bytes += field.sizeBytes;
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes && this.#first < this.#fields.length) {
      this.#bytes -= this.#fields[this.#first]!.sizeBytes;
      this.#fields[this.#first++] = undefined;
    }
    if (this.#first < SHIFT_AT || this.#first * 2 < this.#fields.length) return;
    this.#fields = this.#fields.slice(this.#first);
    this.#first = 0;
  }
}

/** Places of fields that are gone, before the others move up. */
const SHIFT_AT = 64;
