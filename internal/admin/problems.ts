import { type BrokerError, ERRORS, type ErrorCode, type ErrorKind } from '../errors.ts';

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
  'credentials-expired': 401,
  'method-not-allowed': 405,
  'foreign-host': 421,
  // RFC 6585, section 4.
  'too-many-connections': 429,
  'connection-rate-exceeded': 429,
  'rate-exceeded': 429,
  'too-many-logins': 429,
};

/** How a refusal is told over HTTP. */
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
