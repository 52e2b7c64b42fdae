import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AdminOperation } from '../../../internal/admin/operation.ts';
import { OWNER } from '../../../internal/admin/operation.ts';
import type { LogParts } from '../../../internal/admin/operations/records.ts';
import { BrokerError } from '../../../internal/errors.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { STORE_FILE } from '../../../internal/store/sqlite/store-file.ts';
import { complain } from '../../cli/run-program.ts';
import { NotRunning, withBroker } from './reach.ts';
import { type Place, targetOf } from './target.ts';

/** Does operations on logs, of a broker that runs or of a store. */
export interface LogKeeper {
  /** @throws Failure. */
  call<Input extends object, Output>(
    operation: AdminOperation<Input, Output, never>,
    input: Input,
  ): Promise<Output>;
}

/**
 * Reaches a broker that runs, else the logs in its folder, does the work and closes.
 *
 * @param mayCreate whether a folder without a store becomes one.
 * @throws Failure with one clear line; UsageError.
 */
export async function withLogs<T>(
  name: string,
  place: Place,
  mayCreate: boolean,
  work: (logs: LogKeeper) => Promise<T>,
): Promise<T> {
  try {
    return await withBroker(place, work);
  } catch (error) {
    const target = targetOf(place);
    if (!(error instanceof NotRunning) || target.kind === 'url') throw error;
    const { folder, kafkaLogDirs } = target;
    const isThere = kafkaLogDirs.length > 0 || existsSync(join(folder, STORE_FILE));
    if (!isThere && !(mayCreate && target.isNamed)) throw error;
    const { openLogs } = await import('../../cli/open-logs.ts');
    const logs = await openLogs(kafkaLogDirs.length > 0 ? { directories: kafkaLogDirs } : folder, (text) =>
      complain(name, text),
    );
    try {
      return await work({
        call: (operation, input) => told(operation.run({ logs } satisfies LogParts as never, input, OWNER)),
      });
    } finally {
      await logs.close();
    }
  }
}

/** What an operation refuses is told as a broker would tell it. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof BrokerError) throw new Failure(error.message.slice(`${error.code}: `.length));
    throw error;
  }
}
