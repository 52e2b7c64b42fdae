import { conversionToldEveryMs } from '../limits/store.ts';
import type { LogsOptions } from '../log/logs.ts';
import type { ConversionEvent } from '../store/data-folder/convert.ts';

/** Returns what tells the log how far the logs of an older version are copied. */
export function conversionTeller(logger: LogsOptions['logger']): (event: ConversionEvent) => void {
  const beganMs = performance.now();
  let toldMs = beganMs;
  const seconds = () => Math.round((performance.now() - beganMs) / 100) / 10;
  return (event) => {
    if (event.kind === 'begins') {
      const { topicCount: topics, totalBytes, copiedBytes, freeBytes } = event;
      const fields = { event: 'conversion', topics, totalBytes, copiedBytes, freeBytes };
      logger.info(fields, 'the logs are of an older version, and are copied into files of their own first');
    } else if (event.kind === 'converting') {
      if (performance.now() - toldMs < conversionToldEveryMs) return;
      toldMs = performance.now();
      const { topic, copiedBytes, totalBytes } = event;
      logger.info(
        { event: 'conversion', topic, copiedBytes, totalBytes, seconds: seconds() },
        'logs are copied',
      );
    } else if (event.kind === 'damaged') {
      const { kind: _, ...where } = event;
      logger.error({ event: 'conversion', ...where }, 'a damaged batch was left out of the copy');
    } else {
      const { topicCount: topics, batchCount: batches, totalBytes } = event;
      logger.info(
        { event: 'conversion', topics, batches, totalBytes, seconds: seconds() },
        'the logs of the older version are copied; the space that they took there comes back now',
      );
    }
  };
}
