import type { Logger } from '../../broker/broker.ts';
import { BrokerError, type ErrorCode } from '../../errors.ts';
import { CredentialsError } from '../../protocol/frame/credentials.ts';
import { FrameError } from '../../protocol/frame/frame.ts';

/** The refusal for an error that a client's frames caused. */
export function refusalOf(error: unknown, logger: Logger): BrokerError {
  if (error instanceof BrokerError) return error;
  if (error instanceof CredentialsError) return new BrokerError('bad-credentials', error.message);
  if (error instanceof FrameError) {
    if (error.code === 'payload-too-large') return new BrokerError('message-too-large', error.message);
    return new BrokerError(codeOf(error), error.message);
  }
  logger.error({ code: 'internal-error', error: (error as Error).stack }, 'a bug of the broker');
  return new BrokerError('internal-error');
}

function codeOf({ field }: FrameError): ErrorCode {
  switch (field) {
    case 'client id':
      return 'invalid-client-id';
    case 'offer':
      return 'invalid-offer';
    case 'properties':
      return 'invalid-properties';
    case 'acknowledgement':
      return 'unexpected-frame';
    default:
      return 'invalid-topic';
  }
}
