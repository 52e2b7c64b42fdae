import { userToTell } from '../access/authenticator.ts';
import type { Logger } from '../broker/broker.ts';
import type { RefusedLogin } from '../doors/clients/admission.ts';
import { nameForLog } from '../errors.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { refusalsLoggedPerSecond } from '../limits/doors.ts';

const SECOND_MS = 1_000;

/**
 * Logs who was not let in, and what was wrong, which the client is not told. A storm of logins must not fill the disk, so
 * that a line may stand for others.
 */
export function loginLog(logger: Logger, clock: Clock = systemClock): RefusedLogin {
  let secondBeganAtMs = Number.NEGATIVE_INFINITY;
  let [inSecond, unlogged] = [0, 0];
  return ({ clientId, door, remote }, refusal) => {
    const { cause, reason, code = 'bad-credentials' } = refusal;
    const user = userToTell(refusal);
    const nowMs = clock.elapsedMs();
    if (nowMs - secondBeganAtMs >= SECOND_MS) {
      secondBeganAtMs = nowMs;
      inSecond = 0;
    }
    if (++inSecond > refusalsLoggedPerSecond) {
      unlogged++;
      return;
    }
    const who = { user: user && nameForLog(user), client: nameForLog(clientId), door, remote };
    const details = { cause: cause ?? reason, ...(unlogged > 0 && { unlogged }) };
    logger.info({ event: 'login-refused', code, ...who, ...details }, 'a client was not let in');
    unlogged = 0;
  };
}
