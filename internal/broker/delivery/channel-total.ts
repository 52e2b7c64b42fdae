/** The part of what is left that one subscriber may have: the next one always finds some. */
const SHARE = 1 / 8;

/** The bytes waiting for all subscribers together. The more there are, the fewer may wait for each. */
export class ChannelTotal {
  bytes = 0;
  readonly #mostBytes: number;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** How much may wait for one subscriber now. */
  get shareBytes(): number {
    return (this.#mostBytes - this.bytes) * SHARE;
  }
}
