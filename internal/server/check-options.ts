import type { OptionalDoors } from '../doors/all.ts';
import { type DoorEntry, doorsWithPorts } from '../doors/door.ts';
import { nearest } from '../lib/nearest.ts';
import {
  addresses,
  callback,
  type Kind,
  type Kinds,
  list,
  number,
  object,
  objectOf,
  text,
  yesOrNo,
} from '../lib/option-kinds.ts';
import { type BrokerOptions, MAIN_DOOR } from './options.ts';

const OPTIONS = {
  listen: addresses,
  onListenError: callback,
  tls: objectOf({ certFile: text, keyFile: text, caFile: text, crlFile: text }),
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
  clock: object,
  faults: object,
  record: yesOrNo,
  allowAnonymous: yesOrNo,
  aclPartial: yesOrNo,
  usersFile: text,
  adminSocket: yesOrNo,
  certificateUsers: list,
  tokens: objectOf({
    ...{ keys: text, issuer: text, audience: list, userClaim: text, groupsClaim: text, algorithms: list },
    clockToleranceMs: number,
  }),
  openTelemetry: object,
  settings: callback,
  logger: object,
  cluster: objectOf({
    ...{ servers: list, name: text, fsync: text, credentialsFile: text, monitors: list },
    tls: objectOf({ caFile: text, certFile: text, keyFile: text }),
  }),
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
} as const satisfies Kinds<Omit<BrokerOptions, keyof OptionalDoors>>;

/** Of a door that has no other options. */
const LISTEN_ONLY = objectOf({ listen: addresses });

/**
 * Checks what the compiler checks for those who have it: that the options exist and are of their kind.
 *
 * @throws RangeError that names the option, and the nearest where there is none of that name.
 */
export function checkOptions(options: BrokerOptions, doors: readonly DoorEntry[]): void {
  const named = doorsWithPorts(doors).filter(({ name }) => name !== MAIN_DOOR);
  const ofDoors = named.map(({ name, options = LISTEN_ONLY }) => [name, options]);
  checkAll(options, { ...OPTIONS, ...Object.fromEntries(ofDoors) }, '');
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

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}
