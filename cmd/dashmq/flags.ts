import { brokerProgram, brokerSections, isFileName } from '../broker/flags.ts';
import { integer, text } from '../cli/options/option.ts';
import type { Program } from '../cli/options/program.ts';

const options = {
  host: text({ group: 'DashMQ', placeholder: 'HOST', default: '0.0.0.0', help: 'where to listen' }),
  port: integer({ min: 0, max: 65_535 }, { group: 'DashMQ', default: '9092', help: 'the port' }),
  ...brokerProgram.options,
};

/** The command line of DashMQ, whose users keep their scripts: a preset of the broker with the Kafka door only. */
export const dashmqProgram: Program<typeof options> = {
  name: 'dashmq',
  summary: 'A broker for Kafka clients, with the flags of DashMQ and those of broker.',
  options,
  sections: brokerSections,
  examples: [
    'dashmq -host 0.0.0.0 -port 9092 -data-dir ./data',
    'dashmq -host localhost -kafka-partitions 3 -memory',
    'dashmq server.properties',
  ],
  operands: {
    usage: '[server.properties]',
    help: 'the configuration of a Kafka: its log directories and listeners are served instead',
    min: 0,
    max: 1,
    isLikely: isFileName,
  },
};

/** Flags of the broker with which topics are kept in no folder of its own. */
const OTHER_PLACES = ['memory', 'kafka-log-dir'];
const HANDLED = ['host', 'port', 'data-dir', 'log-level', 'config'];

/**
 * The command line of the broker that does the same.
 *
 * @param texts what was given, by the name of the flag.
 */
export function brokerLineOfDashmq(
  values: { host: string; port: number; 'data-dir': string; 'log-level': string },
  texts: ReadonlyMap<string, readonly string[]>,
  operands: readonly string[],
): string[] {
  const names = (flags: readonly string[]) => flags.some((flag) => texts.has(flag));
  const host = values.host.includes(':') ? `[${values.host}]` : values.host;
  // Where there is a certificate, the broker opens an address without a scheme for TLS.
  const address = `${texts.has('tls-cert') ? '' : 'tcp://'}${host}:${values.port}`;
  const isNamed = names(['host', 'port']) || (operands.length === 0 && !texts.has('kafka'));
  const others = [...texts]
    .filter(([name]) => !HANDLED.includes(name))
    .flatMap(([name, given]) => given.map((item) => `-${name}=${item}`));
  const hasOtherPlace = !texts.has('data-dir') && (operands.length > 0 || names(OTHER_PLACES));
  return [
    ...operands,
    // DashMQ is open to everybody; the broker says so at each start.
    '-allow-anonymous',
    ...(isNamed ? ['-kafka', address] : []),
    ...(hasOtherPlace ? [] : ['-data-dir', values['data-dir']]),
    '-log-level',
    values['log-level'],
    ...others,
  ];
}
