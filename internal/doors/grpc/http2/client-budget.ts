import {
  grpcCancelledCallsBurst,
  grpcCancelledCallsPerSecond,
  http2IdleFramesBurst,
  http2IdleFramesPerSecond,
} from '../../../limits/grpc.ts';
import { Http2Code, Http2Error } from '../../../protocol/http2/http2-error.ts';
import { Allowance } from './allowance.ts';

/** How much a client may do that costs us more than it costs the client, before its connection ends (RFC 9113, section 10.5). */
export class ClientBudget {
  readonly #resets = new Allowance(grpcCancelledCallsBurst, grpcCancelledCallsPerSecond);
  readonly #idleFrames = new Allowance(http2IdleFramesBurst, http2IdleFramesPerSecond);

  /** Frames came that carry nothing. @throws Http2Error */
  idleFrames(count: number): void {
    if (!this.#idleFrames.spend(count)) throw tooMany('frames that carry nothing');
  }

  /** A stream was reset, by the client or because of it. @throws Http2Error */
  reset(): void {
    if (!this.#resets.spend(1)) throw tooMany('streams that are reset');
  }

  /** Something was sent for which a client may say something: so many frames that carry nothing. */
  earn(frames: number): void {
    this.#idleFrames.earn(frames);
  }
}

function tooMany(what: string): Http2Error {
  return new Http2Error(Http2Code.ENHANCE_YOUR_CALM, 'RFC 9113 10.5', `too many ${what}`);
}
