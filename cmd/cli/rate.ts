const EVERY_MS = 1_000;

/** Counts messages and shows their rate every second, on the standard error: one line on a terminal, else many. */
export class Rate {
  messages = 0;
  bytes = 0;
  readonly #verb: string;
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #shownMessages = 0;
  #shownBytes = 0;
  #shownAt = performance.now();

  /** @param verb what happened to the messages, `published` or `received`. */
  constructor(verb: string) {
    this.#verb = verb;
    this.#timer = setInterval(() => this.#show(), EVERY_MS).unref();
  }

  add(bytes: number): void {
    this.messages++;
    this.bytes += bytes;
  }

  /** Shows the sum and stops. */
  end(): void {
    clearInterval(this.#timer);
    const seconds = (performance.now() - this.#startedAt) / 1000;
    this.#write(
      `${thousands(this.messages)} messages ${this.#verb} in ${seconds.toFixed(1)} s, ` +
        `${thousands(this.messages / seconds)} a second`,
      true,
    );
  }

  #show(): void {
    const now = performance.now();
    const seconds = (now - this.#shownAt) / 1000;
    const rate = (this.messages - this.#shownMessages) / seconds;
    const megabytes = (this.bytes - this.#shownBytes) / seconds / 1e6;
    this.#shownMessages = this.messages;
    this.#shownBytes = this.bytes;
    this.#shownAt = now;
    this.#write(
      `${thousands(rate)} messages a second, ${megabytes.toFixed(2)} MB/s, ${thousands(this.messages)} ${this.#verb}`,
      false,
    );
  }

  #write(line: string, isLast: boolean): void {
    const { stderr } = process;
    if (stderr.isTTY) stderr.write(`\r\u001b[K${line}${isLast ? '\n' : ''}`);
    else stderr.write(`${line}\n`);
  }
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
