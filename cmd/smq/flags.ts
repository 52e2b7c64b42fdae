import { findOption, type OptionTable } from '../cli/options/option.ts';
import { type GoFlag, GoFlagError, goUsage, readGoFlags } from './go-flags.ts';

/** The command line of SMQ, whose users keep their scripts: a preset of the broker. */

const isExactlyTrue = (value: string) => String(value === 'true');

/** Those that the original has. */
export const SMQ_FLAGS = {
  dbpath: {
    kind: 'text',
    variable: 'DB_PATH',
    default: './dbtest.db',
    help: 'the database; what is kept lies in a folder beside it, and topics of the original server are taken over',
  },
  port: { kind: 'text', variable: 'PORT', default: '8097', help: 'port to listen on' },
  'server-enable-mtls': {
    kind: 'boolean',
    variable: 'SERVER_ENABLE_MTLS',
    fromVariable: isExactlyTrue,
    default: 'false',
    help: 'ask clients for certificates',
  },
  'server-cert': {
    kind: 'text',
    variable: 'SERVER_CERT_FILE',
    default: '',
    help: 'the certificate of the server (PEM)',
  },
  'server-key': { kind: 'text', variable: 'SERVER_KEY_FILE', default: '', help: 'its key (PEM)' },
  'server-ca-cert': {
    kind: 'text',
    variable: 'SERVER_CA_CERT_FILE',
    default: '',
    help: 'who signs the certificates of clients (PEM)',
  },
  'enable-mtls': {
    kind: 'boolean',
    variable: 'ENABLE_MTLS',
    fromVariable: isExactlyTrue,
    default: 'false',
    help: 'for clients; no effect on the server',
  },
  'client-cert': {
    kind: 'text',
    variable: 'CLIENT_CERT',
    default: '',
    help: 'for clients; no effect on the server',
  },
  'client-key': {
    kind: 'text',
    variable: 'CLIENT_KEY',
    default: '',
    help: 'for clients; no effect on the server',
  },
  'ca-cert': { kind: 'text', variable: 'CA_CERT', default: '', help: 'for clients; no effect on the server' },
  'allow-remote-writes': {
    kind: 'boolean',
    variable: 'ALLOW_REMOTE_WRITES',
    fromVariable: (value: string) => String(value !== 'false'),
    default: 'true',
    help: 'whether clients may change topics',
  },
} as const satisfies Record<string, GoFlag>;

/** What `smq` is to do. */
export type SmqCommandLine =
  | { kind: 'help'; text: string }
  | { kind: 'wrong'; text: string }
  | { kind: 'run'; broker: string[]; dbPath: string; notes: string[] };

/**
 * Reads the command line of SMQ, in which flags of the broker may stand as well.
 *
 * @param brokerOptions those flags.
 * @returns for `run` the command line of the broker that does the same, but for what lies at `dbPath`.
 */
export function readSmqCommandLine(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  brokerOptions: OptionTable,
): SmqCommandLine {
  const usage = `${goUsage('smq', SMQ_FLAGS)}\nThe flags of broker are known too; see broker -help.\n`;
  try {
    const { values, isHelp, others } = readGoFlags(SMQ_FLAGS, argv, environment, (name) => {
      const found = findOption(brokerOptions, name);
      if (found === undefined || PLACES.includes(found.name)) return undefined;
      return found.option.isSwitch ? 0 : 1;
    });
    if (isHelp) return { kind: 'help', text: usage };
    const mtls = mtlsOf(values);
    const grpc = `${mtls.length > 0 ? 'tls' : 'tcp'}://:${checkedPort(values.port)}`;
    return {
      kind: 'run',
      // The original is open to everybody; the broker says so at each start.
      broker: [
        '-allow-anonymous',
        ...['-grpc', grpc, ...mtls, `-grpc-writes=${values['allow-remote-writes']}`],
        ...others,
      ],
      dbPath: values.dbpath,
      notes: [
        `Server mTLS is ${mtls.length > 0 ? 'enabled' : 'not enabled'}.`,
        `Server is running on port ${values.port}...`,
      ],
    };
  } catch (error) {
    if (!(error instanceof GoFlagError)) throw error;
    return { kind: 'wrong', text: `${error.message}\n${usage}` };
  }
}

/** Flags of the broker that say where topics are kept, which is what -dbpath says here. */
const PLACES = ['data-dir', 'memory', 'kafka-log-dir'];

/** Asked for, it is never left away: the original served in the clear where a file was missing. */
function mtlsOf(values: Readonly<Record<string, string>>): string[] {
  if (values['server-enable-mtls'] !== 'true') return [];
  return (['cert', 'key', 'ca'] as const).flatMap((part) => {
    const flag = part === 'ca' ? 'server-ca-cert' : `server-${part}`;
    const file = values[flag];
    if (file === '') throw new GoFlagError(`-server-enable-mtls needs -${flag}`);
    return [`-tls-${part}`, file];
  });
}

function checkedPort(port: string): string {
  if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535) return port;
  throw new GoFlagError(`invalid value "${port}" for -port: a port is a number up to 65535`);
}
