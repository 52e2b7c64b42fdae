import { isUtf8 } from 'node:buffer';
import { maxSaslMessageBytes } from '../../../limits/access.ts';
import { isRefusal, type Refusal, type SaslExchange, type SaslStep } from '../../authenticator.ts';
import type { Identity } from '../../identity.ts';

/** Thrown for a message that does not keep to its mechanism. */
export class SaslError extends Error {
  override readonly name = 'SaslError';
}

/** Takes one message and says what comes next, or throws a {@link SaslError}. */
export type Step = (message: Uint8Array) => SaslStep | Promise<SaslStep>;

/**
 * An exchange of these steps. It is over with the first refusal, with its last step, and where a client does not wait for
 * the answer; from then on it refuses everything.
 */
export function exchangeOf(steps: readonly Step[]): SaslExchange {
  let next = 0;
  let isWaiting = false;
  return {
    async step(message) {
      const take = isWaiting ? undefined : steps[next++];
      if (take === undefined) {
        next = steps.length;
        return { reason: 'the exchange is over' };
      }
      isWaiting = true;
      const answer = await outcome(take, message);
      isWaiting = false;
      if (!('kind' in answer && answer.kind === 'challenge')) next = steps.length;
      return answer;
    },
  };
}

async function outcome(take: Step, message: Uint8Array): Promise<SaslStep> {
  if (message.length > maxSaslMessageBytes)
    return malformed(`it is longer than ${maxSaslMessageBytes} bytes`);
  try {
    return await take(message);
  } catch (error) {
    if (error instanceof SaslError) return malformed(error.message);
    return { reason: 'the credentials could not be checked', code: 'internal-error', cause: String(error) };
  }
}

function malformed(problem: string): Refusal {
  return { reason: `the message of the SASL exchange is malformed: ${problem}` };
}

/** @throws SaslError for bytes that are not UTF-8. */
export function textOf(message: Uint8Array): string {
  if (!isUtf8(message)) throw new SaslError('it is not UTF-8');
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString();
}

/** The end of an exchange that has nothing more to tell its client. */
export function answerOf(found: Identity | Refusal): SaslStep {
  return isRefusal(found) ? found : { kind: 'done', bytes: NO_BYTES, identity: found };
}

export const NO_BYTES = new Uint8Array(0);
