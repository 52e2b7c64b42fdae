import { once } from 'node:events';
import { resolve } from 'node:path';
import { type BrokerOptions, startBroker } from '../../pkg/embed/index.ts';
import { type Command, type Context, complain, EXIT_DONE, invocationOf } from '../cli/run-program.ts';
import { banner } from './banner.ts';
import { brokerOptionsOf } from './broker-options.ts';
import { checkConfiguration } from './check-config.ts';
import { collectLessOften } from './collector.ts';
import { brokerProgram } from './flags.ts';
import { loggerOf } from './logger.ts';
import { logRates } from './rates.ts';

/** The broker as a command of its own program. */
export const brokerCommand: Command = {
  program: brokerProgram,
  run: (argv, context) => runBroker('broker', argv, context),
};

/** What a preset of the broker does beside it. */
export interface BrokerHooks {
  /** Makes the data folder ready; not called where the command line is only checked, or is wrong. */
  prepare?(): Promise<void>;
  /** All listeners are open. */
  started?(): void;
}

/**
 * Runs a broker from its command line until it is stopped, or checks what it says.
 *
 * @param name of the program: `broker`, or a preset of it.
 * @returns the exit code.
 */
export async function runBroker(
  name: string,
  argv: readonly string[],
  context: Context,
  hooks: BrokerHooks = {},
): Promise<number> {
  const { values, given, operands, stop, version } = invocationOf({ ...brokerProgram, name }, argv, context);
  if (values['check-config']) return checkConfiguration(name, { values, given, operands });
  collectLessOften();
  const options = brokerOptionsOf(values, given, (message) => complain(name, message), operands[0]);
  const logger = loggerOf(values['log-level'], values['log-format']);
  await hooks.prepare?.();
  const broker = await startBroker({ ...options, openTelemetry: process.env, logger, version });
  hooks.started?.();
  for (const { door, url } of broker.listeners) logger.info({ event: 'listening', door, url }, 'listening');
  process.on('SIGHUP', () => {
    broker.reloadCertificates();
    void broker.reloadUsers();
  });
  const endRates = values.stats === undefined ? undefined : logRates(broker, values.stats, logger);
  if (!values.quiet) {
    process.stdout.write(
      banner({
        version,
        listeners: broker.listeners,
        openToAll: broker.openToAll,
        keepsIn: keepsIn(options),
        tls: options.tls,
        json: values.json,
      }),
    );
  }

  if (!stop.aborted) await once(stop, 'abort');
  logger.info({}, 'stopping: what was accepted is still delivered');
  endRates?.();
  await broker.close();
  return EXIT_DONE;
}

/** Where what is to be kept lies; undefined where that is in memory. */
function keepsIn({ memory, kafkaLogDirs, dataDir }: BrokerOptions): string | undefined {
  if (memory) return undefined;
  return (kafkaLogDirs?.directories ?? [dataDir ?? '']).map((folder) => resolve(folder)).join(', ');
}
