import { once } from 'node:events';
import { brokerProgram } from '../../internal/config/broker.ts';
import { startBroker } from '../../pkg/embed/index.ts';
import { command, complain } from '../shared/run-program.ts';
import { banner } from './banner.ts';
import { brokerOptionsOf } from './broker-options.ts';
import { collectLessOften } from './collector.ts';
import { loggerOf } from './logger.ts';
import { logRates } from './rates.ts';

/** The broker as a command, for its own program and for those that are presets of it. */
export const brokerCommand = command(brokerProgram, async ({ values, given, operands, stop, version }) => {
  collectLessOften();
  const options = brokerOptionsOf(values, given, (message) => complain('broker', message), operands[0]);
  const logger = loggerOf(values['log-level'], values['log-format']);
  const broker = await startBroker({ ...options, logger, version });
  process.on('SIGHUP', () => broker.reloadCertificates());
  const endRates = values.stats === undefined ? undefined : logRates(broker, values.stats, logger);
  if (!values.quiet) {
    process.stdout.write(
      banner({ version, listeners: broker.listeners, tls: options.tls, json: values.json }),
    );
  }

  if (!stop.aborted) await once(stop, 'abort');
  logger.info({}, 'stopping: what was accepted is still delivered');
  endRates?.();
  await broker.close();
});
