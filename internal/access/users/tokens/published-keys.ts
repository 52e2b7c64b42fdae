import { type Clock, systemClock } from '../../../lib/clock.ts';
import { keySetCooldownMs, keySetMaxAgeMs, keySetTimeoutMs, maxKeySetBytes } from '../../../limits/access.ts';
import { parsePublishedKeys, type TokenKeys } from './token-keys.ts';

/** Where keys come from. */
export interface KeySource {
  /** Undefined where none are known yet. */
  readonly current: TokenKeys | undefined;
  /** Looks for newer keys, because a token names one that is not known. */
  refresh(): Promise<void>;
  close(): void;
}

const NO_WHILE_AGO = Number.NEGATIVE_INFINITY;

/**
 * The keys that a provider of identities publishes at a URL (RFC 7517). Those that were fetched last hold until newer ones
 * come, also while the provider cannot be reached.
 */
export class PublishedKeys implements KeySource {
  readonly #url: URL;
  readonly #clock: Clock;
  readonly #report: (error: Error | undefined) => void;
  #keys: TokenKeys | undefined;
  #fetchedAtMs = NO_WHILE_AGO;
  #triedAtMs = NO_WHILE_AGO;
  #underWay: Promise<void> | undefined;
  readonly #closing = new AbortController();

  /**
   * Begins to fetch.
   *
   * @param report hears of each attempt.
   * @throws Error for a URL over which somebody could put keys of their own.
   */
  constructor(url: string, report: (error: Error | undefined) => void, clock: Clock = systemClock) {
    this.#url = checkedUrl(url);
    this.#report = report;
    this.#clock = clock;
    void this.refresh();
  }

  get current(): TokenKeys | undefined {
    if (this.#clock.elapsedMs() - this.#fetchedAtMs > keySetMaxAgeMs) void this.refresh();
    return this.#keys;
  }

  /** Several who ask at once wait for the same answer; who asks again soon gets none. */
  refresh(): Promise<void> {
    if (this.#underWay !== undefined) return this.#underWay;
    const now = this.#clock.elapsedMs();
    if (now - this.#triedAtMs < keySetCooldownMs || this.#closing.signal.aborted) return Promise.resolve();
    this.#triedAtMs = now;
    this.#underWay = this.#fetch().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  close(): void {
    this.#closing.abort();
  }

  async #fetch(): Promise<void> {
    try {
      this.#keys = parsePublishedKeys(await this.#answer());
      this.#fetchedAtMs = this.#clock.elapsedMs();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#report(new Error(`the keys of tokens at ${this.#url.origin} cannot be had: ${reasonOf(error)}`));
      return;
    }
    this.#report(undefined);
  }

  async #answer(): Promise<string> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(keySetTimeoutMs)]);
    const headers = { accept: 'application/jwk-set+json, application/json' };
    const response = await fetch(this.#url, { redirect: 'error', headers, signal });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    return boundedText(response);
  }
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxKeySetBytes) throw new Error(`it answers with more than ${maxKeySetBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function checkedUrl(text: string): URL {
  const url = new URL(text);
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHere)) {
    throw new Error(`the keys of tokens are fetched by https, and not from ${url.protocol}//${url.host}`);
  }
  return url;
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${cause.message})` : message;
}
