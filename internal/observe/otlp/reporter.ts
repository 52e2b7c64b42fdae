import { nameForLog } from '../../errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { fateTextCharacters } from '../../limits/observe.ts';
import { ExportError, type Rejected, reasonOf } from './send.ts';

/** Says once in the log that exports fail, or that some of them is not taken, and once that they work again. */
export class Reporter {
  readonly #what: string;
  readonly #collector: string;
  readonly #logger: Logger;
  #hasFailed = false;
  #wasRejected = false;

  /** @param what is exported, in the plural. */
  constructor(what: string, url: URL, logger: Logger) {
    this.#what = what;
    this.#collector = url.origin;
    this.#logger = logger;
  }

  worked(rejected: Rejected | undefined): void {
    const collector = this.#collector;
    if (this.#hasFailed) this.#logger.info({ collector }, `${this.#what} are exported again`);
    this.#hasFailed = false;
    if (rejected !== undefined && !this.#wasRejected) {
      const { count, message } = rejected;
      const fields = { collector, rejected: count, reason: nameForLog(message, fateTextCharacters) };
      this.#logger.warn(fields, `the collector does not take all ${this.#what}`);
    }
    this.#wasRejected = rejected !== undefined;
  }

  /** @param isLate time is up. */
  failed(error: unknown, isLate: boolean): void {
    const isKnown = error instanceof ExportError || !isLate;
    const reason = isKnown ? reasonOf(error) : 'it did not answer in time';
    if (!this.#hasFailed)
      this.#logger.warn({ collector: this.#collector, error: reason }, `${this.#what} are not exported`);
    this.#hasFailed = true;
  }
}
