import { BrokerError, type ErrorCode, type ErrorKind, type RefusedThing } from '../../errors.ts';
import { ProtobufError } from '../../protocol/grpc/read-message.ts';
import { GrpcError, Status, type StatusCode } from '../../protocol/grpc/status.ts';

/** The reason that clients get when the door closes. */
export const SHUTTING_DOWN = 'server-shutdown: the broker is stopping';

/**
 * The status of a call whose handler throws; other doors have the like for their protocols.
 *
 * @param isNobodys whether the client of the call has shown nothing: it may be somebody who is allowed what nobody is, and
 *   PERMISSION_DENIED is for callers that are known (gRPC, status codes).
 */
export function grpcErrorOf(error: unknown, isNobodys = false): GrpcError {
  const told = errorOf(error);
  const isUnknown = isNobodys && told.status === Status.PERMISSION_DENIED;
  return isUnknown ? new GrpcError(Status.UNAUTHENTICATED, told.message) : told;
}

function errorOf(error: unknown): GrpcError {
  if (error instanceof GrpcError) return error;
  if (error instanceof BrokerError) return new GrpcError(statusOf(error), error.message);
  if (error instanceof ProtobufError) {
    return new GrpcError(Status.INTERNAL, `grpc: error unmarshalling request: ${error.message}`);
  }
  const status = STATUS_OF_STORE[codeOf(error) ?? ''];
  if (status !== undefined) return new GrpcError(status, (error as Error).message);
  return new GrpcError(Status.INTERNAL, 'internal-error: the broker itself failed; its log says more');
}

/** Whether the status of an error says nothing about it, so that it belongs in the log. */
export function isUnexpected(error: unknown): boolean {
  return !(
    error instanceof GrpcError ||
    error instanceof BrokerError ||
    error instanceof ProtobufError ||
    STATUS_OF_STORE[codeOf(error) ?? ''] !== undefined
  );
}

function statusOf({ code, kind }: BrokerError): StatusCode {
  if (EXHAUSTED.includes(code)) return Status.RESOURCE_EXHAUSTED;
  return UNAUTHENTICATED.includes(code) ? Status.UNAUTHENTICATED : STATUS_OF_KIND[kind];
}

/** Limits of users, groups and clients: to try again at once is of no use. */
const EXHAUSTED: readonly ErrorCode[] = ['too-many-connections', 'connection-rate-exceeded'];

const UNAUTHENTICATED: readonly ErrorCode[] = ['bad-credentials', 'credentials-expired'];

const STATUS_OF_KIND: Record<ErrorKind, StatusCode> = {
  invalid: Status.INVALID_ARGUMENT,
  'not-found': Status.NOT_FOUND,
  denied: Status.PERMISSION_DENIED,
  'too-large': Status.RESOURCE_EXHAUSTED,
  unavailable: Status.UNAVAILABLE,
  conflict: Status.FAILED_PRECONDITION,
  timeout: Status.DEADLINE_EXCEEDED,
  slow: Status.RESOURCE_EXHAUSTED,
};

/** The status for an error of the store, by its code; a door does not import the store. */
const STATUS_OF_STORE: Record<string, StatusCode | undefined> = {
  unavailable: Status.UNAVAILABLE,
  'not-leader': Status.UNAVAILABLE,
  corrupt: Status.DATA_LOSS,
  'batch-too-large': Status.RESOURCE_EXHAUSTED,
};

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** A call that the rules forbid. Its client hears the reason as it is. */
export class DeniedCall extends GrpcError {
  readonly about: RefusedThing;

  constructor(reason: string, about: RefusedThing) {
    super(Status.PERMISSION_DENIED, reason);
    this.about = about;
  }
}

/** What a failed call was, in the broker's words; undefined where its client gave it up or its time was over. */
export function refusalOfCall(error: unknown): BrokerError | undefined {
  if (error instanceof BrokerError) return error;
  if (error instanceof DeniedCall) return new BrokerError('not-authorized', error.message, error.about);
  const { status, message } = grpcErrorOf(error);
  if (status === Status.CANCELLED || status === Status.DEADLINE_EXCEEDED) return undefined;
  if (message === SHUTTING_DOWN) return new BrokerError('server-shutdown');
  if (isUnexpected(error)) return new BrokerError('internal-error');
  if (codeOf(error) === 'unavailable') return new BrokerError('store-unavailable', message);
  if (codeOf(error) === 'batch-too-large') return new BrokerError('message-too-large', message);
  return new BrokerError('failed-call', message);
}
