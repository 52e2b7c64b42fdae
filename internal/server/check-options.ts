import { nearest } from '../lib/nearest.ts';
import type { BrokerOptions } from './broker-options.ts';

/** What an option may be, with what that is called in a message. */
interface Kind {
  what: string;
  fits(value: unknown): boolean;
  /** The options within it. */
  within?: Record<string, Kind>;
}

/** Each option of an interface, so that the compiler misses one that was added. */
type Kinds<Options> = { readonly [Name in keyof Required<Options>]: Kind };

const text = ofType('string', 'a text');
const number = ofType('number', 'a number');
const yesOrNo = ofType('boolean', 'true or false');
const callback = ofType('function', 'a function');
const object = ofType('object', 'an object');
const list: Kind = { what: 'an array', fits: Array.isArray };
const addresses: Kind = {
  what: "an array of addresses, such as ['tcp://localhost:1883']",
  fits: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
};

const OPTIONS = {
  listen: addresses,
  kafka: objectOf({ listen: addresses, advertised: text, autoCreate: yesOrNo, partitions: number }),
  grpc: objectOf({ listen: addresses, maxMessageBytes: number, allowWrites: yesOrNo }),
  onListenError: callback,
  tls: objectOf({ certFile: text, keyFile: text, caFile: text }),
  socketMode: number,
  maxMessageBytes: number,
  maxClients: number,
  connectTimeoutMs: number,
  keepAliveMs: number,
  channelSize: number,
  channelBytes: number,
  channelTotalBytes: number,
  slowConsumer: text,
  slowConsumerWaitMs: number,
  shutdownTimeoutMs: number,
  webSocketOrigins: list,
  authenticator: object,
  policy: object,
  guard: object,
  logger: object,
  keep: list,
  dataDir: text,
  dataDirIsOptional: yesOrNo,
  kafkaLogDirs: objectOf({
    directories: list,
    metadataDirectory: text,
    segmentBytes: number,
    offsetsPartitions: number,
  }),
  memory: yesOrNo,
  fsync: text,
  keepForMs: number,
  keepBytes: number,
  logs: list,
  logRetentionMs: number,
  logRetentionBytes: number,
  sessionQueue: number,
  sessionQueueBytes: number,
  sessionExpiryMs: number,
  sysIntervalMs: number,
  version: text,
} as const satisfies Kinds<BrokerOptions>;

/**
 * Checks what the compiler checks for those who have it: that the options exist and are of their kind.
 *
 * @throws RangeError that names the option, and the nearest where there is none of that name.
 */
export function checkOptions(options: BrokerOptions): void {
  checkAll(options, OPTIONS, '');
}

function checkAll(options: object, kinds: Record<string, Kind>, prefix: string): void {
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) throw unknownOption(prefix, name, Object.keys(kinds));
    if (value === undefined) continue;
    if (!kind.fits(value)) throw new RangeError(`${prefix}${name} is ${kind.what}, not ${shown(value)}`);
    if (kind.within !== undefined) checkAll(value as object, kind.within, `${prefix}${name}.`);
  }
}

function unknownOption(prefix: string, name: string, known: readonly string[]): RangeError {
  const near = nearest(name, known);
  const hint = near === undefined ? '' : `; did you mean ${prefix}${near}?`;
  return new RangeError(`${prefix}${name} is no option of startBroker${hint}`);
}

function ofType(type: string, what: string): Kind {
  return { what, fits: (value) => typeof value === type && value !== null };
}

function objectOf(within: Record<string, Kind>): Kind {
  return { ...object, within };
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}
