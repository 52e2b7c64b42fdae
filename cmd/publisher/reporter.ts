import { Output } from '../shared/output.ts';
import { jsonPayload, printable, printableText } from '../shared/printable.ts';
import { Rate } from '../shared/rate.ts';
import { coloursFor } from '../shared/run-program.ts';

export interface ReporterOptions {
  quiet: boolean;
  json: boolean;
  stats: boolean;
}

/** Tells what was published. */
export class Reporter {
  readonly #topic: string;
  readonly #options: ReporterOptions;
  readonly #rate: Rate | undefined;
  readonly #output = new Output(
    process.stdout,
    () => {},
    () => {},
  );
  readonly #colours = coloursFor(process.stdout);

  constructor(topic: string, options: ReporterOptions) {
    this.#topic = topic;
    this.#options = options;
    this.#rate = options.stats ? new Rate('published') : undefined;
  }

  published(payload: string | Uint8Array): void {
    this.#rate?.add(payload.length);
    if (this.#options.quiet || (this.#options.stats && !this.#options.json)) return;
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    if (this.#options.json) {
      const line = { topic: this.#topic, ...jsonPayload(bytes), time: new Date().toISOString() };
      this.#output.write(`${JSON.stringify(line)}\n`);
    } else {
      const topic = this.#colours.cyan(printableText(this.#topic));
      this.#output.write(`Published to ${topic}: ${printable(bytes)}\n`);
    }
  }

  async end(): Promise<void> {
    this.#rate?.end();
    await this.#output.end();
  }
}
