import { choice, integer, text } from './option.ts';
import type { Program } from './program.ts';

const options = {
  host: text({ group: 'DashMQ', placeholder: 'HOST', default: '0.0.0.0', help: 'where to listen' }),
  port: integer({ min: 0, max: 65_535 }, { group: 'DashMQ', default: '9092', help: 'the port' }),
  'data-dir': text({
    group: 'DashMQ',
    placeholder: 'FOLDER',
    default: './data',
    help: 'where topics are kept',
  }),
  'log-level': choice(['debug', 'info', 'warn', 'error', 'silent'], {
    group: 'DashMQ',
    default: 'info',
    help: 'what to log, to the standard error',
  }),
  config: text({ group: 'DashMQ', placeholder: 'FILE', help: 'read options from a JSON file' }),
};

/** The command line of DashMQ, whose users keep their scripts: a preset of the broker with the Kafka door only. */
export const dashmqProgram: Program<typeof options> = {
  name: 'dashmq',
  summary: 'A broker for Kafka clients, with the flags of DashMQ.',
  options,
  examples: ['dashmq -host 0.0.0.0 -port 9092 -data-dir ./data', 'dashmq server.properties'],
  operands: {
    usage: '[server.properties]',
    help: 'the configuration of a Kafka: its log directories and listeners are served instead',
    min: 0,
    max: 1,
  },
};

/** The command line of the broker that does the same. */
export function brokerLineOfDashmq(
  values: { host: string; port: number; 'data-dir': string; 'log-level': string },
  given: ReadonlySet<string>,
  operands: readonly string[],
): string[] {
  const logLevel = ['-log-level', values['log-level']];
  const host = values.host.includes(':') ? `[${values.host}]` : values.host;
  const address = ['-kafka', `tcp://${host}:${values.port}`];
  const [properties] = operands;
  if (properties === undefined) return [...address, '-data-dir', values['data-dir'], ...logLevel];
  const isNamed = given.has('host') || given.has('port');
  return [properties, ...(isNamed ? address : []), ...logLevel];
}
