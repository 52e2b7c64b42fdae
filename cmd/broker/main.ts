import { brokerProgram } from '../../internal/config/broker.ts';
import { startBroker } from '../../pkg/embed/index.ts';
import { complain, runProgram } from '../shared/run-program.ts';
import { banner } from './banner.ts';
import { listenersOf, tlsOf } from './listeners.ts';
import { loggerOf } from './logger.ts';
import { logRates } from './rates.ts';

await runProgram(brokerProgram, async ({ values, given, stop, version }) => {
  const listeners = listenersOf(values, given);
  const tls = tlsOf(values);
  const logger = loggerOf(values['log-level'], values['log-format']);
  const broker = await startBroker({
    listen: listeners.urls,
    onListenError: listeners.areDefaults
      ? (error) => complain('broker', `${error.message}; left closed`)
      : undefined,
    tls,
    socketMode: values['socket-mode'],
    maxMessageBytes: values['max-message'],
    maxClients: values['max-clients'],
    connectTimeoutMs: values['connect-timeout'],
    keepAliveMs: values.keepalive,
    channelSize: values['channel-size'],
    channelBytes: values['channel-bytes'],
    slowConsumer: values['slow-consumer'],
    slowConsumerWaitMs: values['slow-consumer-wait'],
    shutdownTimeoutMs: values['shutdown-timeout'],
    webSocketOrigins: values['ws-origin'].length > 0 ? values['ws-origin'] : undefined,
    logger,
  });
  process.on('SIGHUP', () => broker.reloadCertificates());
  const endRates = values.stats === undefined ? undefined : logRates(broker, values.stats, logger);
  if (!values.quiet) {
    process.stdout.write(
      banner({ version, listeners: broker.listeners.map(({ url }) => url), tls, json: values.json }),
    );
  }

  await new Promise<void>((resolve) => {
    stop.addEventListener('abort', () => resolve(), { once: true });
    if (stop.aborted) resolve();
  });
  logger.info({}, 'stopping: what was accepted is still delivered');
  endRates?.();
  await broker.close();
});
