import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { RateExceeded } from '../../access/limits/limits.ts';
import { problemOf } from '../../admin/problems.ts';
import type { Logger } from '../../broker/broker.ts';
import { BrokerError } from '../../errors.ts';
import { StoreError } from '../../log/logs.ts';
import { loginValueOf, noLoginCookie } from './login-cookie.ts';

export interface ProblemParts {
  logger: Logger;
  /** Told of each refusal. */
  refused(request: IncomingMessage, refusal: BrokerError): void;
  /** Whether a request shows nothing of who sent it, and nor does its connection. */
  isNobodys(request: FastifyRequest): boolean;
}

/** Answers with what went wrong. */
export function sendProblem(
  reply: FastifyReply,
  error: unknown,
  { logger, refused, isNobodys }: ProblemParts,
): FastifyReply {
  const refusal = refusalOf(error, logger);
  refused(reply.request.raw, refusal);
  const problem = problemOf(refusal);
  // Whoever has shown nothing may be somebody who is allowed it.
  if (refusal.code === 'not-authorized' && isNobodys(reply.request)) problem.status = 401;
  // RFC 9110, section 11.6.1.
  if (problem.status === 401) reply.header('www-authenticate', challengesFor(reply.request.headers));
  // Whoever logged in has to do it again, and is anonymous until then.
  if (refusal.code === 'credentials-expired' && loginValueOf(reply.request) !== undefined) {
    reply.header('set-cookie', noLoginCookie(reply.request));
  }
  if (problem.status === 503 || problem.status === 429) reply.header('retry-after', retryAfterOf(refusal));
  // It would go on counting as one that is open.
  if (refusal.code === 'too-many-connections') reply.header('connection', 'close');
  return reply.code(problem.status).type('application/problem+json').send(problem);
}

/** In whole seconds, rounded up: whoever comes earlier is refused again. */
function retryAfterOf(refusal: BrokerError): string {
  const waitMs = refusal instanceof RateExceeded ? refusal.waitMs : 0;
  return String(Math.max(1, Math.ceil(waitMs / 1_000)));
}

const BEARER = 'Bearer realm="tinymq"';
const BASIC = 'Basic realm="tinymq", charset="UTF-8"';

/** A browser whose page asks would show a window of its own for Basic; the page has one. */
function challengesFor(headers: IncomingHttpHeaders): string {
  return headers['sec-fetch-dest'] === 'empty' ? BEARER : `${BASIC}, ${BEARER}`;
}

/** The refusal behind whatever a route or the framework threw. */
function refusalOf(error: unknown, logger: Logger): BrokerError {
  if (error instanceof BrokerError) return error;
  if (error instanceof StoreError) {
    const code = error.code === 'batch-too-large' ? 'message-too-large' : 'store-unavailable';
    return new BrokerError(code, error.message);
  }
  const { code, message, statusCode = 500, validationContext } = error as FastifyError;
  if (validationContext === 'params') return new BrokerError('invalid-topic', message);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new BrokerError('message-too-large');
  if (statusCode < 500) return new BrokerError('malformed-http-request', message);
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  logger.error({ code: 'internal-error', error: why }, 'a request failed');
  return new BrokerError('internal-error');
}
