import { GrpcError, Status } from './status.ts';

/**
 * The value of `grpc-timeout` in milliseconds: up to eight digits and a unit, such as `100m` or `5S`.
 *
 * @throws GrpcError INTERNAL where it has another form.
 */
export function parseTimeoutMs(value: string): number {
  const parts = /^(\d{1,8})([HMSmun])$/.exec(value);
  if (parts === null) throw new GrpcError(Status.INTERNAL, `malformed grpc-timeout: ${value}`);
  return Number(parts[1]) * UNIT_MS[parts[2] as keyof typeof UNIT_MS];
}

const UNIT_MS = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
