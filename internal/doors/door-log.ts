import type { Logger } from '../broker/broker.ts';

/** A log in which every line says by which door it came. */
export function doorLog(logger: Logger, door: string): Logger {
  return {
    debug: (fields, message) => logger.debug({ door, ...fields }, message),
    info: (fields, message) => logger.info({ door, ...fields }, message),
    warn: (fields, message) => logger.warn({ door, ...fields }, message),
    error: (fields, message) => logger.error({ door, ...fields }, message),
  };
}
