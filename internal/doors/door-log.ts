import type { Logger } from '../broker/broker.ts';

/** A log in which every line says by which door it came. */
export function doorLog(log: Logger, door: string): Logger {
  return {
    debug: (fields, message) => log.debug({ door, ...fields }, message),
    info: (fields, message) => log.info({ door, ...fields }, message),
    warn: (fields, message) => log.warn({ door, ...fields }, message),
    error: (fields, message) => log.error({ door, ...fields }, message),
  };
}
