import { once } from 'node:events';
import { resolve } from 'node:path';
import { freeAfterReadBytes } from '../../internal/limits/transport.ts';
import { readMemory } from '../../internal/transport/read-memory.ts';
import { type BrokerOptions, startBroker } from '../../pkg/embed/index.ts';
import { locatingFaults } from '../cli/options/locate.ts';
import { parseWithoutFile } from '../cli/options/parse-program.ts';
import { type Origin, UsageErrors } from '../cli/options/program.ts';
import {
  type Command,
  type Context,
  complain,
  EXIT_DONE,
  type Invocation,
  invocationOf,
} from '../cli/run-program.ts';
import { banner } from './banner.ts';
import { brokerOptionsOf } from './broker-options.ts';
import { checkConfiguration, tellFaults } from './check-config.ts';
import { collectLessOften, collectYoung } from './collector.ts';
import { brokerProgram } from './flags.ts';
import { LiveSettings } from './live-settings.ts';
import { loggerOf } from './logger.ts';

/** The broker as a command of its own program. */
export const brokerCommand: Command = {
  program: brokerProgram,
  run: (argv, context) => runBroker('broker', async () => ({ argv }), context),
};

/** What a preset of the broker does beside it. */
export interface BrokerHooks {
  /** Makes the data folder ready; not called where the command line is only checked, or is wrong. */
  prepare?(): Promise<void>;
  /** All listeners are open. */
  started?(): void;
}

/** The command line of a broker, which a preset of it makes from its own. */
export interface BrokerLine {
  argv: readonly string[];
  /** Where its flags come from, where that is not this command line. */
  origins?: ReadonlyMap<string, Origin>;
}

type BrokerInvocation = Invocation<typeof brokerProgram.options>;

/**
 * Runs a broker from its command line until it is stopped, or checks what it says.
 *
 * @param name of the program: `broker`, or a preset of it.
 * @param line is asked again when the file of options may have changed.
 * @returns the exit code.
 */
export async function runBroker(
  name: string,
  line: () => Promise<BrokerLine>,
  context: Context,
  hooks: BrokerHooks = {},
): Promise<number> {
  const program = { ...brokerProgram, name };
  const read = async (): Promise<BrokerInvocation> => {
    const { argv, origins = [] } = await line();
    const invocation = await invocationOf(program, argv, context);
    return { ...invocation, origins: new Map([...invocation.origins, ...origins]) };
  };
  let invocation: BrokerInvocation;
  try {
    invocation = await read();
  } catch (error) {
    if (!(error instanceof UsageErrors)) throw error;
    const alone = parseWithoutFile(program, (await line()).argv, process.env, context.version);
    if (!alone.values['check-config']) throw error;
    return tellFaults(name, error, alone);
  }
  if (invocation.values['check-config']) return checkConfiguration(name, invocation);
  return serve(name, invocation, read, hooks);
}

async function serve(
  name: string,
  invocation: BrokerInvocation,
  read: () => Promise<BrokerInvocation>,
  hooks: BrokerHooks,
): Promise<number> {
  const { values, given, operands, origins, stop, version } = invocation;
  collectLessOften();
  readMemory.freeBy(collectYoung, freeAfterReadBytes);
  const options = locatingFaults(origins, () =>
    brokerOptionsOf(values, given, (message) => complain(name, message), operands[0]),
  );
  const logger = loggerOf(values['log-level'], values['log-format']);
  await hooks.prepare?.();
  const live = new LiveSettings(invocation, logger);
  const settings = () => live.all;
  const broker = await startBroker({ ...options, openTelemetry: process.env, logger, version, settings });
  hooks.started?.();
  for (const { door, url } of broker.listeners) logger.info({ event: 'listening', door, url }, 'listening');
  process.on('SIGHUP', () => {
    broker.reloadCertificates();
    void broker.reloadUsers();
    void live.reload(read);
  });
  live.logRatesOf(broker);
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
  live.end();
  await broker.close();
  return EXIT_DONE;
}

/** Where what is to be kept lies; undefined where that is in memory. */
function keepsIn({ cluster, memory, kafkaLogDirs, dataDir }: BrokerOptions): string | undefined {
  if (cluster !== undefined) {
    const sessions = memory ? 'sessions in memory' : `sessions in ${resolve(dataDir ?? '')}`;
    return `the NATS servers of cluster ${cluster.name}, ${sessions}`;
  }
  if (memory) return undefined;
  return (kafkaLogDirs?.directories ?? [dataDir ?? '']).map((folder) => resolve(folder)).join(', ');
}
