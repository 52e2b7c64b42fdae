/** Kafka's `server.properties`, as far as a broker takes it over. */

/** Where clients connect, or are told to. */
export interface PropertiesListener {
  /** The listener's name, such as `PLAINTEXT`. */
  name: string;
  /** Empty for all addresses. */
  host: string;
  /** 0 to 65,535. */
  port: number;
  securityProtocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
}

/** What the file says; undefined where it says nothing. */
export interface ServerProperties {
  /** `log.dirs`, else `log.dir`, else Kafka's default. At least one path. */
  logDirs: string[];
  /** `metadata.log.dir`. */
  metadataLogDir: string | undefined;
  /** Those of clients: without the ones that `controller.listener.names` names. */
  listeners: PropertiesListener[];
  advertisedListeners: PropertiesListener[];
  /** `num.partitions`: those of topics that are created without a number. */
  partitionCount: number | undefined;
  /** `auto.create.topics.enable`. */
  autoCreateTopics: boolean | undefined;
  /** `node.id`, else `broker.id`. */
  nodeId: number | undefined;
  /** `log.segment.bytes`. */
  segmentBytes: number | undefined;
  /** `offsets.topic.num.partitions`. */
  offsetsPartitionCount: number | undefined;
  /** `log.retention.ms`, or what stands in minutes or hours; -1 for without end. */
  retentionMs: number | undefined;
  /** `log.retention.bytes`; -1 for without end. */
  retentionBytes: number | undefined;
}

/** A value that cannot be taken over. The message names the key. */
export class ServerPropertiesError extends Error {
  override readonly name = 'ServerPropertiesError';
}

/**
 * Reads the text of a `server.properties`. Keys that are not known are ignored, but where all of them are strange it
 * is the configuration of another program, which must not start a Kafka on its defaults.
 *
 * @throws ServerPropertiesError
 */
export function readServerProperties(text: string): ServerProperties {
  const properties = parseProperties(text);
  if (properties.size > 0 && ![...properties.keys()].some(isOfKafka)) {
    throw new ServerPropertiesError('is no server.properties of a Kafka: none of its keys is known there');
  }
  const controllers = list(properties, 'controller.listener.names');
  const protocols = securityProtocols(properties);
  const clients = (key: string) =>
    list(properties, key)
      .map((each) => listener(key, each, protocols, controllers))
      .filter((each) => each !== undefined);
  const logDirs = list(properties, 'log.dirs');
  const logDir = properties.get('log.dir')?.trim() || DEFAULT_LOG_DIR;
  return {
    logDirs: logDirs.length > 0 ? logDirs : [logDir],
    metadataLogDir: properties.get('metadata.log.dir')?.trim() || undefined,
    listeners: clients('listeners'),
    advertisedListeners: clients('advertised.listeners'),
    partitionCount: integer(properties, 'num.partitions', 1),
    autoCreateTopics: boolean(properties, 'auto.create.topics.enable'),
    nodeId: integer(properties, 'node.id', 0) ?? integer(properties, 'broker.id', -1),
    segmentBytes: integer(properties, 'log.segment.bytes', 1),
    offsetsPartitionCount: integer(properties, 'offsets.topic.num.partitions', 1),
    retentionMs: retentionMs(properties),
    retentionBytes: integer(properties, 'log.retention.bytes', -1),
  };
}

/**
 * Java's properties: `#` and `!` begin comments, a backslash at the end of a line goes on with the next one, key and
 * value are split by `=`, `:` or white space, `\uXXXX` and `\t`, `\n`, `\r`, `\f` stand for characters, and of a key
 * that comes again the last value counts.
 *
 * @throws ServerPropertiesError for a `\u` without four hexadecimal digits.
 */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const [, key, value] = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/s.exec(line)!;
    properties.set(unescaped(key), unescaped(value));
  }
  return properties;
}

/** What Kafka takes when nothing is said. */
const DEFAULT_LOG_DIR = '/tmp/kafka-logs';
const SECURITY_PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const;
type SecurityProtocol = (typeof SECURITY_PROTOCOLS)[number];

/** All keys of Kafka have a dot in them but this one. */
function isOfKafka(key: string): boolean {
  return key === 'listeners' || key.includes('.');
}

/** Lines joined where a backslash says so, without comments, empty lines and the white space that they begin with. */
function* logicalLines(text: string): Generator<string> {
  let joined: string | undefined;
  for (const natural of text.split(/\r\n|\r|\n/)) {
    const line = natural.replace(/^[ \t\f]+/, '');
    if (joined === undefined && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue;
    const whole: string = (joined ?? '') + line;
    const backslashes = /\\*$/.exec(whole)![0].length;
    if (backslashes % 2 === 1) {
      joined = whole.slice(0, -1);
      continue;
    }
    joined = undefined;
    yield whole;
  }
  if (joined !== undefined) yield joined;
}

function unescaped(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, sequence: string) => {
    if (sequence.length === 5) return String.fromCharCode(Number.parseInt(sequence.slice(1), 16));
    if (sequence === 'u') throw new ServerPropertiesError(`\\u without four hexadecimal digits in ${text}`);
    return CONTROL_CHARACTERS[sequence] ?? sequence;
  });
}

const CONTROL_CHARACTERS: Record<string, string> = { t: '\t', n: '\n', r: '\r', f: '\f' };

/** Undefined for a listener of the controllers. */
function listener(
  key: string,
  text: string,
  protocols: Map<string, string>,
  controllers: string[],
): PropertiesListener | undefined {
  // A name, then an address whose host may be in brackets, as IPv6 addresses have colons.
  const [, name, bracketed, plain, portText] =
    /^([A-Za-z0-9_.-]+):\/\/(?:\[([^\]]*)\]|([^:[\]/]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(portText);
  if (name === undefined || port > 65_535) {
    throw new ServerPropertiesError(`${key}: ${text} is not NAME://host:port`);
  }
  if (controllers.includes(name)) return undefined;
  const securityProtocol = protocols.get(name.toUpperCase()) ?? name.toUpperCase();
  if (!isSecurityProtocol(securityProtocol)) {
    throw new ServerPropertiesError(
      `${key}: listener.security.protocol.map does not say what ${name} is (${SECURITY_PROTOCOLS.join(', ')})`,
    );
  }
  return { name, host: bracketed ?? plain, port, securityProtocol };
}

function isSecurityProtocol(text: string): text is SecurityProtocol {
  return (SECURITY_PROTOCOLS as readonly string[]).includes(text);
}

function securityProtocols(properties: Map<string, string>): Map<string, string> {
  const key = 'listener.security.protocol.map';
  return new Map(
    list(properties, key).map((pair) => {
      const [, name, protocol] = /^([^:\s]+)\s*:\s*(\S+)$/.exec(pair) ?? [];
      if (name === undefined) throw new ServerPropertiesError(`${key}: ${pair} is not NAME:PROTOCOL`);
      return [name.toUpperCase(), protocol.toUpperCase()];
    }),
  );
}

/** The most exact of the three counts, as with Kafka. */
function retentionMs(properties: Map<string, string>): number | undefined {
  const ms = integer(properties, 'log.retention.ms', -1);
  if (ms !== undefined) return ms;
  const minutes = integer(properties, 'log.retention.minutes', -1);
  if (minutes !== undefined) return minutes < 0 ? -1 : minutes * 60_000;
  const hours = integer(properties, 'log.retention.hours', -1);
  return hours === undefined || hours < 0 ? hours : hours * 3_600_000;
}

function list(properties: Map<string, string>, key: string): string[] {
  const parts = (properties.get(key) ?? '').split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '');
}

function integer(properties: Map<string, string>, key: string, min: number): number | undefined {
  const text = properties.get(key)?.trim();
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) {
    throw new ServerPropertiesError(`${key}: ${text} is not a whole number from ${min} on`);
  }
  return value;
}

function boolean(properties: Map<string, string>, key: string): boolean | undefined {
  const text = properties.get(key)?.trim().toLowerCase();
  if (text === undefined) return undefined;
  if (text !== 'true' && text !== 'false') {
    throw new ServerPropertiesError(`${key}: ${text} is neither true nor false`);
  }
  return text === 'true';
}
