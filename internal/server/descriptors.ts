import type { Logger } from '../broker/broker.ts';
import { ERRORS, type ErrorCode } from '../errors.ts';
import { descriptorLimit } from '../lib/descriptor-limit.ts';
import * as brokerLimits from '../limits/broker.ts';
import type { DescriptorEvents } from '../transport/descriptors.ts';

const CODE = 'too-many-files' satisfies ErrorCode;

/** What the log says when the process has no descriptors left. */
export function descriptorEvents(limit: number, logger: Logger): DescriptorEvents {
  return {
    exhausted: () =>
      logger.error(
        { code: CODE, limit, remedy: ERRORS[CODE].remedy },
        'out of file descriptors: new connections are closed',
      ),
    recovered: () => logger.info({ code: CODE, limit }, 'there are file descriptors again'),
  };
}

/** Says at the start that the system allows fewer connections than the broker does; loudly where somebody asked for more. */
export function reportDescriptorLimit(maxClients: number | undefined, logger: Logger): void {
  const limit = descriptorLimit();
  if (maxClients === undefined || limit === undefined || maxClients < limit) return;
  const fields = { code: CODE, maxClients, limit, remedy: ERRORS[CODE].remedy };
  const message = 'the limit of open files is below -max-clients';
  if (maxClients === brokerLimits.maxClients) logger.info(fields, message);
  else logger.warn(fields, message);
}
