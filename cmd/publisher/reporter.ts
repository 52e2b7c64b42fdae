import { jsonLine, jsonPayload, printable, printableText } from '../../internal/lib/printable.ts';
import { Output } from '../cli/output.ts';
import { Rate } from '../cli/rate.ts';
import { coloursFor } from '../cli/run-program.ts';

/** More of a payload would only be in the way. */
const SHOWN_BYTES = 256;

export interface ReporterOptions {
  quiet: boolean;
  json: boolean;
  stats: boolean;
}

/** Tells what was published. */
export class Reporter {
  readonly #topic: string;
  readonly #shownTopic: string;
  readonly #options: ReporterOptions;
  readonly #rate: Rate | undefined;
  readonly #output = new Output(process.stdout);

  constructor(topic: string, options: ReporterOptions) {
    this.#topic = topic;
    this.#shownTopic = coloursFor(process.stdout).cyan(printableText(topic));
    this.#options = options;
    this.#rate = options.stats ? new Rate('published') : undefined;
  }

  /** @returns a promise where the next message is to wait until this has been read. */
  published(payload: Uint8Array): Promise<void> | undefined {
    this.#rate?.add(payload.length);
    const { quiet, json, stats } = this.#options;
    if (quiet || (stats && !json)) return undefined;
    this.#output.write(json ? this.#jsonLine(payload) : this.#line('Published', payload));
    return this.#output.room;
  }

  /** Tells of a message that waits until the broker is back; returns as {@link published} does. */
  waits(payload: Uint8Array): Promise<void> | undefined {
    this.#rate?.add(payload.length);
    const { quiet, json, stats } = this.#options;
    if (quiet || (stats && !json)) return undefined;
    this.#output.write(json ? this.#jsonLine(payload, true) : this.#line('Waiting to be published', payload));
    return this.#output.room;
  }

  /** Tells that so many messages that waited were sent. */
  sent(count: number): void {
    const { quiet, json, stats } = this.#options;
    if (quiet || stats || json) return;
    this.#output.write(`Published ${count} that waited\n`);
  }

  async end(): Promise<void> {
    this.#rate?.end();
    await this.#output.end();
  }

  #jsonLine(payload: Uint8Array, waiting?: true): string {
    const time = new Date().toISOString();
    return jsonLine({ topic: this.#topic, ...jsonPayload(payload), time, waiting });
  }

  #line(what: string, payload: Uint8Array): string {
    const where = `${what} to ${this.#shownTopic}:`;
    if (payload.length === 0) return `${where} (empty)\n`;
    if (payload.length <= SHOWN_BYTES) return `${where} ${printable(payload)}\n`;
    const beginning = printable(payload.subarray(0, wholeCharacters(payload, SHOWN_BYTES)));
    return `${where} ${beginning}… (${payload.length} bytes)\n`;
  }
}

/** The length, or a little less where it would cut a character of UTF-8 into two. */
function wholeCharacters(bytes: Uint8Array, length: number): number {
  for (let end = length; end > length - 4; end--) if ((bytes[end] & 0xc0) !== 0x80) return end;
  return length;
}
