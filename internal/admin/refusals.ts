import { AccessError, type AccessErrorCode } from '../access/access-error.ts';
import { RuleError } from '../access/rules/parse-rules.ts';
import { BusyError } from '../access/users/hash-queue.ts';
import { BrokerError, type ErrorCode } from '../errors.ts';

const CODES: Record<AccessErrorCode, ErrorCode> = {
  invalid: 'invalid-change',
  exists: 'already-exists',
  'not-found': 'no-such-object',
  declared: 'declared-in-file',
};

/** What an operation threw, in the words of the table of errors where it is a refusal; everything else stays as it is. */
export function refusalOf(error: unknown): unknown {
  if (error instanceof AccessError) return new BrokerError(CODES[error.code], error.message);
  if (error instanceof BusyError) return new BrokerError('too-many-logins');
  if (error instanceof RuleError) return new BrokerError('invalid-change', error.message);
  return error;
}
