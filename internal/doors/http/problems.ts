import type { IncomingMessage } from 'node:http';
import type { FastifyError, FastifyReply } from 'fastify';
import type { Logger } from '../../broker/broker.ts';
import { BrokerError, ERRORS, type ErrorCode, type ErrorKind } from '../../errors.ts';
import { StoreError } from '../../log/logs.ts';

/** A refusal as the body of an answer (RFC 9457), with the code and the remedy of docs/errors.md. */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  remedy: string;
}

const problem = {
  type: 'object',
  properties: {
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', enum: Object.keys(ERRORS) },
    remedy: { type: 'string' },
  },
  required: ['title', 'status', 'detail', 'code', 'remedy'],
} as const;

/** The answers of a route that are {@link Problem}s. */
export const problemSchema = {
  description: 'A refusal (RFC 9457).',
  content: { 'application/problem+json': { schema: problem } },
} as const;

const STATUS_OF_KIND: Record<ErrorKind, number> = {
  invalid: 400,
  denied: 403,
  'not-found': 404,
  timeout: 408,
  conflict: 409,
  'too-large': 413,
  unavailable: 503,
  slow: 503,
};

/** Where a kind says too little. */
const STATUS_OF_CODE: Partial<Record<ErrorCode, number>> = {
  'bad-credentials': 401,
  'method-not-allowed': 405,
  'foreign-host': 421,
};

export interface ProblemParts {
  logger: Logger;
  /** Told of each refusal. */
  refused(request: IncomingMessage, refusal: BrokerError): void;
}

/** Answers with what went wrong. */
export function sendProblem(
  reply: FastifyReply,
  error: unknown,
  { logger, refused }: ProblemParts,
): FastifyReply {
  const refusal = refusalOf(error, logger);
  refused(reply.request.raw, refusal);
  const problem = problemOf(refusal);
  // Whoever has shown nothing may be somebody who is allowed it.
  const { authorization } = reply.request.headers;
  if (refusal.code === 'not-authorized' && authorization === undefined) problem.status = 401;
  // RFC 9110, section 11.6.1.
  if (problem.status === 401) reply.header('www-authenticate', CHALLENGES);
  if (problem.status === 503) reply.header('retry-after', '1');
  return reply.code(problem.status).type('application/problem+json').send(problem);
}

const CHALLENGES = 'Basic realm="tinymq", charset="UTF-8", Bearer realm="tinymq"';

export function problemOf(refusal: BrokerError): Problem {
  const { code, kind, message } = refusal;
  const { rule, remedy } = ERRORS[code];
  return {
    title: rule,
    status: STATUS_OF_CODE[code] ?? STATUS_OF_KIND[kind],
    detail: message.slice(code.length + ': '.length),
    code,
    remedy,
  };
}

/** The refusal behind whatever a route or the framework threw. */
function refusalOf(error: unknown, logger: Logger): BrokerError {
  if (error instanceof BrokerError) return error;
  if (error instanceof StoreError) return new BrokerError('store-unavailable', error.message);
  const { code, message, statusCode = 500, validationContext } = error as FastifyError;
  if (validationContext === 'params') return new BrokerError('invalid-topic', message);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new BrokerError('message-too-large');
  if (statusCode < 500) return new BrokerError('malformed-http-request', message);
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  logger.error({ code: 'internal-error', error: why }, 'a request failed');
  return new BrokerError('internal-error');
}
