import { type Extension, parseExtensions } from '../../internal/protocol/frame/extensions.ts';
import { type OfferAnswer, parseOfferAnswer } from '../../internal/protocol/frame/offer.ts';
import { UnsupportedError } from './errors.ts';

/** What the broker agreed to, in the words of its CONNACK. */
export class Agreement {
  readonly #extensions: ReadonlySet<Extension>;
  /** What it says of the extensions. */
  readonly answer: OfferAnswer;

  /** @throws FrameError where the words mean nothing. */
  constructor(connack: Uint8Array) {
    this.#extensions = parseExtensions(connack);
    this.answer = parseOfferAnswer(connack);
  }

  has(extension: Extension): boolean {
    return this.#extensions.has(extension);
  }

  /** The first of these that it did not agree to. */
  missing(extensions: readonly Extension[]): Extension | undefined {
    return extensions.find((extension) => !this.has(extension));
  }

  /** @throws UnsupportedError: less than what was asked for is never done in silence. */
  need(extensions: readonly Extension[], what: string): void {
    const missing = this.missing(extensions);
    if (missing !== undefined) throw new UnsupportedError(missing, what);
  }
}

/** Of a client that was never connected. */
export const NO_AGREEMENT = new Agreement(new Uint8Array(0));
